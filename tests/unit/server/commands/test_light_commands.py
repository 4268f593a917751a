"""Commands of an emergency start without the server, and a command ends quietly where nobody reads its output."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

SERVER = ("hypercorn", "httpx", "mcp_types", "quart", "server.application", "server.tools", "uvicorn")
PROBE = """
import sys
from server import cli
for line in sys.argv[1:]:
    assert cli.main(line.split(" ")) in {0, 1}, line
print(*sorted(sys.modules), file=sys.stderr)
"""
COMMANDS = (
    "tenant create shop",
    "tenant list",
    "tenant suspend shop --reason x",
    "brake list",
    "tenant resume shop",
    "brake pull read-only --reason x",
    "brake pull read-only --store shop nothing --reason x",
    "brake release read-only",
    "brake cap shop 5 --reason x",
    "key create shop",
    "key list shop",
    "key rotate shop --now",
    "key revoke nothing --reason x",
    "key rotate-master",
    "writes list --tenant shop",
    "writes show nothing",
    "writes settle nothing done",
    "writes uncertain",
)


def python(*arguments: str, database: Path, stdout: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "MASTER_KEY": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        "DATABASE_URL": f"sqlite:///{database}",
    }
    return subprocess.run(
        (sys.executable, *arguments),
        env=environment,
        cwd=REPOSITORY,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )


def test_what_stops_a_client_does_not_import_the_server(database_file: Path) -> None:
    done = python("-c", PROBE, *COMMANDS, database=database_file)
    assert done.returncode == 0, done.stderr
    imported = set(done.stderr.splitlines()[-1].split())
    assert "server.storage.database" in imported
    assert imported.isdisjoint(SERVER)


@pytest.mark.parametrize(
    "arguments", ["tenant list", "check", "reference tools", "writes list --json", "brake pull --help"]
)
def test_a_closed_output_ends_a_command_quietly(arguments: str, database_file: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = python("-m", "server", *arguments.split(), database=database_file, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_output_that_cannot_be_written_is_told_in_one_line(database_file: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = python("-m", "server", "reference", "errors", database=database_file, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (2, "server: standard output: No space left on device\n")
