"""Where a request ends is never in doubt: what a proxy would read as one is not two to the server, or it is refused."""

import secrets
from urllib.parse import urlsplit

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.probe import Effect, probe
from security.probe.site import Site
from security.probe.wire import RawAnswer, head, opened, read_all

QUIET_SECONDS = 0.7
CHUNKED = "Transfer-Encoding: chunked"
# Source: RFC 9112, 6.3 and 11.2: each of these leaves the end of the first request in doubt, so that it must be refused
# or be the last of its connection. {inner} is the length of the second request.
SHAPES = {
    "a length and chunks": (("Content-Length: {inner}", CHUNKED), b"0\r\n\r\n"),
    "chunks and a length": ((CHUNKED, "Content-Length: {inner}"), b"0\r\n\r\n"),
    "two lengths": (("Content-Length: 0", "Content-Length: {inner}"), b""),
    "two lengths in one header": (("Content-Length: 0, {inner}",), b""),
    "a length with a sign": (("Content-Length: +0",), b""),
    "a length in hexadecimal": (("Content-Length: 0x0",), b""),
    "a length with a blank inside": (("Content-Length: 0 0",), b""),
    "a negative length": (("Content-Length: -1",), b""),
    "a blank before the colon": (("Content-Length : 0", "Content-Length: {inner}"), b""),
    "an unknown coding": (("Transfer-Encoding: xchunked", "Content-Length: 0"), b""),
    "chunked, then identity": (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n"),
    "chunked twice": (("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), b"0\r\n\r\n"),
    "a folded coding": (("Transfer-Encoding:\r\n chunked", "Content-Length: {inner}"), b"0\r\n\r\n"),
    "a coding after a tab": (("Transfer-Encoding:\x0bchunked", "Content-Length: 0"), b""),
    "a chunk's size with a sign": ((CHUNKED,), b"+0\r\n\r\n"),
    "a chunk's size in hexadecimal": ((CHUNKED,), b"0x0\r\n\r\n"),
    "a chunk's size that overflows": ((CHUNKED,), b"10000000000000000\r\n\r\n"),
    "a chunk ended by a line feed alone": ((CHUNKED,), b"0\n\n"),
    "a chunk with more than its size": ((CHUNKED,), b"1\r\nab\r\n0\r\n\r\n"),
    "a header line without a colon": (("Content-Length 0",), b""),
    "a carriage return inside a header": (("X-A: b\rContent-Length: 0",), b""),
    "a NUL inside a header": (("X-A: b\0c", "Content-Length: 0"), b""),
}


# It stresses: behind a proxy with the hole, the second request may be answered to somebody else.
@probe(
    "protocol.framing",
    "Requests whose end is in doubt are refused",
    "A06:2025",
    "A10:2025",
    effect=Effect.STRESSES,
)
def framing(check: OpenCheck, site: Site) -> None:
    """Send each shape with a second request behind it; that must not be answered."""
    if not _answers_two(site):
        raise Inconclusive("two good requests on one connection are not both answered: nothing would show")
    for what, (headers, end) in SHAPES.items():
        answer = _send(site, headers, end)
        check.examined += 1
        if len(answer.statuses) > 1:
            told = ", ".join(map(str, answer.statuses))
            message = f"a request with {what} is followed by another that was inside it (HTTP {told})"
            check.find("smuggled-request", message, key=what, references=("CWE-444",))
        elif not answer.closed and answer.statuses and answer.statuses[0] < 400:
            message = f"a request with {what} is answered with HTTP {answer.status}, and its connection kept"
            check.find("ambiguous-request", message, key=what, references=("CWE-444",))


def _second(site: Site) -> bytes:
    return f"GET /{secrets.token_hex(4)} HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\n\r\n".encode()


def _send(site: Site, headers: tuple[str, ...], end: bytes) -> RawAnswer:
    second = _second(site)
    usual = head(site, {}).removesuffix(b"\r\n")
    lines = "".join(f"{line}\r\n" for line in headers).replace("{inner}", str(len(second) + len(end)))
    with opened(site) as connection:
        connection.sendall(usual + lines.encode("latin-1") + b"\r\n" + end + second)
        return read_all(connection, QUIET_SECONDS)


def _answers_two(site: Site) -> bool:
    with opened(site) as connection:
        connection.sendall(head(site, {"Content-Length": "0"}) + _second(site))
        return len(read_all(connection, QUIET_SECONDS).statuses) == 2
