"""The TypeScript SDK's clients tell the whole story: its second release line in both eras, its first in the older."""

import shutil
from pathlib import Path

import pytest

from harness.node import find_node
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from tests.integration.clients.line_client import program
from tests.integration.clients.story import tell_story

PROGRAM = Path(__file__).parent / "node" / "story.mjs"
RELEASES = [("client", "legacy", "2025-11-25"), ("client", "auto", "2026-07-28"), ("sdk", "legacy", "2025-11-25")]


# The first run on a machine downloads the packages.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("release", "mode", "revision"), RELEASES)
def test_the_typescript_client_tells_the_whole_story(
    target: LocalTarget, sandbox: SandboxClient, packages: Path, tmp_path: Path, release: str, mode: str, revision: str
) -> None:
    # A module finds its packages beside itself.
    copied = shutil.copy(PROGRAM, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages)
    command = find_node().run(str(copied), release, target.url, mode)
    tell_story(program(command, tmp_path), revision, target, sandbox)
