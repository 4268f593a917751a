"""A sandbox of the OrderDesk API as a child process."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.process import ChildProcess, Command, child_environment, running
from harness.repository import REPOSITORY

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: where it answers, the credentials of its one store, and its process."""

    base_url: str
    store_id: str
    api_key: str = field(repr=False)
    process: ChildProcess

    @property
    def api_url(self) -> str:
        """The base of the OrderDesk API, as the server's ORDERDESK_BASE_URL wants it."""
        return f"{self.base_url}/api/v2"

    @property
    def control_url(self) -> str:
        """The base of the control path: journal, faults."""
        return f"{self.base_url}/_sandbox"


@contextlib.contextmanager
def start_sandbox(
    *, logs: Path, environ: Mapping[str, str], orders: int = 200, seed: int = 1, name: str = "sandbox"
) -> Iterator[Sandbox]:
    """Yield a sandbox on a free port that holds `orders` orders, the same ones for the same seed.

    Raises ProcessError when it does not come up.
    """
    options = ("--port", "0", "--orders", str(orders), "--seed", str(seed))
    arguments = (sys.executable, "-m", "harness.sandbox", *options)
    with running(Command(name, arguments, child_environment({}, environ), REPOSITORY), logs=logs) as process:
        event = process.wait_for_event("sandbox.listening", seconds=READY_SECONDS)
        yield Sandbox(
            base_url=f"http://{event['host']}:{event['port']}",
            store_id=event["store_id"],
            api_key=event["api_key"],
            process=process,
        )
