// One server's calls at a steady rate that does not wait for it: STEADY (JSON: url, token, version, rate, seconds, users,
// calls, summary). Each answer is compared with the first one to the same call, which is decoded and checked.

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Trend } from 'k6/metrics';

const plan = JSON.parse(__ENV.STEADY);
const requests = plan.calls.map(({ method, params }) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
const parameters = {
  headers: {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': plan.version,
    Authorization: `Bearer ${plan.token}`,
  },
  timeout: '10s',
};
const duration = new Trend('duration_steady', true);

export const options = {
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: plan.rate,
      timeUnit: '1s',
      duration: `${plan.seconds}s`,
      preAllocatedVUs: plan.users,
      gracefulStop: '12s',
    },
  },
  summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
};

// The body that each call must be answered with.
export function setup() {
  return requests.map((request, number) => {
    const response = http.post(plan.url, request, parameters);
    if (response.status === 0) throw new Error(`no answer: ${response.error}`);
    if (response.status !== 200 || contentOf(response.body) !== JSON.stringify(plan.calls[number].expected)) {
      exec.test.abort(`not the answer expected: HTTP ${response.status} ${String(response.body).slice(0, 200)}`);
    }
    return response.body;
  });
}

function contentOf(body) {
  try {
    return JSON.stringify(JSON.parse(body).result.structuredContent);
  } catch {
    return null;
  }
}

export default function (bodies) {
  const number = exec.scenario.iterationInTest % requests.length;
  const response = http.post(plan.url, requests[number], parameters);
  duration.add(response.timings.duration);
  check(response, { 'the answer is the one expected': (each) => each.status === 200 && each.body === bodies[number] });
}

export function handleSummary(data) {
  return { [plan.summary]: JSON.stringify(data) };
}
