// Two tenants: the quiet one asks within its limit, first alone, then beside a noisy one that asks for far more than
// its own. When the noise is over, the noisy one tries whether what refusals say of the time to wait is true.

import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { callTool, MODERN } from './client.js';
import { settle } from './measures.js';
import { arrivals, endpoint, iteration, options as plan, phase, profile, FAULT } from './plan.js';

export { breakUpstream, handleSummary, mendUpstream } from './measures.js';

const ORDERS = 4;
const alone = Math.floor(profile.seconds / 3);
const together = Math.floor(profile.seconds / 2);
const noisy = { ...endpoint, ...endpoint.noisy };
const refillPerSecond = Number(profile.server.RATE_LIMIT_RPM) / 60;
// A read costs one token: nobody has to wait longer than it takes to earn one.
const longestWait = Math.max(1, Math.ceil(1 / refillPerSecond));

const quietAlone = new Trend('quiet_alone', true);
const quietTogether = new Trend('quiet_together', true);
const counts = Object.fromEntries(
  ['quiet_refused', 'noisy_granted', 'noisy_refused', 'wait_kept', 'wait_broken'].map((name) => [
    name,
    new Counter(name),
  ]),
);

export const options = plan({
  quiet: arrivals('quiet', profile.quiet_per_second, 0, profile.seconds),
  noise: arrivals('noise', profile.arrivals_per_second, alone, together),
  wait: {
    executor: 'constant-vus',
    exec: 'wait',
    vus: 1,
    startTime: `${alone + together}s`,
    duration: `${profile.seconds - alone - together}s`,
    gracefulStop: '35s',
  },
});

export function setup() {
  return { origin: Date.now(), quiet: orders(endpoint), noisy: orders(noisy) };
}

function orders(tenant) {
  const answer = callTool(tenant, MODERN, 'orders_list', { limit: ORDERS });
  return answer.content.orders.map((order) => order.id);
}

export function quiet(found) {
  const answer = get(endpoint, found.quiet, found.origin);
  if (answer.code === 'RATE_LIMIT_EXCEEDED' && answer.details.limit === 'tenant') counts.quiet_refused.add(1);
  if (phase(found.origin, answer.began) === FAULT) return;
  const seconds = (answer.began - found.origin) / 1000;
  if (seconds < alone) quietAlone.add(answer.milliseconds);
  else if (seconds < alone + together) quietTogether.add(answer.milliseconds);
}

export function noise(found) {
  const order = found.noisy[iteration() % found.noisy.length];
  const answer = callTool(noisy, MODERN, 'orders_get', { order_id: order });
  if (!refused(answer)) {
    if (answer.content !== null) counts.noisy_granted.add(1);
    else if (phase(found.origin, answer.began) !== FAULT) isWrong('the noisy tenant', answer);
    return;
  }
  counts.noisy_refused.add(1);
  const said = answer.details.retry_after_seconds;
  const right = Number.isInteger(said) && said >= 1 && said <= longestWait && said === answer.retryAfter;
  check(null, { 'a refusal says when to call again': () => right });
}

// Asks until it is refused, waits as long as it was told, and must then be served.
export function wait(found) {
  const ask = () => callTool(noisy, MODERN, 'orders_get', { order_id: found.noisy[0] });
  let answer = ask();
  for (let tries = 0; tries < 500 && !refused(answer); tries += 1) answer = ask();
  if (!refused(answer)) return;
  sleep(answer.details.retry_after_seconds);
  answer = ask();
  if (answer.content === null && !refused(answer)) isWrong('after the wait', answer);
  else counts[refused(answer) ? 'wait_broken' : 'wait_kept'].add(1);
}

function isWrong(who, answer) {
  check(null, { 'what is not refused is answered': () => false });
  console.warn(`${who}: ${answer.text}`);
}

function refused(answer) {
  return answer.code === 'RATE_LIMIT_EXCEEDED' && answer.details.limit === 'tenant';
}

function get(tenant, known, origin) {
  const order = known[iteration() % known.length];
  const answer = callTool(tenant, MODERN, 'orders_get', { order_id: order });
  const cached = answer.content !== null && answer.content.cached === true;
  const kind = cached ? 'cached_read' : 'uncached_read';
  settle(kind, 'orders_get', answer, origin, () => String(answer.content.order.id) === String(order));
  return answer;
}
