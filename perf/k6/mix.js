// The mixed load: reads, protocol calls of both eras, updates, or a tool of the operator's choice, by the profile's
// weights, every answer's content checked.
// Told by the environment: LOAD_PROFILE (JSON), LOAD_ENDPOINT (JSON: url, token, store), LOAD_SUMMARY (a file's path).

import { sleep } from 'k6';
import exec from 'k6/execution';

import { callTool, hasSession, INITIALIZE, LEGACY, MODERN, openSession, request, speaks } from './client.js';
import { settle } from './measures.js';
import { endpoint, iteration, options as plan, profile, scenario, spread } from './plan.js';

export { breakUpstream, handleSummary, mendUpstream } from './measures.js';

const PAGE = 10;
const SENDERS = { cached_read: read, uncached_read: readAnew, protocol, update, tool };
const NEEDS_ORDERS = ['cached_read', 'uncached_read', 'update'];
const total = Object.values(profile.mix).reduce((sum, weight) => sum + weight, 0);

export const options = plan({ load: scenario() });

// Which eras the target speaks, and which orders and products there are, where they are asked for. Without any there is
// nothing to send, and the run is aborted.
export function setup() {
  const found = { sessions: false, eras: eras(), orders: [], products: [], origin: 0 };
  if (NEEDS_ORDERS.some((kind) => kind in profile.mix)) {
    const orders = callTool(endpoint, MODERN, 'orders_list', { limit: PAGE });
    const products = callTool(endpoint, MODERN, 'products_list', { limit: PAGE });
    found.orders = ((orders.content || {}).orders || []).map((order) => order.id);
    found.products = ((products.content || {}).products || []).map((product) => product.id);
    if (found.orders.length === 0 || found.products.length === 0) {
      exec.test.abort(`no orders or no products to ask for: ${orders.text} / ${products.text}`);
    }
  }
  return { ...found, sessions: hasSession(endpoint), origin: Date.now() };
}

function eras() {
  const modern = [MODERN, speaks(endpoint, MODERN)];
  // A server of sessions answers nothing outside one. Ours has none, and needs no such question.
  let legacy = speaks(endpoint, LEGACY);
  if (legacy.result === null && openSession(endpoint)) legacy = speaks(endpoint, LEGACY);
  const answers = [modern, [LEGACY, legacy]];
  const spoken = answers.filter(([, answer]) => answer.result !== null).map(([version]) => version);
  if (spoken.length === 0) exec.test.abort(`no orders or no products to ask for: ${answers[0][1].text}`);
  return spoken;
}

export default function (found) {
  const number = iteration();
  const version = found.eras[exec.vu.idInTest % found.eras.length];
  let left = spread(number) * total;
  if (version === LEGACY && found.sessions && !hasSession(endpoint)) openSession(endpoint);
  const [kind] = Object.entries(profile.mix).find(([, weight]) => (left -= weight) < 0);
  SENDERS[kind](found, version, number);
  sleep(profile.think_milliseconds / 1000);
}

// The same few again and again, which a cache gives from the second time on.
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
  const [name, args, holds] = reads[number % reads.length];
  settleRead(found, name, callTool(endpoint, version, name, args), holds);
}

// What nobody asked for before: no cache can give it.
function readAnew(found, version, number) {
  const args = { limit: PAGE, search_start_date: moment(number) };
  const answer = callTool(endpoint, version, 'orders_list', args);
  settleRead(found, 'orders_list', answer, (content) => content.orders.length === content.pagination.count);
}

function moment(number) {
  return new Date(1_000_000_000_000 + number * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

function settleRead(found, name, answer, holds) {
  const cached = answer.content !== null && answer.content.cached === true;
  settle(cached ? 'cached_read' : 'uncached_read', name, answer, found.origin, () => holds(answer.content));
}

// A key of the order's metadata that says what it is, replaced each time: whatever adds up (a note) fills the order, which
// then takes no more. The idempotency key makes a repetition harmless.
function update(found, version, number) {
  const order = found.orders[number % found.orders.length];
  const key = `load-${Date.now()}-${number}`;
  const args = { order_id: order, changes: { order_metadata: { load_test: key } }, idempotency_key: key };
  const answer = callTool(endpoint, version, 'orders_update', args);
  settle('update', 'orders_update', answer, found.origin, () => answer.content.order.order_metadata.load_test === key);
}

function protocol(found, version, number) {
  const listed = ['tools/list', {}, (result) => result.tools.length > 0];
  // Where there are sessions, each greeting would open one that nobody ends.
  const greeting = ['initialize', INITIALIZE, (result) => result.protocolVersion === LEGACY];
  const calls =
    version === LEGACY
      ? [...(found.sessions ? [] : [greeting]), ['ping', {}, () => true], listed]
      : [['server/discover', {}, (result) => result.supportedVersions.includes(MODERN)], listed];
  const [method, params, holds] = calls[number % calls.length];
  const answer = request(endpoint, version, method, params);
  settle('protocol', method, { ...answer, content: answer.result }, found.origin, () => holds(answer.result));
}

// The tool that the profile names: right is what succeeds and says what is expected.
function tool(found, version) {
  const { name, arguments: args, expects } = profile.tool;
  // Its arguments are all that it gets: not every tool takes a store.
  const answer = callTool({ ...endpoint, store: null }, version, name, args);
  settle('tool', name, answer, found.origin, () => JSON.stringify(answer.content).includes(expects));
}
