"""A client in a process of its own: it is asked in JSON lines on its standard input and answers in JSON lines.

Its first line is {"revision": …}. {"tool": …, "arguments": …} asks for a call and {} for the list of tools; an answer
is {"is_error", "structured", "text"} or {"tools"}. Instead of any of these it may say {"refused": what it was told}.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.process import child_environment
from harness.repository import REPOSITORY
from tests.integration.clients.story import Answer, Connect, RefusedError, Session

END_SECONDS = 20


@dataclass(frozen=True)
class LineSession:
    """A connected client behind a pipe."""

    process: "subprocess.Popen[str]"
    errors: Path
    revision: str

    def tools(self) -> Sequence[Mapping[str, Any]]:
        tools: Sequence[Mapping[str, Any]] = self._exchange({})["tools"]
        return tools

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        return Answer(**self._exchange({"tool": tool, "arguments": arguments}))

    def _exchange(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return _answer(self.process, self.errors)


def program(command: Sequence[str], folder: Path, settings: Mapping[str, str] | None = None) -> Connect:
    """Return what connects by running `command` in `folder`, the key in MCP_KEY; our own modules can be imported."""

    def connect(key: str) -> AbstractContextManager[Session]:
        ours = {"MCP_KEY": key, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)}
        return _running(command, child_environment({**(settings or {}), **ours}, os.environ), folder)

    return connect


@contextlib.contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Session]:
    """Yield the client that `command` starts. Raises RefusedError when it could not connect.

    That it ends well, once it is asked nothing more, is part of the story.
    """
    errors = folder / "client.stderr.log"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            cwd=folder,
            text=True,
        ) as process,
    ):
        try:
            revision = str(_answer(process, errors)["revision"])
            yield LineSession(process, errors, revision)
            process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, errors.read_text()


def _answer(process: "subprocess.Popen[str]", errors: Path) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the client ended: {errors.read_text()}"
    answer: dict[str, Any] = json.loads(line)
    if "refused" in answer:
        # A server that the client started over stdio says why it ended on standard error, which clients log.
        raise RefusedError(f"{answer['refused']}\n{errors.read_text()}")
    return answer
