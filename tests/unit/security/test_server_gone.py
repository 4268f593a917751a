"""A probe that is through has passed only where the server still answers its owner."""

import io
from pathlib import Path

import pytest

from harness.client.errors import NoAnswerError
from harness.collector import OpenCheck, Run
from harness.progress import SilentProgress
from harness.record import Check, Target
from harness.verdict import CheckStatus
from security.probe.probe import Probe, probe
from security.probe.run import ask_together
from security.probe.site import Site, Tenant

SITE = Site(Target(name="fake", url="http://127.0.0.1:1/mcp"), Tenant(None))


@probe("protocol.quiet", "It finds nothing")
def quiet(check: OpenCheck, _: Site) -> None:
    check.examined += 1


@probe("protocol.loud", "It finds something")
def loud(check: OpenCheck, _: Site) -> None:
    check.examined += 1
    check.find("rule", "something")


@probe("protocol.aside", "It does not arise")
def aside(check: OpenCheck, _: Site) -> None:
    check.not_applicable("not here")


def ask(one: Probe, folder: Path) -> Check:
    run = Run(folder, SilentProgress())
    ask_together(run, [one], SITE, ())
    (check,) = run.checks
    return check


@pytest.fixture
def _gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Site) -> None:
        raise NoAnswerError("connection refused")

    monkeypatch.setattr(Site, "connect", refuse)


def test_it_passes_where_the_server_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Site, "connect", lambda _: io.BytesIO())
    assert ask(quiet, tmp_path).status is CheckStatus.PASSED


@pytest.mark.usefixtures("_gone")
def test_it_does_not_pass_where_the_server_is_gone(tmp_path: Path) -> None:
    check = ask(quiet, tmp_path)
    assert check.status is CheckStatus.INCONCLUSIVE
    assert check.reason == "afterwards the server did not answer its owner: connection refused"


@pytest.mark.usefixtures("_gone")
def test_what_was_found_counts_all_the_same(tmp_path: Path) -> None:
    assert ask(loud, tmp_path).status is CheckStatus.FAILED


@pytest.mark.usefixtures("_gone")
def test_what_does_not_arise_asks_nobody(tmp_path: Path) -> None:
    assert ask(aside, tmp_path).status is CheckStatus.NOT_APPLICABLE
