"""A connection to an MCP server: the era is settled once, then requests are sent one by one."""

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

from harness.client import wire
from harness.client.errors import ClientError, HttpStatusError, ProtocolError, RpcError
from harness.client.transport import HttpAnswer, Transport, is_json, parse_json, status_error

AUTO = "auto"
SESSION_HEADER = "Mcp-Session-Id"


class Client:
    """A connected client; `connect` makes it. Close it, or use it as a context manager.

    `version` is the revision agreed on, `server` the server's name and version as it gives them (may be empty),
    `capabilities` what it says it can do, `instructions` what it tells the model of itself.
    """

    def __init__(self, transport: Transport) -> None:
        self.version: str | None = None
        self.server: Mapping[str, Any] = {}
        self.capabilities: Mapping[str, Any] = {}
        self.instructions = ""
        self._transport = transport
        self._session_id: str | None = None
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The endpoint."""
        return self._transport.url

    @property
    def release(self) -> str | None:
        """The version that the server gives for itself."""
        version = self.server.get("version")
        return None if version is None else str(version)

    @property
    def session_id(self) -> str | None:
        """The id of the session that the server opened; None where it opened none."""
        return self._session_id

    def list_tools(self) -> list[dict[str, Any]]:
        """Return every tool's definition as the server gives it, all pages."""
        return list(self._pages("tools/list", "tools"))

    def list_definitions(self) -> dict[str, list[dict[str, Any]]]:
        """Return all that the server offers, by kind: its tools, and prompts, resources and templates if it has any."""
        offered = {"tools": self.list_tools()}
        if "prompts" in self.capabilities:
            offered["prompts"] = list(self._pages("prompts/list", "prompts"))
        if "resources" in self.capabilities:
            offered["resources"] = list(self._pages("resources/list", "resources"))
            offered["resourceTemplates"] = list(self._pages("resources/templates/list", "resourceTemplates"))
        return offered

    def call_tool(
        self, name: str, arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str | None] | None = None
    ) -> wire.ToolOutcome:
        """Return what the call came to; a tool's own error is an outcome, not an exception. `headers` as of `request`.

        Raises RpcError when the server refuses the call itself, and ClientError's others when no answer comes.
        """
        params = {"name": name, "arguments": dict(arguments or {})}
        return wire.read_tool_outcome(self.request("tools/call", params, headers))

    def request(
        self, method: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str | None] | None = None
    ) -> wire.Answer:
        """Send one request and return its answer, without any retry. Raises ClientError's kinds.

        `headers` are added to those that the protocol asks for, or replace them; None leaves one out.
        """
        params = params or {}
        request_id = next(self._ids)
        body = json.dumps(wire.envelope(method, params, self.version, request_id)).encode()
        sent = {**self.headers(method, params), **(headers or {})}
        answer = self._transport.send(body, sent, awaited_id=request_id)
        if not is_json(answer) or (answer.status >= 400 and not answer.body):
            raise status_error(self.url, answer)
        try:
            message = parse_json(answer.body)
            read = wire.read_answer(
                message, status=answer.status, headers=answer.headers, seconds=answer.seconds, request_id=request_id
            )
        except ProtocolError:
            if answer.status >= 400:
                raise status_error(self.url, answer) from None
            raise
        if method == "initialize":
            self._session_id = answer.headers.get(SESSION_HEADER)
        return read

    def notify(self, method: str) -> None:
        """Send a notification. Raises HttpStatusError when the server does not accept it."""
        body = json.dumps(wire.envelope(method, {}, self.version, None)).encode()
        answer = self._transport.send(body, self.headers(method, {}))
        if answer.status >= 300:
            raise status_error(self.url, answer)

    def post(self, content: bytes, headers: Mapping[str, str | None] | None = None) -> HttpAnswer:
        """Send any bytes and return the response whatever it is.

        The usual Accept, Content-Type and Authorization are sent; `headers` replaces them, None leaves one out.
        """
        return self._transport.send(content, headers or {})

    def headers(self, method: str, params: Mapping[str, Any]) -> dict[str, str | None]:
        """What the revision asks for beside content type and authorization, and the session if there is one."""
        session = {SESSION_HEADER: self._session_id} if self._session_id else {}
        return {**wire.protocol_headers(method, params, self.version), **session}

    def close(self) -> None:
        """End the server's session, when it gave one, and close the connections."""
        if self._session_id:
            with contextlib.suppress(ClientError):
                self._transport.send(b"", self.headers("", {}), method="DELETE")
        self._transport.close()

    def discover(self, version: str) -> None:
        """Settle on a modern version. Raises ProtocolError when the server does not list it."""
        self.version = version
        result = self.request("server/discover").result
        if version not in (supported := result.get("supportedVersions") or ()):
            raise ProtocolError(f"{self.url} does not speak {version}, only {', '.join(map(str, supported))}")
        self.capabilities = result.get("capabilities") or {}
        self.instructions = str(result.get("instructions") or "")
        self.server = (result.get("_meta") or {}).get(f"{wire.META}serverInfo") or {}

    def initialize(self, version: str, *, exactly: bool) -> None:
        """Settle on a legacy version, the one given or, unless `exactly`, the one that the server offers instead."""
        self.version = None
        params = {
            "protocolVersion": version,
            "capabilities": wire.CLIENT_CAPABILITIES,
            "clientInfo": wire.CLIENT_INFO,
        }
        result = self.request("initialize", params).result
        offered = result.get("protocolVersion")
        if offered not in wire.LEGACY_VERSIONS or (exactly and offered != version):
            raise ProtocolError(f"{self.url} does not speak {version}, it offers {offered!r}")
        self.version = offered
        self.capabilities = result.get("capabilities") or {}
        self.instructions = str(result.get("instructions") or "")
        self.server = result.get("serverInfo") or {}
        self.notify("notifications/initialized")

    def _pages(self, method: str, key: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            result = self.request(method, {"cursor": cursor} if cursor else None).result
            items = result.get(key)
            if not isinstance(items, list):
                raise ProtocolError(f"{self.url}: {method} answered without a list of {key}")
            yield from items
            following = result.get("nextCursor")
            if not following:
                return
            if following == cursor:
                raise ProtocolError(f"{self.url}: {method} gives the same cursor again")
            cursor = following


def connect(url: str, token: str | None = None, *, version: str = AUTO, timeout_seconds: float = 30.0) -> Client:
    """Return a client connected to the endpoint, in the revision asked for.

    "auto" tries the newest revision and falls back to the `initialize` handshake, as the 2026-07-28 revision tells
    clients of both eras to. Raises ClientError's kinds when the server cannot be reached, refuses the token, or does
    not speak the revision, and ValueError for a revision that is none.
    """
    if version not in {AUTO, *wire.VERSIONS}:
        raise ValueError(f"version must be auto or one of {', '.join(wire.VERSIONS)}, not {version}")
    client = Client(Transport(url, token, timeout_seconds))
    try:
        if version == AUTO:
            _negotiate(client)
        elif version in wire.MODERN_VERSIONS:
            client.discover(version)
        else:
            client.initialize(version, exactly=True)
    except BaseException:
        client.close()
        raise
    return client


def _negotiate(client: Client) -> None:
    try:
        client.discover(wire.LATEST_MODERN)
    except (RpcError, HttpStatusError) as error:
        # A refused token, a used-up limit or a broken server says nothing about the era.
        if error.status in {401, 403, 429} or error.status >= 500:
            raise
    except ProtocolError:
        pass
    else:
        return
    client.initialize(wire.LATEST_LEGACY, exactly=False)
