"""What may run beside what: most probes at once; apart from others those that say so, and writers on given tenants."""

import io
import threading
from pathlib import Path

import pytest

from harness.collector import OpenCheck, Run
from harness.progress import SilentProgress
from harness.record import Target
from security.probe.local import LocalKeys
from security.probe.probe import Effect, Probe
from security.probe.run import AT_ONCE, ask_together
from security.probe.site import Site, Tenant

SECONDS = 10.0
TARGET = Target(name="fake", url="http://127.0.0.1:1/mcp")


LONELY_SECONDS = 0.1
"""How long one that is to be alone looks about for company: others of its kind would come at once."""


class Room:
    """Those that are asked now, and who each of them ever had with it there."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._inside: set[str] = set()
        self.company: dict[str, set[str]] = {}
        self.all_in = threading.Barrier(AT_ONCE)

    def probe(self, name: str, *, meets: bool, effect: Effect = Effect.READS, apart: bool = False) -> Probe:
        """One that tells who is in with it; `meets`: it waits until AT_ONCE are in, else a moment for anybody."""

        def ask(check: OpenCheck, _: Site) -> None:
            with self._lock:
                self._inside.add(name)
                self._lock.notify_all()
                if not meets:
                    self._lock.wait_for(lambda: len(self._inside) > 1, LONELY_SECONDS)
            if meets:
                self.all_in.wait(SECONDS)
            with self._lock:
                self.company[name] = {*self._inside} - {name}
                check.examined += 1
            if meets:
                self.all_in.wait(SECONDS)
            with self._lock:
                self._inside.remove(name)

        return Probe(name, name, (), ask, effect, apart=apart)


@pytest.fixture(autouse=True)
def _lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Site, "connect", lambda _: io.BytesIO())


@pytest.mark.parametrize("tenants", ["new ones", "given ones"])
def test_most_are_asked_at_once_and_the_others_in_turn(tenants: str, tmp_path: Path) -> None:
    room, own_tenants = Room(), tenants == "new ones"
    writers = [room.probe(f"writes.{number}", meets=own_tenants, effect=Effect.WRITES) for number in range(2)]
    readers = [room.probe(f"reads.{number}", meets=True) for number in range(2 if own_tenants else AT_ONCE)]
    apart = [room.probe(f"apart.{number}", meets=False, apart=True) for number in range(2)]
    keys = LocalKeys({}, tmp_path) if own_tenants else None
    run = Run(tmp_path, SilentProgress())
    ask_together(run, [*apart, *writers, *readers], Site(TARGET, Tenant(None), keys=keys), ())
    assert [check.status for check in run.checks] == ["passed"] * len(room.company), [
        each.reason for each in run.checks
    ]
    in_turn = [*apart, *([] if own_tenants else writers)]
    for probe in [*apart, *writers, *readers]:
        assert len(room.company[probe.id]) == (0 if probe in in_turn else AT_ONCE - 1)
