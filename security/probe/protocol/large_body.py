"""A body that is too large is refused before it has cost much."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from harness.client import Client
from harness.client.errors import NoAnswerError
from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from security.probe.limits.line import Line
from security.probe.messages import LIST, body, is_answered, require_answered, send
from security.probe.probe import Effect, probe
from security.probe.site import Site
from security.probe.wire import head, opened, read_all

BYTES = 8 * 1024 * 1024
CHUNK = 64 * 1024
DECLARED = 10**12
REFUSAL_SECONDS = 6.0
"""Servers read on for a while, so that the client hears the refusal."""


@probe(
    "protocol.large-body",
    "Bodies of any size do not reach the server's memory",
    "API4:2023",
    "A06:2025",
    effect=Effect.STRESSES,
)
def large_body(check: OpenCheck, site: Site) -> None:
    """Send 8 MiB of padding in a good request, with its length and in chunks without one, and announce a terabyte."""
    with site.connect() as client:
        require_answered(site, client)
        message = body(client, params={"padding": "x" * BYTES})
        check.examined += 3
        if _is_taken(client, message):
            check.find("large-body", f"a request of {BYTES} bytes is taken in", references=("CWE-770",))
        if _is_taken_in_chunks(site, client, message):
            text = f"a request of {BYTES} bytes is taken in where it comes in chunks, without its length"
            check.find("large-chunked-body", text, references=("CWE-770",))
        if _is_waited_for(site):
            message_text = f"a body of {DECLARED} bytes is waited for, although its length is announced"
            check.find("announced-length", message_text, references=("CWE-770",))
        require_answered(site, client)


def _is_taken(client: Client, message: Mapping[str, Any]) -> bool:
    try:
        return is_answered(send(client, message))
    except NoAnswerError:
        return False  # cut off


def _is_taken_in_chunks(site: Site, client: Client, message: Mapping[str, Any]) -> bool:
    content = json.dumps(message).encode()
    usual = {name: value for name, value in client.headers(LIST, {}).items() if value}
    pieces = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    with Line(site) as line:
        try:
            line.send(head(site, {**usual, "Transfer-Encoding": "chunked"}) + chunks + b"0\r\n\r\n")
            response = line.receive()
        except (NoAnswerError, TimeoutError):
            return False  # cut off, or not read
    return is_answered(HttpAnswer(response.status, httpx.Headers(response.headers), response.body, 0.0))


def _is_waited_for(site: Site) -> bool:
    """Whether a body announced as enormous is neither refused nor cut off."""
    with opened(site) as connection:
        connection.sendall(head(site, {"Content-Length": str(DECLARED)}))
        answer = read_all(connection, REFUSAL_SECONDS)
    return not answer.closed and answer.status is None
