"""HTTP/1.1 on a connection: strict framing, bounded in size and time, unless a hole says otherwise."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.vulnerable.holes import OpenHoles

HEAD_BYTES = 64 * 1024
IDLE_SECONDS = 30.0
DRAIN_SECONDS = 1.0
DRAIN_BYTES = 16 * 1024 * 1024
HEAD_END = re.compile(rb"\r?\n\r?\n")
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\x00")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
TARGET = re.compile(r"/[\x21-\x7e]*|\*")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class RefusedError(Exception):
    """What arrived is no request that may be answered; the connection ends after `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """One request. Header names are lower case. `alone` is false where it arrived together with the one before it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    peer: str = ""
    connection: int = 0
    alone: bool = True
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The value of the last header of this name."""
        return next((value for each, value in reversed(self.headers) if each == name), None)

    def all(self, name: str) -> list[str]:
        """The values of every header of this name."""
        return [value for each, value in self.headers if each == name]


@dataclass(frozen=True)
class Response:
    """One response; its length and connection are the wire's to tell."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Bounds:
    """What a request may take: seconds and bytes."""

    head_seconds: float
    body_seconds: float
    body_bytes: int


class Wire:
    """Serves connections: `answer` answers a request, `refuse` words what is none."""

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Response]],
        refuse: Callable[[int, str], Response],
        bounds: Bounds,
        holes: OpenHoles,
    ) -> None:
        self._answer = answer
        self._refuse = refuse
        self._bounds = bounds
        self._holes = holes
        self._numbers = itertools.count(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other, until either side ends it."""
        incoming = Incoming(reader)
        peer, number = str(writer.get_extra_info("peername")[0]), next(self._numbers)
        with contextlib.suppress(EOFError, OSError):
            try:
                while request := await self._read(incoming, peer, number):
                    response = await self._answer(request)
                    close = (request.header("connection") or "").lower() == "close"
                    await _write(writer, response, close=close, bodiless=request.method == "HEAD")
                    if close:
                        break
            except RefusedError as refused:
                await _write(writer, self._refuse(refused.status, str(refused)), close=True, bodiless=False)
                await _drain(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _read(self, incoming: "Incoming", peer: str, number: int) -> Request | None:
        """The next request; None where the client leaves the connection unused. Raises RefusedError."""
        endless = self._holes.has("no-body-timeout")
        reads = incoming.reads
        try:
            async with asyncio.timeout(None if endless else IDLE_SECONDS if reads else self._bounds.head_seconds):
                await incoming.some()
        except TimeoutError:
            return None
        async with _within(None if endless else self._bounds.head_seconds):
            head = await self._head(incoming)
        request = _parse(head, lax=self._holes.has("lax-framing"))
        alone = incoming.reads != reads
        async with _within(None if endless else self._bounds.body_seconds):
            body = await self._body(request, incoming)
        return Request(request.method, request.target, request.headers, peer, number, alone, body)

    async def _head(self, incoming: "Incoming") -> bytes:
        lax = self._holes.has("lax-framing")
        while True:
            found = HEAD_END.search(incoming.data)
            head = bytes(incoming.data[: found.end()] if found else incoming.data.rstrip(b"\r\n"))
            if not lax and BARE.search(head):
                raise RefusedError(400, "Lines must end with CRLF")
            if len(head) > HEAD_BYTES:
                raise RefusedError(431, "The head is too large")
            if found:
                return await incoming.exactly(len(head))
            await incoming.more()

    async def _body(self, request: Request, incoming: "Incoming") -> bytes:
        encodings, lengths = request.all("transfer-encoding"), request.all("content-length")
        if self._holes.has("lax-framing"):
            if any("chunked" in each.lower() for each in encodings):
                return await self._chunks(incoming)
            digits = re.search(r"\d+", lengths[-1] if lengths else "0")
            return await incoming.exactly(int(digits[0]) if digits else 0)
        if self._holes.has("unknown-coding"):
            encodings = [each for each in encodings if each.lower() == "chunked"]
        if request.method == "GET" and self._holes.has("bodiless-get"):
            return b""
        if encodings:
            if lengths or [each.lower() for each in encodings] != ["chunked"]:
                raise RefusedError(400, "The length of the body is not clear")
            return await self._chunks(incoming)
        if not lengths:
            return b""
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,12}", lengths[0]):
            raise RefusedError(400, "The length of the body is not clear")
        self._bound(int(lengths[0]))
        return await incoming.exactly(int(lengths[0]))

    async def _chunks(self, incoming: "Incoming") -> bytes:
        lax, body = self._holes.has("lax-framing"), b""
        while True:
            line = await incoming.line()
            size = line.removesuffix(b"\r\n")
            if lax:
                size = re.sub(rb"[^0-9A-Fa-f]", b"", line.partition(b";")[0].replace(b"0x", b"")) or b"0"
            if not CHUNK_SIZE.fullmatch(size):
                raise RefusedError(400, "That is no chunk")
            if not self._holes.has("chunks-unbounded"):
                self._bound(len(body) + int(size, 16))
            body += await incoming.exactly(int(size, 16))
            end = await incoming.line()
            if not lax and end != b"\r\n":
                raise RefusedError(400, "That is no chunk")
            if not int(size, 16):
                return body

    def _bound(self, size: int) -> None:
        if size > self._bounds.body_bytes and not self._holes.has("no-body-limit"):
            raise RefusedError(413, f"The body is larger than {self._bounds.body_bytes} bytes")


@dataclass
class Incoming:
    """The bytes of a connection, and how often it was read. What waits for more raises EOFError where none comes."""

    reader: asyncio.StreamReader
    data: bytearray = field(default_factory=bytearray)
    reads: int = 0

    async def more(self) -> None:
        chunk = await self.reader.read(65536)
        if not chunk:
            raise EOFError
        self.data += chunk
        self.reads += 1

    async def some(self) -> None:
        if not self.data:
            await self.more()

    async def exactly(self, size: int) -> bytes:
        while len(self.data) < size:
            await self.more()
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    async def line(self) -> bytes:
        while (end := self.data.find(b"\n")) < 0:
            if len(self.data) > HEAD_BYTES:
                raise RefusedError(400, "That line is too long")
            await self.more()
        return await self.exactly(end + 1)


@contextlib.asynccontextmanager
async def _within(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RefusedError(408, "The request did not arrive in time") from None


def _parse(head: bytes, *, lax: bool) -> Request:
    first, *lines = re.split(r"\r?\n", head.decode("latin-1").rstrip("\r\n"))
    parts = first.split(" ")
    if len(parts) != 3 or not TOKEN.fullmatch(parts[0]) or not TARGET.fullmatch(parts[1]):
        raise RefusedError(400, "That is no request line")
    if parts[2] != "HTTP/1.1" and not lax:
        raise RefusedError(505, "Only HTTP/1.1 is spoken here")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if lax:
            name = name.strip()
        elif not colon or not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
            raise RefusedError(400, "That is no header")
        headers.append((name.lower(), value))
    return Request(parts[0], parts[1], tuple(headers))


async def _write(writer: asyncio.StreamWriter, response: Response, *, close: bool, bodiless: bool) -> None:
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines += [f"content-length: {len(response.body)}", *(["connection: close"] if close else []), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1") + (b"" if bodiless else response.body))
    await writer.drain()


async def _drain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read some of what nobody wants: closed on it, a connection is reset before the client has read the refusal."""
    if writer.can_write_eof():
        writer.write_eof()
    drained = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while drained < DRAIN_BYTES and (chunk := await reader.read(65536)):
                drained += len(chunk)
