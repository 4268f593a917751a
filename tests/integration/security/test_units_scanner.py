"""What systemd-analyze is given of a repository, and what its ratings come to."""

import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.verdict import Severity
from security.scan.run import Outcome, scan
from security.scan.scanner import Scene
from security.scan.units import HARDENED, Units
from tests.integration.security.conftest import trouble

BARE = "[Service]\nExecStart=/shop\n"
ScanUnits = Callable[..., Outcome]


@pytest.fixture
def scan_units(tmp_path: Path) -> ScanUnits:
    """Scan a repository of these files; nothing but what the machine has may be asked for."""

    counts = itertools.count()

    def no_programs(name: str) -> Path:
        raise AssertionError(name)

    def run(files: Mapping[str, str], *, limit: float = 3.0) -> Outcome:
        for path, text in files.items():
            (tmp_path / "project" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "project" / path).write_text(text)
        scratch = tmp_path / f"scratch-{next(counts)}"
        scene = Scene(tmp_path / "project", tuple(sorted(files)), scratch, no_programs, os.environ)
        (outcome,) = scan([Units(limit, leave_out=("tests",))], scene, seconds=30)
        return outcome

    return run


def exposures(outcome: Outcome) -> dict[str, float]:
    """What each unit was rated, as the evidence says."""
    assert outcome.judgement is not None
    lines = [line for line in outcome.judgement.evidence if "; open by " in line]
    return {line.partition(": ")[0]: float(line.partition(": ")[2][:3]) for line in lines}


def test_the_worst_directives_are_named_each_once(scan_units: ScanUnits) -> None:
    outcome = scan_units({"shop.service": BARE})
    assert outcome.judgement is not None
    (found,) = outcome.judgement.findings
    assert found.message.startswith("systemd rates its exposure 9.")
    assert found.message.count("CapabilityBoundingSet= (") == found.message.count("SystemCallFilter= (") == 1
    assert found.severity is Severity.HIGH
    assert any("PrivateNetwork= 0.5" in line for line in outcome.judgement.evidence)


def test_a_unit_may_be_as_exposed_as_the_policy_allows(scan_units: ScanUnits) -> None:
    text = HARDENED.text
    for name in ("CapabilityBoundingSet", "SystemCallFilter", "DynamicUser"):
        text = text.replace(name, "# ")
    files = {"shop.service": text}
    outcome = scan_units(files)
    assert outcome.judgement is not None
    assert [found.severity for found in outcome.judgement.findings] == [Severity.MEDIUM]
    (exposure,) = exposures(outcome).values()
    assert 3.0 < exposure < 7.5
    for limit, count in ((exposure, 0), (exposure - 0.1, 1)):
        outcome = scan_units(files, limit=limit)
        assert outcome.judgement is not None
        assert len(outcome.judgement.findings) == count


def test_units_of_one_name_are_rated_each_with_the_drop_ins_beside_it(scan_units: ScanUnits) -> None:
    outcome = scan_units(
        {
            "one/shop.service": BARE,
            "two/shop.service": BARE,
            "two/shop.service.d/10-hardening.conf": HARDENED.text.replace("ExecStart=/planted\n", ""),
            "nginx.service.d/10-hardening.conf": "[Service]\nNoNewPrivileges=yes\n",
            "tests/shop.service": BARE,
        }
    )
    rated = exposures(outcome)
    assert list(rated) == ["one/shop.service", "two/shop.service"]
    assert rated["one/shop.service"] > 9
    assert rated["two/shop.service"] < 1
    assert outcome.judgement is not None
    assert [found.location for found in outcome.judgement.findings] == ["one/shop.service:1"]
    unseen = "nginx.service.d/10-hardening.conf was not examined: its unit is not beside it"
    assert unseen in outcome.judgement.evidence


def test_drop_ins_alone_are_not_applicable(scan_units: ScanUnits) -> None:
    outcome = scan_units({"nginx.service.d/10-hardening.conf": "[Service]\nNoNewPrivileges=yes\n"})
    assert str(outcome.error) == "there are drop-ins in the repository, and no service unit of systemd"


def test_what_systemd_ignores_is_evidence_with_its_place(scan_units: ScanUnits) -> None:
    drop_in = "[Service]\nProtectHme=yes\n"
    outcome = scan_units({"a/shop.service": f"{HARDENED.text}Protect=all\n", "a/shop.service.d/1.conf.j2": drop_in})
    assert outcome.judgement is not None
    line = len(HARDENED.text.splitlines()) + 1
    ignored = [each for each in outcome.judgement.evidence if "Unknown key" in each]
    assert [each.split(" ")[0] for each in ignored] == [f"a/shop.service:{line}:", "a/shop.service.d/1.conf.j2:2:"]


def test_what_cannot_be_rated_leaves_what_was_found(scan_units: ScanUnits) -> None:
    outcome = scan_units({"broken.service": "[Servi\n", "empty.service": "", "my shop.service": BARE})
    assert trouble(outcome).startswith("2 of 3 units were not examined, broken.service among them: broken.service:1: ")
    assert outcome.judgement is not None
    assert [found.location for found in outcome.judgement.findings] == ["my shop.service:1"]


def test_a_template_is_rated_with_its_values_in(scan_units: ScanUnits) -> None:
    text = HARDENED.text.replace("DynamicUser=yes", "User={{ user }}").replace("/planted", "{{ root }}/bin/shop")
    outcome = scan_units({"shop@.service.j2": text})
    assert trouble(outcome) == ""
    assert outcome.judgement is not None
    assert outcome.judgement.findings == ()
    assert any("taken for another than root" in line for line in outcome.judgement.evidence)


def test_a_template_that_decides_about_hardening_is_a_doubt(scan_units: ScanUnits) -> None:
    outcome = scan_units({"shop.service": BARE, "web.service.j2": f"{BARE}PrivateNetwork={{{{ alone }}}}\n"})
    assert "web.service.j2 among them: what it becomes depends on the value put in on line 3" in trouble(outcome)
    assert outcome.judgement is not None
    assert len(outcome.judgement.findings) == 1
