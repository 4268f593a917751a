"""Where a request ends is never in doubt: what a proxy would read as one is not two to the server, or it is refused."""

import secrets
from urllib.parse import urlsplit

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.probe import Effect, probe
from security.probe.protocol.shapes import SHAPES, Shape
from security.probe.site import Site
from security.probe.wire import RawAnswer, head, opened, read_all

QUIET_SECONDS = 0.7
LAST = "Connection: close\r\n"
"""What makes a good server close at once: nothing more need be waited for."""


# It stresses, and alone: behind a proxy with the hole, the second request may be answered to somebody else.
@probe(
    "protocol.framing",
    "Requests whose end is in doubt are refused",
    "A06:2025",
    "A10:2025",
    effect=Effect.STRESSES,
    alone=True,
)
def framing(check: OpenCheck, site: Site) -> None:
    """Send each shape with a second request in or behind it; that must not be answered."""
    if not _answers_two(site):
        raise Inconclusive("two good requests on one connection are not both answered: nothing would show")
    for what, shape in SHAPES.items():
        answer = _send(site, shape)
        check.examined += 1
        if len(answer.statuses) > (2 if shape.clear else 1):
            told = ", ".join(map(str, answer.statuses))
            message = f"a request with {what} is followed by another that was inside it (HTTP {told})"
            check.find("smuggled-request", message, key=what, references=("CWE-444",))
        elif not shape.clear and not answer.closed and answer.statuses and answer.statuses[0] < 400:
            message = f"a request with {what} is answered with HTTP {answer.status}, and its connection kept"
            check.find("ambiguous-request", message, key=what, references=("CWE-444",))


def _second(site: Site, more: str = "") -> bytes:
    return f"GET /{secrets.token_hex(4)} HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\n{more}\r\n".encode()


def _send(site: Site, shape: Shape) -> RawAnswer:
    """What comes back for the shape; a clear one may be taken in, so that a last request ends its connection."""
    last = _second(site, LAST) if shape.clear else b""
    with opened(site) as connection:
        connection.sendall(shape.request(site, _second(site)) + last)
        return read_all(connection, QUIET_SECONDS)


def _answers_two(site: Site) -> bool:
    with opened(site) as connection:
        connection.sendall(head(site, {"Content-Length": "0"}) + _second(site, LAST))
        return len(read_all(connection, QUIET_SECONDS).statuses) == 2
