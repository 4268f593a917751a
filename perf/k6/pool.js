// More callers than the database has connections: updates that were carried out already are asked for again under the
// same key, and each answer is read from the database. A few reads that no cache can give keep OrderDesk in the picture.

import exec from 'k6/execution';

import { callTool, MODERN } from './client.js';
import { settle } from './measures.js';
import { endpoint, iteration, options as plan, scenario } from './plan.js';

export { breakUpstream, handleSummary, mendUpstream } from './measures.js';

// One repetition of an order's update at a time is read: more orders than connections, so that some must wait.
const ORDERS = 12;
const READ_EVERY = 400;

export const options = plan({ load: scenario() });

export function setup() {
  const listed = callTool(endpoint, MODERN, 'orders_list', { limit: ORDERS });
  const updates = ((listed.content || {}).orders || []).map((order) => ({
    order_id: order.id,
    changes: { order_notes: ['Load test of the pool'] },
    idempotency_key: `load-pool-${Date.now()}-${order.id}`,
  }));
  for (const update of updates) {
    const answer = callTool(endpoint, MODERN, 'orders_update', update);
    if (answer.content === null) exec.test.abort(`an update to repeat was refused: ${answer.text}`);
  }
  if (updates.length === 0) exec.test.abort(`no orders to update: ${listed.text}`);
  return { updates, origin: Date.now() };
}

export default function (found) {
  const number = iteration();
  if (number % READ_EVERY === READ_EVERY - 1) {
    const moment = new Date(1_000_000_000_000 + number * 1000).toISOString().slice(0, 19).replace('T', ' ');
    const answer = callTool(endpoint, MODERN, 'orders_list', { limit: 5, search_start_date: moment });
    settle('uncached_read', 'orders_list', answer, found.origin, () => Array.isArray(answer.content.orders));
    return;
  }
  const update = found.updates[number % found.updates.length];
  const answer = callTool(endpoint, MODERN, 'orders_update', update);
  settle('update', 'orders_update', answer, found.origin, () => answer.content.replayed === true);
}
