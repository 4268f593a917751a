"""Probes share one limited server, which is gone when the last of them is through."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from harness.background import in_background
from harness.collector import OpenCheck, Run
from harness.errors import HarnessError, Inconclusive
from harness.progress import SilentProgress
from harness.record import Target
from harness.verdict import CheckStatus
from security.probe.probe import probe
from security.probe.run import ask_alone, limited_once
from security.probe.site import Site, Tenant

SECONDS = 10.0
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


def test_one_that_is_being_opened_at_the_end_is_closed_and_none_is_opened_after() -> None:
    events, opening, may_open = [], threading.Event(), threading.Event()

    @contextlib.contextmanager
    def limited() -> Iterator[Site]:
        opening.set()
        assert may_open.wait(SECONDS)
        events.append("opened")
        yield Site(TARGET, Tenant(None))
        events.append("closed")

    site = Site(TARGET, Tenant(None), limited=limited)

    def interrupted() -> None:
        with limited_once(site) as shared:
            assert shared.limited is not None
            probes.append(in_background(shared.limited))
            assert opening.wait(SECONDS)
            ending.append(shared.limited)

    probes: list[Future[contextlib.AbstractContextManager[Site]]] = []
    ending: list[Callable[[], contextlib.AbstractContextManager[Site]]] = []
    end = in_background(interrupted)
    assert site.over.wait(SECONDS)
    assert not end.done()
    may_open.set()
    end.result(SECONDS)
    probes[0].result(SECONDS)
    assert events == ["opened", "closed"]
    with pytest.raises(Inconclusive, match="ended"):
        ending[0]()
