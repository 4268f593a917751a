"""The fixture server as a child process: the production transport with the registry that the suite asks for."""

import contextlib
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.client import connect
from harness.errors import HarnessError
from harness.process import Command, running
from harness.repository import REPOSITORY
from harness.targets.server import READY_SECONDS, server_environment

PROGRAM = REPOSITORY / "tests" / "conformance" / "fixture_server.py"


@contextlib.contextmanager
def serving_fixture(program: Path, *, logs: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the URL of the fixture's MCP endpoint, known to answer. It takes every caller without a token.

    Raises HarnessError when the program is not there (it is test code: a release does not carry it), ends, or does not
    answer.
    """
    if not program.is_file():
        raise HarnessError(f"{program} is missing: the fixture registry is part of a checkout's tests")
    with tempfile.TemporaryDirectory(prefix="quartermaster-") as state:
        settings = {
            "DATABASE_URL": f"sqlite:///{state}/app.db",
            "MASTER_KEY": secrets.token_urlsafe(32),
            # Streams that the suite leaves behind end by themselves, but not at once.
            "DRAIN_SECONDS": "1",
            "CALL_DEADLINE_SECONDS": "0.9",
            "HTTP_TIMEOUT_SECONDS": "0.9",
            "PYTHONPATH": str(REPOSITORY),
        }
        command = Command("fixture", (sys.executable, str(program)), server_environment(settings, environ), REPOSITORY)
        with running(command, logs=logs) as process:
            event = process.wait_for_event("server.listening", seconds=READY_SECONDS)
            url = f"http://{event['host']}:{event['port']}/mcp"
            connect(url, None).close()
            yield url
