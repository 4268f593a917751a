"""Requests whose end two readers may see in different places, each with a second request where one of them begins it.

Sources: RFC 9112, 6.1, 6.3, 7.1 and 11.2; RFC 9110, 10.1.1 (Expect); the published work on desynchronisation (CL.TE,
TE.CL, TE.TE, CL.0, line feeds in chunks): which of two framings the first and the second reader go by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from security.probe.site import Site
from security.probe.wire import head

Body = Callable[[bytes], bytes]
"""What follows the head, made of the second request."""


def _alone(second: bytes) -> bytes:
    """The second request follows the head."""
    return second


def _after(end: bytes) -> Body:
    """The second request follows this end of the first."""
    return lambda second: end + second


def _in_chunk(second: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """The second request is what a chunk holds."""
    return b"%x\r\n%s\r\n%s" % (len(second), second, end)


def _in_chunk_after_end(second: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """The chunk holds what would be the end of chunks, and then the second request."""
    return _in_chunk(b"0\r\n\r\n" + second, end)


@dataclass(frozen=True)
class Shape:
    """One shape. In `lines`, {all} is the body's length and {line} that of its first line.

    `clear`: its end is not in doubt, and the second request is inside it: it may be taken in, but never for two.
    """

    lines: tuple[str, ...]
    body: Body = _alone
    method: str = "POST"
    clear: bool = False

    def request(self, site: Site, second: bytes) -> bytes:
        """The whole of it, as it goes to the site."""
        body = self.body(second)
        lines = "".join(f"{line}\r\n" for line in self.lines)
        lines = lines.replace("{all}", str(len(body))).replace("{line}", str(body.find(b"\n") + 1))
        usual = head(site, {}, method=self.method).removesuffix(b"\r\n")
        return usual + lines.encode("latin-1") + b"\r\n" + body


CHUNKED = "Transfer-Encoding: chunked"
END = _after(b"0\r\n\r\n")
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "a length and chunks": Shape(("Content-Length: {all}", CHUNKED), END),
        "chunks and a length": Shape((CHUNKED, "Content-Length: {all}"), END),
        "a short length and chunks": Shape(("Content-Length: {line}", CHUNKED), _in_chunk),
        "chunks and a short length": Shape((CHUNKED, "Content-Length: {line}"), _in_chunk),
        "two lengths": Shape(("Content-Length: 0", "Content-Length: {all}")),
        "two lengths in one header": Shape(("Content-Length: 0, {all}",)),
        "a length with a sign": Shape(("Content-Length: +0",)),
        "a length in hexadecimal": Shape(("Content-Length: 0x0",)),
        "a length with a blank inside": Shape(("Content-Length: 0 0",)),
        "a negative length": Shape(("Content-Length: -1",)),
        "a blank before the colon": Shape(("Content-Length : 0", "Content-Length: {all}")),
        "an unknown coding": Shape(("Transfer-Encoding: xchunked", "Content-Length: 0")),
        "an unknown coding and a length": Shape(("Transfer-Encoding: xchunked", "Content-Length: {all}"), END),
        "an unknown coding and a short length": Shape(
            ("Transfer-Encoding: xchunked", "Content-Length: {line}"), _in_chunk
        ),
        "a coding in quotes and a short length": Shape(
            ('Transfer-Encoding: "chunked"', "Content-Length: {line}"), _in_chunk
        ),
        "a blank before the coding's colon": Shape(("Transfer-Encoding : chunked", "Content-Length: {all}"), END),
        "a blank before the coding's colon and a short length": Shape(
            ("Transfer-Encoding : chunked", "Content-Length: {line}"), _in_chunk
        ),
        "a coding after a line feed alone": Shape((f"X-A: b\n{CHUNKED}", "Content-Length: {all}"), END),
        "chunked, then identity": Shape(("Transfer-Encoding: chunked, identity",), END),
        "chunked twice": Shape(("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), END),
        "a folded coding": Shape(("Transfer-Encoding:\r\n chunked", "Content-Length: {all}"), END),
        "a coding after a tab": Shape(("Transfer-Encoding:\x0bchunked", "Content-Length: 0")),
        "a chunk's size with a sign": Shape((CHUNKED,), _after(b"+0\r\n\r\n")),
        "a chunk's size in hexadecimal": Shape((CHUNKED,), _after(b"0x0\r\n\r\n")),
        "a chunk's size that overflows": Shape((CHUNKED,), _after(b"10000000000000000\r\n\r\n")),
        "a chunk ended by a line feed alone": Shape((CHUNKED,), _after(b"0\n\n")),
        "a chunk's extension ended by a line feed alone": Shape((CHUNKED,), _after(b"0;a\n\r\n")),
        "a chunk with more than its size": Shape((CHUNKED,), _after(b"1\r\nab\r\n0\r\n\r\n")),
        "a header line without a colon": Shape(("Content-Length 0",)),
        "a carriage return inside a header": Shape(("X-A: b\rContent-Length: 0",)),
        "a NUL inside a header": Shape(("X-A: b\0c", "Content-Length: 0")),
        "a body that looks like a request": Shape(("Content-Length: {all}",), clear=True),
        "a body to GET": Shape(("Content-Length: {all}",), method="GET", clear=True),
        "an expectation, and a body that does not wait": Shape(
            ("Expect: 100-continue", "Content-Length: {all}"), clear=True
        ),
        "an expectation at GET, and a body": Shape(
            ("Expect: 100-continue", "Content-Length: {all}"), method="GET", clear=True
        ),
        "a chunk that holds an end of chunks": Shape((CHUNKED,), _in_chunk_after_end, clear=True),
        "a coding in a trailer": Shape(
            (CHUNKED,),
            lambda second: _in_chunk_after_end(second, f"0\r\n{CHUNKED}\r\n\r\n".encode()),
            clear=True,
        ),
    }
)
