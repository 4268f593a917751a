"""Every probe is shown to fire, by the hole it is for, and to stay quiet where there is none."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from security.probe.catalogue import PROBES
from security.probe.probe import Probe
from security.probe.run import ask_alone, ask_together, ask_waiting
from security.probe.site import Site
from tests.integration.security.probes.vulnerable_site import open_vulnerable
from tests.vulnerable.holes import HOLES, Hole
from tests.vulnerable.server import OTHER

BY_ID = {probe.id: probe for probe in PROBES}
ASKED = [hole for hole in HOLES.values() if hole.probe in BY_ID]
TLS, TIMING = "configuration.tls", "authentication.timing"
SESSION, BINDING = "authentication.session", "configuration.local-binding"
# Python warns of whoever offers an old version; the probe must.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


def ask(probes: Sequence[Probe], site: Site, folder: Path) -> list[Check]:
    run = Run(folder, SilentProgress(), site.target)
    ask_waiting(run, probes, site, ())
    ask_together(run, probes, site, ())
    ask_alone(run, probes, site, ())
    return run.checks


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server without a hole gives a slow request up after 3 s; whoever waits for twice that, waits for ever.

    The machine's other address is one of loopback, so that no network is needed.
    Fewer refills than an audit waits for show the hole as well, and on loopback an answer is there at once.
    """
    monkeypatch.setattr("security.probe.protocol.framing.QUIET_SECONDS", 0.2)
    monkeypatch.setattr("security.probe.protocol.desync.QUIET_SECONDS", 0.2)
    monkeypatch.setattr("security.probe.protocol.slow_body.PATIENCE_SECONDS", 6.0)
    monkeypatch.setattr("security.probe.limits.refill.REFILLS", 40)
    monkeypatch.setattr("security.probe.configuration.local_binding.own_addresses", lambda: iter([OTHER]))


@pytest.fixture(scope="module")
def clean_checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Check]:
    """What every probe says of the server without a hole, by id."""
    folder = tmp_path_factory.mktemp("clean")
    with open_vulnerable(logs=folder) as site:
        return {check.id: check for check in ask(PROBES, site, folder)}


@pytest.mark.parametrize("hole", ASKED, ids=lambda hole: hole.name)
def test_a_hole_is_found_by_its_probe(hole: Hole, tmp_path: Path) -> None:
    with open_vulnerable(hole.name, logs=tmp_path, tls=hole.probe == TLS) as site:
        (check,) = ask((BY_ID[hole.probe],), site, tmp_path)
    assert check.status is CheckStatus.FAILED, f"{hole.sentence}, but: {check.reason or check.evidence}"
    assert check.reason


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
def test_a_probe_is_quiet_where_there_is_no_hole(probe: Probe, clean_checks: dict[str, Check]) -> None:
    check = clean_checks[probe.id]
    if probe.id == TIMING and "too noisy" in check.reason:  # much else runs here: then time says nothing
        assert check.status is CheckStatus.INCONCLUSIVE
        return
    assert check.status in {CheckStatus.PASSED, CheckStatus.NOT_APPLICABLE}, check.reason
    assert check.reason or check.status is CheckStatus.PASSED


@pytest.mark.parametrize("hole", ["", "lax-framing"], ids=["clean", "lenient"])
def test_a_good_proxy_is_no_finding_also_where_the_server_behind_it_guesses(hole: str, tmp_path: Path) -> None:
    with open_vulnerable(*filter(None, [hole]), logs=tmp_path, proxy=True) as site:
        checks = ask((BY_ID["protocol.desync"], BY_ID["protocol.framing"]), site, tmp_path)
    assert [(check.status, check.reason) for check in checks] == [(CheckStatus.PASSED, "")] * 2


def test_tls_as_it_should_be_is_no_finding(tmp_path: Path) -> None:
    with open_vulnerable(logs=tmp_path, tls=True) as site:
        (check,) = ask((BY_ID[TLS],), site, tmp_path)
    assert check.status is CheckStatus.PASSED, check.reason


def test_sessions_as_they_should_be_are_no_finding(tmp_path: Path) -> None:
    with open_vulnerable(logs=tmp_path, sessions=True) as site:
        (check,) = ask((BY_ID[SESSION],), site, tmp_path)
    assert (check.status, check.reason) == (CheckStatus.PASSED, "")
    assert "the stranger's key is refused in the owner's session" in check.evidence


def test_a_server_on_loopback_alone_is_not_found_at_another_address(tmp_path: Path) -> None:
    with open_vulnerable(logs=tmp_path) as site:
        (check,) = ask((BY_ID[BINDING],), site, tmp_path)
    assert (check.status, check.reason, check.examined) == (CheckStatus.PASSED, "", 1)
