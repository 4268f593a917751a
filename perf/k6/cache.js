// A few orders that every user asks for all the time, while another integration changes them behind the server's back:
// what the cache answers is checked against the sandbox's journal afterwards, from the lines written here.

import http from 'k6/http';
import { sleep } from 'k6';

import { callTool, MODERN } from './client.js';
import { settle } from './measures.js';
import { endpoint, iteration, options as plan, profile, scenario } from './plan.js';

export { breakUpstream, handleSummary, mendUpstream } from './measures.js';

const ORDERS = 4;
// The key that the sandbox's foreign writer sets: harness/sandbox/foreign.py.
const METADATA_KEY = 'warehouse_sync';
// One answer in so many is written down: enough to find a lie, not so many that writing is the load. No multiple of
// ORDERS, so that each order has its turn.
const WRITTEN = 21;

export const options = plan({ load: scenario() });

export function setup() {
  const answer = callTool(endpoint, MODERN, 'orders_list', { limit: ORDERS });
  const orders = answer.content.orders.map((order) => order.id);
  const rule = { kind: 'foreign_writer', tokens: 0 };
  const headers = { 'Content-Type': 'application/json' };
  http.put(`${endpoint.control}/faults`, JSON.stringify({ seed: 1, faults: [rule] }), { headers });
  return { orders, origin: Date.now() };
}

export default function (found) {
  const number = iteration();
  const order = found.orders[number % found.orders.length];
  const answer = callTool(endpoint, MODERN, 'orders_get', { order_id: order });
  const ended = Date.now();
  const cached = answer.content !== null && answer.content.cached === true;
  const kind = cached ? 'cached_read' : 'uncached_read';
  settle(kind, 'orders_get', answer, found.origin, () => String(answer.content.order.id) === String(order));
  if (number % WRITTEN === 0 && answer.content !== null) {
    const value = (answer.content.order.order_metadata || {})[METADATA_KEY] || '-';
    console.log(`READ ${order} ${answer.began} ${ended} ${value}`);
  }
  sleep(profile.think_milliseconds / 1000);
}
