"""A loopback relay that adds the target's bearer token to the suite's requests and passes everything else untouched.

The suite has no option for a token. `?token=KEY` would not do: some scenarios build requests by hand and drop the
query string, and the server would have to run with a setting that production refuses. The relay works for any target,
and the suite, which is third-party code, never sees the token.

Where a request names the relay itself (Host, Origin) it names the server instead, as it would without a relay; the
foreign hosts and origins of the DNS rebinding scenario stay as they are, and so do odd headers and hop-by-hop ones.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

HOST = "127.0.0.1"
HEAD_END = b"\r\n\r\n"
CHUNK_BYTES = 65_536
RATE_LIMITED = b"HTTP/1.1 429"
SHUTDOWN_SECONDS = 2.0


@dataclass
class Relay:
    """A running relay: `url` is where the suite finds the server, `limited` how often it was told to wait."""

    url: str
    limited: int = 0


@dataclass(frozen=True)
class Names:
    """What requests are rewritten with: the relay's own authority, the server's URL, the token."""

    own: bytes
    server: SplitResult
    token: str | None = field(repr=False)

    def rewrite(self, head: bytes) -> bytes:
        """Return a request's head with the token in it, and the server's name in place of the relay's."""
        authority = self.server.netloc.encode()
        renamed = {
            (b"host", self.own): authority,
            (b"origin", b"http://" + self.own): self.server.scheme.encode() + b"://" + authority,
        }
        request_line, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
        names = set()
        for number, line in enumerate(lines):
            name, colon, value = line.partition(b":")
            names.add(name.lower())
            if (replacement := renamed.get((name.lower(), value.strip()))) is not None:
                lines[number] = name + colon + b" " + replacement
        if self.token is not None and b"authorization" not in names:
            lines.insert(0, b"Authorization: Bearer " + self.token.encode())
        return b"\r\n".join((request_line, *lines)) + HEAD_END


@contextlib.contextmanager
def relaying(url: str, token: str | None) -> Iterator[Relay]:
    """Yield a relay to the MCP endpoint `url`; it and all its connections are gone afterwards."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    try:
        server = _Server(urlsplit(url), token)
        yield asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Server:
    """Accepts connections, and opens one to the upstream for each."""

    def __init__(self, upstream: SplitResult, token: str | None) -> None:
        self._upstream = upstream
        self._token = token
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def start(self) -> Relay:
        self._listener = await asyncio.start_server(self._accept, HOST, 0)
        port = self._listener.sockets[0].getsockname()[1]
        self._names = Names(f"{HOST}:{port}".encode(), self._upstream, self._token)
        self._relay = Relay(f"http://{HOST}:{port}{self._upstream.path}")
        return self._relay

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._relay_connection(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _relay_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass both ways until either side closes; then the other is closed too, as it would see without a relay."""
        writers = [writer]
        directions: list[asyncio.Task[None]] = []
        try:
            with contextlib.suppress(OSError):
                answers, requests = await self._connect()
                writers.append(requests)
                directions.append(asyncio.create_task(self._pass_requests(reader, requests)))
                directions.append(asyncio.create_task(self._pass_answers(answers, writer)))
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            for each in writers:
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._upstream.hostname, self._upstream.port
        if self._upstream.scheme == "https":
            context = ssl.create_default_context()
            return await asyncio.open_connection(host, port or 443, ssl=context, ssl_shutdown_timeout=SHUTDOWN_SECONDS)
        return await asyncio.open_connection(host, port or 80)

    async def _pass_requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass requests one after the other; ends when the client closes, or sends what cannot be told apart."""
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            while True:
                head = await source.readuntil(HEAD_END)
                sink.write(self._names.rewrite(head))
                sink.write(await source.readexactly(_content_length(head)))
                await sink.drain()

    async def _pass_answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            self._relay.limited += chunk.startswith(RATE_LIMITED)
            sink.write(chunk)
            await sink.drain()


def _content_length(head: bytes) -> int:
    """The length of a request's body. Raises ValueError for a chunked one: the suite sends none."""
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"transfer-encoding":
            raise ValueError("a chunked request")
        if name.lower() == b"content-length":
            length = int(value)
    return length
