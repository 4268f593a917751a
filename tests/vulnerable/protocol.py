"""MCP over Streamable HTTP: revision 2026-07-28, and the older ones that begin with `initialize`."""

import base64
import json
import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tests.vulnerable.desk import ToolError
from tests.vulnerable.documents import MalformedError, decode
from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.keys import Caller, Keys
from tests.vulnerable.limits import TenantLimit, WrongKeys
from tests.vulnerable.sessions import EVENT_STREAM, Sessions
from tests.vulnerable.storage import Database
from tests.vulnerable.tools import Tools
from tests.vulnerable.wire import Request, Response

MODERN = "2026-07-28"
LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
BATCHED = {None, "2024-11-05", "2025-03-26"}
MOST_IN_BATCH = 20
METHODS = {"server/discover", "initialize", "ping", "tools/list", "tools/call"}
META = "io.modelcontextprotocol/"
SERVER = {"name": "vulnerable", "version": "1"}
CAPABILITIES: dict[str, Any] = {"tools": {}}
JSON = ("content-type", "application/json")
QUERY_NAMES = ("token", "key", "api_key", "access_token", "apikey")


class RpcError(Exception):
    """A JSON-RPC error. `status` is the HTTP status that it travels in, alone."""

    def __init__(self, code: int, message: str, status: int = 400, *, wait: float = 0.0, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.wait = wait
        self.data = data


@dataclass(frozen=True)
class Asked:
    """How a message came: by whom, in which request, in which version (None: not told), at which place of an array."""

    caller: Caller
    request: Request
    version: str | None
    modern: bool
    place: int = 0


class Endpoint:
    """Answers requests to the MCP endpoint."""

    def __init__(
        self,
        keys: Keys,
        wrong_keys: WrongKeys,
        limit: TenantLimit,
        tools: Tools,
        database: Database,
        sessions: Sessions,
        holes: OpenHoles,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._wrong_keys = wrong_keys
        self._limit = limit
        self._tools = tools
        self._database = database
        self._holes = holes
        self._callers: dict[int, Caller] = {}  # nothing but holes reads it, or the next
        self._locked: set[str] = set()

    async def answer(self, request: Request) -> Response:
        """The response to any request on the endpoint's path."""
        identity: Any = None
        try:
            if self._sessions.manages(request):
                return self._manage(request)
            _must_be_json(request)
            caller = self._caller(request)
            self._admit(request, caller)
            try:
                checked, item = decode(request.body, self._holes)
            except MalformedError as error:
                raise RpcError(-32700, str(error)) from None
            version = request.header("mcp-protocol-version")
            asked = Asked(caller, request, version, version is not None and version not in LEGACY)
            if isinstance(item, list) and not asked.modern:
                return await self._batch(item, asked)
            identity = identity_of(item)
            body = await self._one(checked, item, asked)
        except RpcError as error:
            return _refusal(error, identity)
        begins = body is not None and not asked.modern and item["method"] == "initialize"
        session = self._sessions.begin(caller) if begins else ()
        return Response(202) if body is None else Response(200, _encode(body), (JSON, *session))

    def is_key(self, key: str) -> bool:
        """Whether it is a tenant's key."""
        return self._keys.check(key) is not None

    def _manage(self, request: Request) -> Response:
        """A session's stream, or its end. Raises RpcError."""
        hole = "session-stream" if request.method == "GET" else "session-ended-by-anybody"
        if not self._holes.has(hole):
            self._admit(request, self._caller(request))
        if request.method == "GET":
            return Response(200, b": no message\n\n", (EVENT_STREAM,))
        self._sessions.end(request)
        return Response(204)

    def _admit(self, request: Request, caller: Caller) -> None:
        """Raise RpcError where a request names a session that the caller may not use."""
        if not self._sessions.admits(request, caller):
            raise RpcError(-32001, "There is no such session", 404)

    def _caller(self, request: Request) -> Caller:
        """Whose key the request shows. Raises RpcError; wrong keys are counted, right ones are always let in."""
        if (owner := self._sessions.taken_for(request)) is not None:
            return owner
        scheme, _, key = (request.header("authorization") or "").partition(" ")
        if scheme.lower() != "bearer":
            key = ""
        if not key and self._holes.has("query-key"):
            given = parse_qs(request.query)
            key = next((given[name][0] for name in QUERY_NAMES if name in given), "")
        if not key and self._holes.has("no-authentication"):
            return self._keys.first()
        if self._holes.has("trusts-connection") and key and request.connection in self._callers:
            return self._callers[request.connection]
        if self._holes.has("lockout") and key.partition(".")[0] in self._locked:
            raise RpcError(-32001, "Too many wrong keys were tried", 429, wait=60)
        caller = self._keys.check(key) if key else None
        if caller is not None:
            self._callers[request.connection] = caller
            return caller
        claimed = request.header("x-forwarded-for") if self._holes.has("throttle-by-claim") else None
        counted = claimed or key, claimed or request.peer
        free = self._holes.has("no-throttle") or not key
        named = not self._holes.has("throttle-known-ids") or self._keys.has(key)
        wait = 0.0 if free else self._wrong_keys.count(*counted, named=named)
        if wait:
            self._locked.add(key.partition(".")[0])
            raise RpcError(-32001, "Too many wrong keys were tried", 429, wait=wait)
        status = 403 if self._holes.has("telling-refusal") and self._keys.has(key) else 401
        raise RpcError(-32001, "A valid key is required: Authorization: Bearer KEY", status)

    async def _batch(self, items: list[Any], asked: Asked) -> Response:
        if asked.version not in BATCHED or not 0 < len(items) <= MOST_IN_BATCH:
            raise RpcError(-32600, f"Arrays of 1 to {MOST_IN_BATCH} messages exist in revision 2025-03-26 only")
        answers = []
        for place, item in enumerate(items):
            try:
                answer = await self._one(
                    item, item, Asked(asked.caller, asked.request, asked.version, modern=False, place=place)
                )
            except RpcError as error:
                answer = _error(error, identity_of(item))
            if answer is not None:
                answers.append(answer)
        return Response(200, _encode(answers), (JSON,)) if answers else Response(202)

    async def _one(self, checked: Any, item: Any, asked: Asked) -> dict[str, Any] | None:
        """The answer to one message, None to a notification. `checked` is what is looked at before. Raises RpcError."""
        if not isinstance(item, dict) or item.get("jsonrpc") != "2.0" or not isinstance(item.get("method"), str):
            raise RpcError(-32600, "The body must be one JSON-RPC message")
        identity, params = identity_of(item), item.get("params", {})
        if not isinstance(params, dict) or ("id" in item and identity is None):
            raise RpcError(-32600, "The body must be one JSON-RPC message")
        self._match(checked, asked)
        if identity is None:
            return None
        cost = 0 if params.get("cursor") is not None and self._holes.has("refused-params-free") else 1
        free = self._is_free(item["method"], params)
        if not free and (wait := self._limit.take(asked.caller, asked.request, asked.version, asked.place, cost)):
            raise RpcError(-32003, "The rate limit is exceeded", 429, wait=wait)
        result = await self._result(item["method"], params, asked)
        if asked.modern:
            result |= {"resultType": "complete", "_meta": {f"{META}serverInfo": SERVER}}
        return {"jsonrpc": "2.0", "id": identity, "result": result}

    def _is_free(self, method: str, params: dict[str, Any]) -> bool:
        has = self._holes.has
        if method != "tools/call":
            return has("limit-on-calls-alone") or (has("unknown-method-free") and method not in METHODS)
        if params.get("name") is None:
            return has("nameless-free")
        if not self._tools.names(params.get("name")):
            return has("unknown-tool-free")
        return has("invalid-arguments-free") and not self._tools.takes(params["name"], params.get("arguments"))

    def _match(self, message: dict[str, Any], asked: Asked) -> None:
        """Headers must say what the body says, and name a version that is spoken. Raises RpcError."""
        params = message.get("params") or {}
        meta = params.get("_meta")
        if asked.modern and (not isinstance(meta, dict) or f"{META}protocolVersion" not in meta):
            raise RpcError(-32602, f"params._meta must carry {META}protocolVersion")
        said = meta.get(f"{META}protocolVersion") if isinstance(meta, dict) else None
        header = asked.request.header
        same = said == asked.version if asked.modern or said is not None else True
        if asked.modern:
            same = same and header("mcp-method") == message.get("method")
            if message.get("method") == "tools/call" and params.get("name") is not None:
                same = same and _plain(header("mcp-name")) == params["name"]
            if not isinstance(meta.get(f"{META}clientCapabilities") if meta else None, dict):
                raise RpcError(-32602, f"params._meta must carry {META}clientCapabilities")
        if not same and not self._holes.has("header-mismatch"):
            raise RpcError(-32020, "The headers do not say what the body says")
        if asked.modern and asked.version != MODERN and not self._holes.has("any-version"):
            data = {"supported": [MODERN], "requested": asked.version}
            raise RpcError(-32022, "Unsupported protocol version", data=data)

    async def _result(self, method: str, params: dict[str, Any], asked: Asked) -> dict[str, Any]:
        if asked.modern and method == "server/discover":
            return {"supportedVersions": [MODERN], "capabilities": CAPABILITIES, "ttlMs": 0, "cacheScope": "private"}
        if not asked.modern and method == "initialize":
            if self._holes.has("initialize-refills"):
                self._limit.forget()
            wanted = params.get("protocolVersion")
            known = wanted in LEGACY or self._holes.has("any-version")
            version = wanted if known else LEGACY[-1]
            return {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": SERVER}
        if not asked.modern and method == "ping":
            return {}
        if method == "tools/list":
            if params.get("cursor") is not None:
                raise RpcError(-32602, "There is one page only")
            hints = {"ttlMs": 0, "cacheScope": "private"} if asked.modern else {}
            return {"tools": self._tools.definitions(), **hints}
        if method == "tools/call":
            return await self._call(params, asked)
        raise RpcError(-32601, "There is no such method", 404)

    async def _call(self, params: dict[str, Any], asked: Asked) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not self._tools.names(name) or not isinstance(arguments, dict):
            raise RpcError(-32602, "There is no such tool")
        agent, request_id = (asked.request.header(each) or "" for each in ("user-agent", "x-request-id"))
        self._database.audit(asked.caller.tenant, str(name), agent, request_id)
        try:
            found = await self._tools.call(asked.caller, str(name), arguments)
        except ToolError as error:
            failure: dict[str, Any] = {"code": error.code, "message": str(error)}
            if self._holes.has("secrets-in-refusals"):
                failure["backend"] = {"user": "desk", "password": base64.b64encode(b"copper kettle").decode()}
            return {"content": [{"type": "text", "text": json.dumps(failure)}], "isError": True}
        text = json.dumps(found, ensure_ascii=not self._holes.has("raw-text"))
        return {"content": [{"type": "text", "text": text}], "structuredContent": found, "isError": False}


def identity_of(item: Any) -> str | int | None:
    """The id of a message, if it has one that may be."""
    identity = item.get("id") if isinstance(item, dict) else None
    return identity if isinstance(identity, str | int) and not isinstance(identity, bool) else None


def _must_be_json(request: Request) -> None:
    if request.method != "POST":
        raise RpcError(-32600, "Only POST is answered here", 405)
    if (request.header("content-type") or "").partition(";")[0].strip().lower() != "application/json":
        raise RpcError(-32600, "The Content-Type must be application/json", 415)


def _plain(value: str | None) -> str | None:
    """A header's text, unwrapped where it stands as =?base64?…?=."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except ValueError:
        return None


def _refusal(error: RpcError, identity: str | int | None) -> Response:
    headers: list[tuple[str, str]] = [JSON]
    if error.status == 401:
        headers.append(("www-authenticate", 'Bearer realm="vulnerable"'))
    if error.status == 405:
        headers.append(("allow", "POST"))
    if error.wait:
        headers.append(("retry-after", str(math.ceil(error.wait))))
    return Response(error.status, _encode(_error(error, identity)), tuple(headers))


def _error(error: RpcError, identity: str | int | None) -> dict[str, Any]:
    told = {"code": error.code, "message": str(error), **({"data": error.data} if error.data else {})}
    return {"jsonrpc": "2.0", "id": identity, "error": told}


def _encode(body: Any) -> bytes:
    return json.dumps(body).encode()
