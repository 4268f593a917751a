"""A reverse proxy before the vulnerable server: all its clients take turns on one connection to that.

Without a hole it refuses what is in doubt, and words anew what it forwards. With one it finds the end of a request
elsewhere than the server behind it does, which BEHIND makes as lenient as servers are that this happened to.
"""

import asyncio
from collections.abc import Mapping

from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.wire import CHUNK_SIZE, Incoming, RefusedError, Request, Response, Wire

BEHIND: Mapping[str, str] = {
    "proxy-by-length": "lax-framing",
    "proxy-by-chunks": "unknown-coding",
    "proxy-keeps-coding": "lax-framing",
}
"""The hole of the server behind the proxy that each hole of the proxy's needs, to be one."""
FORWARD_SECONDS = 10.0


class Front(Wire):
    """Reads requests as strictly as the server does, but for where the proxy's holes see the end of their bodies."""

    async def _body(self, request: Request, incoming: Incoming) -> bytes:
        if _is_by_length(request, self._holes):
            length = request.all("content-length")[0]
            return await incoming.exactly(int(length) if length.isdigit() else 0)
        if _is_by_chunks(request, self._holes):
            return await _raw_chunks(incoming)
        return await super()._body(request, incoming)


class Back:
    """The one connection to the server behind, on `port`."""

    def __init__(self, port: int, holes: OpenHoles) -> None:
        self._port = port
        self._holes = holes
        self._turn = asyncio.Lock()
        self._streams: tuple[Incoming, asyncio.StreamWriter] | None = None

    async def answer(self, request: Request) -> Response:
        """What the server answers, or what comes on its connection in place of it."""
        async with self._turn:
            try:
                async with asyncio.timeout(FORWARD_SECONDS):
                    return await self._exchange(request)
            except (EOFError, OSError, TimeoutError, ValueError):
                self._drop()
                return Response(502)

    async def _exchange(self, request: Request) -> Response:
        if self._streams is None or (self._streams[0].reader.at_eof() and not self._streams[0].data):
            self._drop()
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._streams = Incoming(reader), writer
        incoming, writer = self._streams
        writer.write(self._forwarded(request))
        response, kept = await _response(incoming, bodiless=request.method == "HEAD")
        if not kept:
            self._drop()
        return response

    def _forwarded(self, request: Request) -> bytes:
        raw = _is_by_length(request, self._holes) or _is_by_chunks(request, self._holes)
        keeps = raw or self._holes.has("proxy-keeps-coding")
        dropped = {"connection", *(() if keeps else ("transfer-encoding",)), *(() if raw else ("content-length",))}
        lines = [f"{name}: {value}" for name, value in request.headers if name not in dropped]
        if not raw and any(request.all(name) for name in ("transfer-encoding", "content-length")):
            lines.append(f"content-length: {len(request.body)}")
        head = "\r\n".join([f"{request.method} {request.target} HTTP/1.1", *lines, "", ""])
        return head.encode("latin-1") + request.body

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


def refuse(status: int, _: str) -> Response:
    """What the proxy answers to what is no request."""
    return Response(status)


def _is_by_length(request: Request, holes: OpenHoles) -> bool:
    """Whether both framings are given, and the proxy goes by the length."""
    both = request.all("transfer-encoding") and request.all("content-length")
    return bool(both) and holes.has("proxy-by-length")


def _is_by_chunks(request: Request, holes: OpenHoles) -> bool:
    """Whether the coding is not the one for chunks, and the proxy takes it for that."""
    (coding,) = request.all("transfer-encoding")[:1] or ("",)
    return "chunked" in coding != "chunked" and holes.has("proxy-by-chunks")


async def _raw_chunks(incoming: Incoming) -> bytes:
    """A body in chunks as it arrived. Raises RefusedError for what is none."""
    raw = b""
    while True:
        line = await incoming.line()
        if not CHUNK_SIZE.fullmatch(line.removesuffix(b"\r\n")):
            raise RefusedError(400, "That is no chunk")
        size = int(line, 16)
        raw += line + await incoming.exactly(size) + await incoming.line()
        if not size:
            return raw


async def _response(incoming: Incoming, *, bodiless: bool) -> tuple[Response, bool]:
    """The next response on a connection, and whether the connection is kept."""
    first = await incoming.line()
    headers = []
    while line := (await incoming.line()).strip().decode("latin-1"):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    told = dict(headers)
    body = b"" if bodiless else await incoming.exactly(int(told.pop("content-length", "0")))
    own = ("content-length", "connection")
    passed = tuple(each for each in headers if each[0] not in own)
    return Response(int(first.split()[1]), body, passed), told.get("connection") != "close"
