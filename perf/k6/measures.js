// What is counted of every answer: its duration by kind, whether its content is right, and in a fault whether it says so.

import http from 'k6/http';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { endpoint, FAULT, phase, profile, RECOVERED } from './plan.js';

// Edges of the histogram that a window's percentiles come from, in milliseconds; perf/load/windows.py has the same.
const EDGES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10000, 60000];
// What an answer says that was given while OrderDesk was in trouble.
const HONEST = ['UPSTREAM_UNAVAILABLE', 'ORDERDESK_API_ERROR', 'RATE_LIMIT_EXCEEDED', 'WRITE_UNCERTAIN'];

const limited = { ...profile.p95_milliseconds, ...profile.p99_milliseconds };
const kinds = Object.keys({ cached_read: 1, uncached_read: 1, ...profile.mix, ...limited });
const durations = Object.fromEntries(kinds.map((kind) => [kind, new Trend(`duration_${kind}`, true)]));
const recovered = Object.fromEntries(kinds.map((kind) => [kind, new Trend(`recovered_${kind}`, true)]));
const buckets = Object.fromEntries(
  kinds.map((kind) => [kind, EDGES.map((edge) => new Counter(`bucket_${edge}_${kind}`))]),
);
const answers = new Counter('answers');
const faulty = Object.fromEntries(['right', 'honest', 'wrong'].map((name) => [name, new Counter(`fault_${name}`)]));

// Counts the answer, its duration and whether its content is right. No answer at all is counted by none of them but
// http_req_failed: what nobody answered has no duration and no content. What began or ended in a fault is counted apart.
export function settle(kind, name, answer, origin, holds) {
  if (answer.status === 0) return;
  const when = phase(origin, answer.began);
  const edge = EDGES.findIndex((each) => answer.milliseconds <= each);
  if (edge >= 0) buckets[kind][edge].add(1);
  const right = answer.content !== null && holdsFor(holds);
  if (when === FAULT) {
    const honest = answer.status === 200 && HONEST.includes(answer.code);
    faulty[right ? 'right' : honest ? 'honest' : 'wrong'].add(1);
    if (!right && !honest) console.warn(`in the fault: ${name}: ${answer.text}`);
    return;
  }
  answers.add(1);
  (when === RECOVERED ? recovered : durations)[kind].add(answer.milliseconds);
  if (!check(null, { [`${name} answers what it must`]: () => right })) console.warn(`${name}: ${answer.text}`);
}

// An answer of another shape is a wrong answer, not a fault of the script.
function holdsFor(holds) {
  try {
    return holds();
  } catch {
    return false;
  }
}

export function breakUpstream() {
  control('PUT', JSON.stringify({ seed: 1, faults: profile.fault.rules }));
}

export function mendUpstream() {
  control('DELETE', null);
}

function control(method, body) {
  const response = http.request(method, `${endpoint.control}/faults`, body, {
    headers: { 'Content-Type': 'application/json' },
    tags: { name: 'sandbox' },
  });
  check(response, { 'the sandbox takes its faults': (answer) => answer.status === 200 });
}

export function handleSummary(data) {
  return { [__ENV.LOAD_SUMMARY]: JSON.stringify(data) };
}
