// The mixed load: reads, protocol calls of both eras and a few updates, in a fixed order, every answer's content checked.
// Told by the environment: LOAD_PROFILE (JSON), LOAD_ENDPOINT (JSON: url, token, store), LOAD_SUMMARY (a file's path).

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';

import { callTool, INITIALIZE, LEGACY, MODERN, request } from './client.js';
import { thresholds } from './thresholds.js';

const profile = JSON.parse(__ENV.LOAD_PROFILE);
const endpoint = JSON.parse(__ENV.LOAD_ENDPOINT);

const PAGE = 10;
const KINDS = ['cached_read', 'uncached_read', 'protocol', 'update'];
const durations = Object.fromEntries(KINDS.map((kind) => [kind, new Trend(`duration_${kind}`, true)]));
const answers = new Counter('answers');

export const options = {
  scenarios: {
    mix: { executor: 'constant-vus', vus: profile.users, duration: `${profile.seconds}s`, gracefulStop: '35s' },
  },
  thresholds: thresholds(profile),
  summaryTrendStats: ['count', 'min', 'med', 'avg', 'p(95)', 'p(99)', 'max'],
  discardResponseBodies: false,
};

// Which orders and products there are. Without any there is nothing to read, and the run is aborted.
export function setup() {
  const orders = callTool(endpoint, MODERN, 'orders_list', { limit: PAGE });
  const products = callTool(endpoint, MODERN, 'products_list', { limit: PAGE });
  const found = {
    orders: ((orders.content || {}).orders || []).map((order) => order.id),
    products: ((products.content || {}).products || []).map((product) => product.id),
  };
  if (found.orders.length === 0 || found.products.length === 0) {
    exec.test.abort(`no orders or no products to ask for: ${orders.text} / ${products.text}`);
  }
  return found;
}

export default function (found) {
  const number = exec.scenario.iterationInTest;
  const version = exec.vu.idInTest % 2 === 0 ? LEGACY : MODERN;
  const share = number % 100;
  if (share < profile.update_percent) update(found, version, number);
  else if (share < profile.update_percent + profile.protocol_percent) protocol(version, number);
  else read(found, version, number);
  sleep(profile.think_milliseconds / 1000);
}

export function handleSummary(data) {
  return { [__ENV.LOAD_SUMMARY]: JSON.stringify(data) };
}

function read(found, version, number) {
  const order = found.orders[number % found.orders.length];
  const product = found.products[number % found.products.length];
  const reads = [
    ['orders_get', { order_id: order }, (content) => String(content.order.id) === String(order)],
    ['orders_get', { order_id: order }, (content) => Array.isArray(content.order.order_items)],
    ['products_get', { product_id: product }, (content) => String(content.product.id) === String(product)],
    ['orders_list', { limit: PAGE }, (content) => content.orders.length === content.pagination.count],
    ['products_list', { limit: PAGE }, (content) => content.products.length === content.pagination.count],
  ];
  const [tool, args, holds] = reads[number % reads.length];
  const answer = callTool(endpoint, version, tool, args);
  const cached = answer.content !== null && answer.content.cached === true;
  settle(cached ? 'cached_read' : 'uncached_read', tool, answer, () => holds(answer.content));
}

// A note that says what it is: the one change that spoils nothing. Its key makes a repetition harmless.
function update(found, version, number) {
  const order = found.orders[number % found.orders.length];
  const key = `load-${Date.now()}-${number}`;
  const args = { order_id: order, changes: { order_notes: [`Load test ${key}`] }, idempotency_key: key };
  const answer = callTool(endpoint, version, 'orders_update', args);
  settle('update', 'orders_update', answer, () =>
    answer.content.order.order_notes.some((note) => note.content === `Load test ${key}`),
  );
}

function protocol(version, number) {
  const listed = ['tools/list', {}, (result) => result.tools.some((tool) => tool.name === 'orders_get')];
  const calls =
    version === LEGACY
      ? [['initialize', INITIALIZE, (result) => result.protocolVersion === LEGACY], ['ping', {}, () => true], listed]
      : [['server/discover', {}, (result) => result.supportedVersions.includes(MODERN)], listed];
  const [method, params, holds] = calls[number % calls.length];
  const answer = request(endpoint, version, method, params);
  settle('protocol', method, { ...answer, content: answer.result }, () => holds(answer.result));
}

// Counts the answer, its duration and whether its content is right. No answer at all is counted by none of them but
// http_req_failed: what nobody answered has no duration and no content.
function settle(kind, name, answer, holds) {
  if (answer.status === 0) return;
  answers.add(1);
  durations[kind].add(answer.milliseconds);
  const right = answer.content !== null && holdsFor(holds);
  if (!check(null, { [`${name} answers what it must`]: () => right })) console.warn(`${name}: ${answer.text}`);
}

// An answer of another shape is a wrong answer, not a fault of this script.
function holdsFor(holds) {
  try {
    return holds();
  } catch {
    return false;
  }
}
