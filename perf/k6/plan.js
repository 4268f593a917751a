// What a profile asks of k6: who sends when, and in which phase a moment lies.

import exec from 'k6/execution';

import { thresholds } from './thresholds.js';

export const profile = JSON.parse(__ENV.LOAD_PROFILE);
export const endpoint = JSON.parse(__ENV.LOAD_ENDPOINT);

// How long a call may be under way still when its scenario ends.
export const GRACE = '35s';

export const STEADY = 'steady';
export const FAULT = 'fault';
export const RECOVERED = 'recovered';

// The profile's users or arrivals as a scenario, to be run by the script's function `run`.
export function scenario(run = 'default') {
  const common = { exec: run, gracefulStop: GRACE };
  const seconds = `${profile.seconds}s`;
  if (profile.arrivals_per_second) return arrivals(run, profile.arrivals_per_second, 0, profile.seconds);
  if (profile.stages.length > 0) {
    const stages = profile.stages.map((stage) => ({ target: stage.users, duration: `${stage.seconds}s` }));
    return { ...common, executor: 'ramping-vus', startVUs: profile.users, stages, gracefulRampDown: GRACE };
  }
  return { ...common, executor: 'constant-vus', vus: profile.users, duration: seconds };
}

// Calls that begin at a rate, whoever is still waiting: at most `users` are under way at once.
export function arrivals(run, perSecond, from, seconds) {
  return {
    exec: run,
    executor: 'constant-arrival-rate',
    // k6 takes whole numbers only.
    rate: Math.round(perSecond * 10),
    timeUnit: '10s',
    startTime: `${from}s`,
    duration: `${seconds}s`,
    preAllocatedVUs: profile.users,
    maxVUs: profile.users,
    gracefulStop: GRACE,
  };
}

// The whole of k6's options; the sandbox's faults are switched by scenarios of their own, so that they keep its clock.
export function options(scenarios) {
  const fault = profile.fault;
  const once = { executor: 'shared-iterations', vus: 1, iterations: 1 };
  const faults = fault
    ? {
        break: { ...once, exec: 'breakUpstream', startTime: `${fault.from_seconds}s` },
        mend: { ...once, exec: 'mendUpstream', startTime: `${fault.until_seconds}s` },
      }
    : {};
  return {
    scenarios: { ...scenarios, ...faults },
    thresholds: thresholds(profile),
    summaryTrendStats: ['count', 'min', 'med', 'avg', 'p(95)', 'p(99)', 'max'],
    discardResponseBodies: false,
  };
}

// The phase of what began at `began` (milliseconds, Date.now()) and ends now, the run having begun at `origin`.
export function phase(origin, began) {
  const fault = profile.fault;
  if (!fault) return STEADY;
  const seconds = (began - origin) / 1000;
  if (seconds >= fault.until_seconds + fault.settle_seconds) return RECOVERED;
  return (Date.now() - origin) / 1000 < fault.from_seconds ? STEADY : FAULT;
}

// A number that is spread evenly over 0 to 1, the same in every run: kinds of calls alternate instead of coming in rows.
export function spread(number) {
  return (number * 0.6180339887498949) % 1;
}

// Which iteration of its scenario this is.
export function iteration() {
  return exec.scenario.iterationInTest;
}
