"""FastMCP's client tells the whole story, over HTTP in both eras."""

import os
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from harness.virtual_environment import prepare
from tests.integration.clients.line_client import program
from tests.integration.clients.story import tell_story

PROGRAM = Path(__file__).with_name("fastmcp_program.py")


# The first run on a machine makes FastMCP's environment.
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("mode", "revision"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_fastmcps_client_tells_the_whole_story(
    target: LocalTarget, sandbox: SandboxClient, tmp_path: Path, mode: str, revision: str
) -> None:
    python = prepare(REPOSITORY, "peers", logs=tmp_path, environ=os.environ)
    tell_story(program((str(python), str(PROGRAM), mode, target.url), tmp_path), revision, target, sandbox)
