"""Requests made by hand in a client's conversation, and whether the server has answered them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.client import Client, ClientError
from harness.client.errors import HttpStatusError, ProtocolError, RpcError
from harness.client.transport import EVENT_STREAM, HttpAnswer, events, parse_json
from harness.client.wire import envelope
from harness.errors import Inconclusive
from security.probe.patience import patiently
from security.probe.site import Site

LIST = "tools/list"
"""What every server with tools answers, and what changes nothing."""


def connect_in(site: Site, version: str) -> Client | None:
    """A client of the owner's in this revision, None where the server does not speak it.

    Raises ClientError where it gives no answer or one that tells nothing of the revision.
    """
    try:
        return site.connect(version=version)
    except ProtocolError:
        return None
    except (RpcError, HttpStatusError) as error:
        if error.status in {401, 403} or error.status >= 500:
            raise
        return None


def body(client: Client, method: str = LIST, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A request of the client's revision, to be spoilt."""
    return envelope(method, params or {}, client.version, 1)


def send(
    client: Client,
    content: bytes | Mapping[str, Any],
    headers: Mapping[str, str | None] | None = None,
    *,
    method: str = LIST,
    params: Mapping[str, Any] | None = None,
) -> HttpAnswer:
    """POST it as a request of this method would be posted; `headers` replaces what that has.

    Raises NoAnswerError, and Inconclusive where the server's limit does not let it through.
    """
    given = content if isinstance(content, bytes) else json.dumps(content).encode()
    return patiently(lambda: client.post(given, {**client.headers(method, params or {}), **(headers or {})}))


def is_answered(answer: HttpAnswer) -> bool:
    """Whether it is a JSON-RPC result: the request was taken as good."""
    if answer.status != 200:
        return False
    try:
        return any(isinstance(message, dict) and "result" in message for message in _messages(answer))
    except ProtocolError:
        return False


def require_answered(site: Site, client: Client) -> None:
    """Raise Inconclusive unless the request that is about to be spoilt is answered as it should be."""
    try:
        answer = send(client, body(client))
    except ClientError as error:
        raise Inconclusive(f"a request as it should be got no answer: {error}") from error
    if not is_answered(answer):
        raise Inconclusive(f"a request as it should be was refused with HTTP {answer.status} by {site.url}")


def _messages(answer: HttpAnswer) -> Iterator[Any]:
    if str(answer.headers.get("content-type", "")).startswith(EVENT_STREAM):
        for data in events(iter([answer.body])):
            yield parse_json(data)
        return
    message = parse_json(answer.body)
    yield from message if isinstance(message, list) else [message]
