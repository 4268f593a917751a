// An MCP client of either era for k6: one POST per request, its answer decoded, nothing retried.

import http from 'k6/http';

export const LEGACY = '2025-11-25';
export const MODERN = '2026-07-28';

const META = 'io.modelcontextprotocol/';
const CLIENT_INFO = { name: 'perf-load', version: '1' };
const TIMEOUT = '30s';

const SESSION = 'Mcp-Session-Id';

let lastId = 0;
// The session that this user has with each server that insists on one, by its address.
const sessions = {};

// The parameters of a legacy client's first request; it is followed by a notification in sessions only.
export const INITIALIZE = { protocolVersion: LEGACY, capabilities: {}, clientInfo: CLIENT_INFO };

// Sends one request and returns {status, began, milliseconds, retryAfter, result, error, text}: result and error as
// JSON-RPC has them, null where the answer carries none (or is another request's), text for telling what came instead.
export function request(endpoint, version, method, params = {}, options = {}) {
  lastId += 1;
  const began = Date.now();
  const body = { jsonrpc: '2.0', id: lastId, method, params: withMeta(version, params) };
  const response = http.post(endpoint.url, JSON.stringify(body), {
    headers: headers(endpoint, version, method, params),
    tags: { name: method },
    timeout: TIMEOUT,
    ...options,
  });
  const message = decode(response) || {};
  const own = message.id === lastId;
  return {
    status: response.status,
    began,
    milliseconds: response.timings.duration,
    session: response.headers[SESSION] || null,
    retryAfter: Number(response.headers['Retry-After']) || null,
    result: (own && message.result) || null,
    error: (own && message.error) || null,
    text: `HTTP ${response.status} ${response.error || ''} ${String(response.body || '').slice(0, 200)}`,
  };
}

// Calls a tool: as request(), with `content` being the structured content of a successful result (its text, decoded if
// it is JSON, where it has none), else null, and `code` and `details` what an error of ours says.
export function callTool(endpoint, version, name, args) {
  const named = endpoint.store ? { ...args, store_identifier: endpoint.store } : args;
  const answer = request(endpoint, version, 'tools/call', { name, arguments: named });
  const succeeded = answer.status === 200 && answer.result && answer.result.isError !== true;
  const said = answer.result ? structured(answer.result) : null;
  const error = (!succeeded && said && said.error) || {};
  return { ...answer, content: succeeded ? said : null, code: error.code, details: error.details || {} };
}

function structured(result) {
  if (result.structuredContent) return result.structuredContent;
  const text = (result.content || []).map((part) => part.text || '').join('\n');
  try {
    return JSON.parse(text);
  } catch {
    return text || null;
  }
}

// Opens a session for this user, as a legacy client does; returns whether the server gave one.
export function openSession(endpoint) {
  const answer = request(endpoint, LEGACY, 'initialize', INITIALIZE);
  if (!answer.session) return false;
  sessions[endpoint.url] = answer.session;
  const notification = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
  const method = 'notifications/initialized';
  http.post(endpoint.url, notification, { headers: headers(endpoint, LEGACY, method, {}), tags: { name: method } });
  return true;
}

// Whether this user has a session with the server.
export function hasSession(endpoint) {
  return endpoint.url in sessions;
}

// Asks whether a server speaks a revision: a refusal is an answer, and does not count as a failed request.
export function speaks(endpoint, version) {
  return request(endpoint, version, 'tools/list', {}, { responseCallback: null });
}

function withMeta(version, params) {
  if (version !== MODERN) return params;
  const meta = { protocolVersion: version, clientInfo: CLIENT_INFO, clientCapabilities: {} };
  const entries = Object.entries(meta).map(([name, value]) => [META + name, value]);
  return { ...params, _meta: Object.fromEntries(entries) };
}

function headers(endpoint, version, method, params) {
  const sent = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };
  if (endpoint.token) sent.Authorization = `Bearer ${endpoint.token}`;
  if (method !== 'initialize') sent['MCP-Protocol-Version'] = version;
  if (version === LEGACY && method !== 'initialize' && sessions[endpoint.url]) sent[SESSION] = sessions[endpoint.url];
  if (version === MODERN) {
    sent['Mcp-Method'] = method;
    if (method === 'tools/call') sent['Mcp-Name'] = params.name;
  }
  return sent;
}

function decode(response) {
  try {
    // k6 reads JSON itself with less of a processor than its interpreter does.
    if (!String(response.headers['Content-Type']).startsWith('text/event-stream')) return response.json();
    const data = response.body.split('\n').filter((line) => line.startsWith('data:'));
    return JSON.parse(data[data.length - 1].slice('data:'.length));
  } catch {
    return null;
  }
}
