"""An MCP client's first steps on a bare connection, and the one request that it will then repeat."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perf.errors import PerfError
from perf.peers.plan import Call
from perf.peers.wire import Response, exchange, request

PATH = "/mcp"
FIRST_ID = 100_000_000
"""Ids of one length, so that requests and responses are, too."""


class UnexpectedAnswerError(PerfError):
    """An answer is not the one that the call must have."""


@dataclass(frozen=True)
class Repeated:
    """A call's request and the body of its answer, each in the two halves around the request's id.

    `body` is what follows the response's head on the wire, chunk sizes included.
    """

    request: tuple[bytes, bytes]
    body: tuple[bytes, bytes]
    size: int


def open_session(connection: socket.socket, authority: str, token: str | None, version: str) -> dict[str, str]:
    """Initialize as a client of the revision does; return the headers of every further request.

    A server that keeps sessions names one in its answer, and the client repeats that name; others do not.
    """
    headers = {
        "Host": authority,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    client = {"capabilities": {}, "clientInfo": {"name": "perf-peers", "version": "1"}}
    params = {"protocolVersion": version, **client}
    answer = exchange(connection, _post(headers, {"id": 1, "method": "initialize", "params": params}))
    agreed = _message(answer).get("result", {}).get("protocolVersion")
    if agreed != version:
        raise UnexpectedAnswerError(f"the server offers revision {agreed}, not {version}: {_excerpt(answer)}")
    headers["MCP-Protocol-Version"] = version
    if session := answer.headers.get("mcp-session-id"):
        headers["Mcp-Session-Id"] = session
    answer = exchange(connection, _post(headers, {"method": "notifications/initialized"}))
    if answer.status not in {200, 202}:
        raise UnexpectedAnswerError(f"the server refuses the initialized notification: {_excerpt(answer)}")
    return headers


def close_session(connection: socket.socket, headers: Mapping[str, str]) -> None:
    """End the session, where the server keeps one."""
    if "Mcp-Session-Id" in headers:
        exchange(connection, request("DELETE", PATH, headers))


def rehearse(connection: socket.socket, headers: Mapping[str, str], call: Call) -> Repeated:
    """Make the call once, decode its answer, and return what to repeat. Raises UnexpectedAnswerError."""
    sent = _post(headers, {"id": FIRST_ID, "method": call.method, "params": call.params})
    answer = exchange(connection, sent)
    message = _message(answer)
    if answer.status != 200 or "result" not in message or not call.holds(message["result"]):
        name = call.params.get("name", call.method)
        raise UnexpectedAnswerError(f"{name} does not answer what it must: {_excerpt(answer)}")
    identity = str(FIRST_ID).encode()
    before, after = _halves(sent, identity)
    return Repeated((before, after), _halves(answer.raw_body, identity), len(answer.raw_body))


def _post(headers: Mapping[str, str], message: Mapping[str, Any]) -> bytes:
    return request("POST", PATH, headers, json.dumps({"jsonrpc": "2.0", **message}).encode())


def _message(answer: Response) -> dict[str, Any]:
    """The JSON-RPC message of an answer: its body, or the first server-sent event's data."""
    body = answer.body
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        lines = body.splitlines()
        body = next((line.removeprefix(b"data:") for line in lines if line.startswith(b"data:")), b"")
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise UnexpectedAnswerError(f"the answer is no JSON-RPC message: {_excerpt(answer)}")
    return message


def _halves(text: bytes, identity: bytes) -> tuple[bytes, bytes]:
    before, found, after = text.partition(identity)
    if not found or identity in after:
        raise UnexpectedAnswerError(f"the id does not stand exactly once in {text[:200]!r}")
    return before, after


def _excerpt(answer: Response) -> str:
    return f"HTTP {answer.status} {answer.body[:200].decode(errors='replace')}"
