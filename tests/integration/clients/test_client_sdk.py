"""The official Python SDK's client tells the whole story, over HTTP and over stdio, in both eras."""

import json
import sys
from pathlib import Path

import pytest

from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from tests.integration.clients.guide import the_block
from tests.integration.clients.line_client import program
from tests.integration.clients.story import tell_story

MODES = [("legacy", "2025-11-25"), ("auto", "2026-07-28")]
PROGRAM = Path(__file__).with_name("sdk_program.py")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("mode", "revision"), MODES)
def test_the_official_python_client_tells_the_whole_story(
    target: LocalTarget, sandbox: SandboxClient, tmp_path: Path, mode: str, revision: str
) -> None:
    command = (sys.executable, str(PROGRAM), mode, target.url)
    tell_story(program(command, tmp_path), revision, target, sandbox)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("mode", "revision"), MODES)
def test_the_official_python_client_tells_the_whole_story_over_stdio(
    target: LocalTarget, sandbox: SandboxClient, tmp_path: Path, mode: str, revision: str
) -> None:
    # A process of its own on the served one's database: the guide's entry with this machine's paths.
    (entry,) = json.loads(the_block("Over stdio", "json"))["mcpServers"].values()
    command = (sys.executable, str(PROGRAM), mode, "--", sys.executable, *entry["args"])
    tell_story(program(command, tmp_path, target.environment), revision, target, sandbox)
