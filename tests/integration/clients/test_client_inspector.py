"""The Inspector's command line tells the whole story: every step is an invocation of its own."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.node import find_node
from harness.process import child_environment
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from tests.integration.clients.story import Answer, RefusedError, Session, tell_story

SECONDS = 60
TOOL_ERROR = 5


@dataclass(frozen=True)
class Inspector:
    """`mcp-inspector --cli` before one server with one key; it keeps its own state in `home`."""

    packages: Path
    home: Path
    url: str
    key: str
    era: str

    @property
    def revision(self) -> str:
        return str(self._result("initialize")["protocolVersion"])

    def tools(self) -> Sequence[Mapping[str, Any]]:
        # --strict: a schema that clients in the field are known to refuse is exit code 6.
        tools: Sequence[Mapping[str, Any]] = self._result("tools/list", "--strict")["tools"]
        return tools

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        given = ["--tool-args-json", json.dumps(arguments)]
        if all(isinstance(value, str | int) for value in arguments.values()):
            # As a person types it: the Inspector itself finds out which of them are numbers.
            given = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
        result = self._result("tools/call", "--tool-name", tool, *given)
        text = "".join(block["text"] for block in result["content"])
        return Answer(result.get("isError", False), result.get("structuredContent"), text)

    def _result(self, method: str, *options: str) -> dict[str, Any]:
        """What the Inspector prints. Its exit code is part of what it tells: 5 and a result are a tool's error."""
        program = self.packages / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
        target = ("--cli", self.url, "--transport", "http", "--protocol-era", self.era, "--stored-auth-only")
        header = ("--header", f"Authorization: Bearer {self.key}")
        done = subprocess.run(
            find_node().run(str(program), *target, *header, "--method", method, *options, "--format", "json", "-q"),
            env=child_environment({"HOME": str(self.home)}, os.environ),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if not done.stdout:
            raise RefusedError(done.stderr)
        result: dict[str, Any] = json.loads(done.stdout)["result"]
        assert done.returncode == (TOOL_ERROR if result.get("isError") else 0), done.stderr
        return result


# The first run on a machine downloads the packages; every step starts Node anew.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("era", "revision"), [("legacy", "2025-11-25"), ("modern", "2026-07-28")])
def test_the_inspectors_command_line_tells_the_whole_story(
    target: LocalTarget, sandbox: SandboxClient, packages: Path, tmp_path: Path, era: str, revision: str
) -> None:
    @contextlib.contextmanager
    def connect(key: str) -> Iterator[Session]:
        yield Inspector(packages, tmp_path, target.url, key, era)

    tell_story(connect, revision, target, sandbox)
