"""Probes share one limited server, which is gone when the last of them is through."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.collector import OpenCheck, Run
from harness.errors import HarnessError
from harness.progress import SilentProgress
from harness.record import Target
from harness.verdict import CheckStatus
from security.probe.probe import probe
from security.probe.run import ask_alone, limited_once
from security.probe.site import Site, Tenant

TARGET = Target(name="fake", url="http://127.0.0.1:1/mcp")


@probe("limits.first", "It enters the limited server", alone=True)
def first(check: OpenCheck, site: Site) -> None:
    enter(check, site)


@probe("limits.second", "It enters it too", alone=True)
def second(check: OpenCheck, site: Site) -> None:
    enter(check, site)


@pytest.fixture(autouse=True)
def _lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server itself answers its owner after each probe."""
    monkeypatch.setattr(Site, "connect", lambda _: io.BytesIO())


def enter(check: OpenCheck, site: Site) -> None:
    assert site.limited is not None
    with site.limited() as small:
        check.expect(small.owner.id == "limited", "another site was given")


def test_it_is_opened_once_and_closed_at_the_end(tmp_path: Path) -> None:
    events = []

    @contextlib.contextmanager
    def limited() -> Iterator[Site]:
        events.append("opened")
        yield Site(TARGET, Tenant(None, id="limited"))
        events.append("closed")

    run = Run(tmp_path, SilentProgress())
    with limited_once(Site(TARGET, Tenant(None), limited=limited)) as shared:
        ask_alone(run, [first, second], shared, ())
    assert [check.status for check in run.checks] == [CheckStatus.PASSED] * 2
    assert events == ["opened", "closed"]


def test_one_that_does_not_start_is_tried_again_by_the_next_probe(tmp_path: Path) -> None:
    attempts = []

    @contextlib.contextmanager
    def limited() -> Iterator[Site]:
        attempts.append(1)
        if len(attempts) == 1:
            raise HarnessError("no port")
        yield Site(TARGET, Tenant(None, id="limited"))

    run = Run(tmp_path, SilentProgress())
    with limited_once(Site(TARGET, Tenant(None), limited=limited)) as shared:
        ask_alone(run, [first, second], shared, ())
    assert [check.status for check in run.checks] == [CheckStatus.INCONCLUSIVE, CheckStatus.PASSED]
