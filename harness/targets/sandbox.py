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
class Account:
    """One store of a sandbox, and the key that opens it."""

    store_id: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: where it answers, the credentials of its stores (of the first by name), and its process."""

    base_url: str
    accounts: tuple[Account, ...]
    process: ChildProcess

    @property
    def store_id(self) -> str:
        """The first store's id."""
        return self.accounts[0].store_id

    @property
    def api_key(self) -> str:
        """The first store's key."""
        return self.accounts[0].api_key

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
    *, logs: Path, environ: Mapping[str, str], orders: int = 200, stores: int = 1, seed: int = 1, name: str = "sandbox"
) -> Iterator[Sandbox]:
    """Yield a sandbox on a free port whose stores hold `orders` orders each, the same ones for the same seed.

    Raises ProcessError when it does not come up.
    """
    options = ("--port", "0", "--orders", str(orders), "--stores", str(stores), "--seed", str(seed))
    arguments = (sys.executable, "-m", "harness.sandbox", *options)
    with running(Command(name, arguments, child_environment({}, environ), REPOSITORY), logs=logs) as process:
        event = process.wait_for_event("sandbox.listening", seconds=READY_SECONDS)
        yield Sandbox(
            base_url=f"http://{event['host']}:{event['port']}",
            accounts=tuple(Account(each["store_id"], each["api_key"]) for each in event["stores"]),
            process=process,
        )
