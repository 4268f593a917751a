"""A real `python -m server stdio`, talked to line by line; whatever it prints must be a JSON-RPC message."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.client.wire import envelope
from harness.repository import REPOSITORY
from tests.integration.server.bench import ERAS

COMMAND = (sys.executable, "-m", "server", "stdio")
PATIENCE = 20.0


class StdioServer:
    """The process, its answers by id as they come, and its log."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log
        self.messages: list[dict[str, Any]] = []
        self._ended = False
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, line: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def send(self, *items: Any) -> None:
        for item in items:
            self.write(json.dumps(item).encode() + b"\n")

    def answer(self, identity: Any) -> dict[str, Any]:
        """The message of that id, which may have come already."""
        deadline = time.monotonic() + PATIENCE
        while not (found := [message for message in self.messages if message["id"] == identity]):
            assert self._take(deadline - time.monotonic()), f"it ended; its log:\n{self.log.read_text()[-2000:]}"
        return found[0]

    def ask(self, method: str, identity: Any = 1, **params: Any) -> dict[str, Any]:
        """The answer to a request of the older era."""
        self.send({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
        return self.answer(identity)

    def call(self, tool: str, identity: Any = 1, **arguments: Any) -> dict[str, Any]:
        return self.ask("tools/call", identity, name=tool, arguments=arguments)

    def modern(self, method: str, identity: int = 1, **params: Any) -> dict[str, Any]:
        """The answer to a request of the newest revision."""
        self.send(envelope(method, params, ERAS[-1], identity))
        return self.answer(identity)

    def end(self) -> int:
        """Close the input; returns the exit code once everything that was printed has been read."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """The exit code, once the process has ended and everything that was printed has been read."""
        code = self.process.wait(PATIENCE)
        while self._take(PATIENCE):
            pass
        return code

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log's lines, all of which are JSON; those of one event when it is named."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if name in (None, line["event"])]

    def _take(self, seconds: float) -> bool:
        """Whether there was one more message before the end of the output."""
        if self._ended:
            return False
        try:
            line = self._lines.get(timeout=max(seconds, 0.01))
        except queue.Empty:
            raise AssertionError(f"no answer; the log ends:\n{self.log.read_text()[-2000:]}") from None
        if not line:
            self._ended = True
            return False
        message = json.loads(line)
        assert line.endswith(b"\n"), line
        assert message.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}), line
        assert message["jsonrpc"] == "2.0"
        self.messages.append(message)
        return True

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(b"")


@contextlib.contextmanager
def speaking(environment: Mapping[str, str], log: Path, module: str = "server") -> Iterator[StdioServer]:
    """Yield a process with this environment; it is stopped when the block ends. `module` may be a broken server."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            (sys.executable, "-m", module, "stdio"),
            env=dict(environment),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
        )
    server = StdioServer(process, log)
    try:
        yield server
    finally:
        server.end()
