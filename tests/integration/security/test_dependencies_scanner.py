"""pip-audit, really run on advisories of the test's own: it fires, it stays quiet, and trouble is never a pass."""

import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from security.advisories.source import FETCH
from security.scan.pip_audit import PipAudit
from tests.integration.security.conftest import Scan, trouble

StandIn = Callable[[str, str], Path]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ADVISORY = """\
id: {id}
details: It does what it should not.
affected:
- package:
    name: {package}
    ecosystem: PyPI
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: '0'
    - fixed: '{fixed}'
aliases:
- {alias}
modified: {modified}
published: 2026-01-02 03:04:05+00:00
"""


def advise(
    directory: Path, package: str, fixed: str, *, number: int = 1, modified: str = "'2026-11-20T10:00:00.123456Z'"
) -> None:
    name = f"PYSEC-2026-{number}"
    text = ADVISORY.format(id=name, package=package, fixed=fixed, alias=f"CVE-2026-{number:04}", modified=modified)
    (directory / "vulns" / package).mkdir(parents=True, exist_ok=True)
    (directory / "vulns" / package / f"{name}.yaml").write_text(text)


def lock(project: Path, name: str, *pins: str) -> None:
    (project / "requirements").mkdir(exist_ok=True)
    entries = [f"{pin} \\\n    --hash=sha256:{'0' * 64}\n" for pin in pins]
    (project / "requirements" / name).write_text("# made by a test\n" + "".join(entries))


@pytest.fixture
def advisories(tmp_path: Path) -> Path:
    """Advisories that know the version that is planted, and one package more."""
    directory = tmp_path / "advisories"
    advise(directory, "jinja2", "2.7.2")
    advise(directory, "weak-thing", "1.10", number=2)
    return directory


@pytest.fixture
def locked(project: Path) -> Path:
    """The project with a lock of which no version is affected."""
    lock(project, "server.txt", "jinja2==3.1.6", "weak-thing==1.10 ; sys_platform == 'nowhere'")
    return project


def scanner(advisories: Path | str) -> PipAudit:
    return PipAudit(str(advisories), limit=timedelta(days=30), now=NOW)


def test_it_stays_quiet_on_a_clean_lock_and_says_what_it_asked(
    scan_project: Scan, locked: Path, advisories: Path
) -> None:
    outcome = scan_project(scanner(advisories))
    assert outcome.error is None
    judgement = outcome.judgement
    assert judgement is not None
    assert (judgement.findings, judgement.examined, judgement.canary_seen, judgement.doubt) == ((), 2, True, "")
    assert judgement.evidence[1] == (
        "advisories: the 2 of advisories, up to 2026-11-20, the newest 2 of them since 2026-11-20, 2 days ago"
    )


def test_it_fires_whatever_machine_a_pin_is_for_and_in_whichever_lock(
    scan_project: Scan, locked: Path, advisories: Path
) -> None:
    lock(locked, "peers.txt", "other==1", "Weak_Thing[extra]==1.9 ; sys_platform == 'nowhere'")
    lock(locked, "tools.txt", "weak-thing==1.9")
    judgement = scan_project(scanner(advisories)).judgement
    assert judgement is not None
    (found,) = judgement.findings
    assert (found.rule, found.location, found.references) == (
        "CVE-2026-0002",
        "requirements/peers.txt:4",
        ("CVE-2026-0002", "PYSEC-2026-2"),
    )
    assert found.message == (
        "weak-thing 1.9 has CVE-2026-0002; fixed in 1.10; locked in requirements/peers.txt, requirements/tools.txt"
    )
    assert judgement.examined == 4


def test_what_is_affected_is_told_as_the_schema_of_advisories_has_it(
    scan_project: Scan, locked: Path, advisories: Path
) -> None:
    up_to = "ranges:\n  - type: ECOSYSTEM\n    events: [{introduced: '0'}, {last_affected: '1.5'}]"
    again = "ranges:\n  - type: ECOSYSTEM\n    events: [{fixed: '2'}, {introduced: '0'}, {introduced: '3'}]"
    lock(
        locked, "more.txt", "last==1.5", "later==1.6", "listed==2", "again==3.1", "fixed==2.1", "gone==1", "tenth==1.10"
    )
    for number, (package, affected) in enumerate(
        {
            "last": up_to,
            "later": up_to,
            "listed": "versions: ['1.0', 2.0.0]",
            "again": again,
            "fixed": again,
            "gone": "versions: [1]\nwithdrawn: 2026-02-03 04:05:06+00:00",
            "tenth": "versions: [1.1]",
        }.items(),
        start=10,
    ):
        advise(advisories, package, "0", number=number)
        path = advisories / "vulns" / package / f"PYSEC-2026-{number}.yaml"
        head, _, rest = path.read_text().partition("  ranges:")
        path.write_text(f"{head}  {affected}\naliases:{rest.partition('aliases:')[2]}")
    judgement = scan_project(scanner(advisories)).judgement
    assert judgement is not None
    assert {each.message.split()[0] for each in judgement.findings} == {"last", "listed", "again"}


def test_old_advisories_are_a_doubt(scan_project: Scan, locked: Path, tmp_path: Path) -> None:
    directory = tmp_path / "old"
    advise(directory, "jinja2", "2.7.2", modified="2026-01-02 03:04:05.5+00:00")
    judgement = scan_project(scanner(directory)).judgement
    assert judgement is not None
    assert "since 2026-01-02, 324 days ago, and at most 30 are allowed (advisories_days in [audit]" in judgement.doubt
    assert judgement.doubt.endswith(FETCH)


@pytest.mark.parametrize(("fresh", "since"), [(9, "2024-10-09, 774 days ago"), (10, "2026-11-20, 2 days ago")])
def test_a_few_fresh_files_do_not_make_old_advisories_current(
    scan_project: Scan, locked: Path, tmp_path: Path, fresh: int, since: str
) -> None:
    directory = tmp_path / "mixed"
    advise(directory, "jinja2", "2.7.2", modified="2024-10-09 03:04:05+00:00")
    for number in range(2, 20):
        advise(directory, "other", "1", number=number, modified="'2024-10-08T10:00:00Z'")
    for number in range(2, 2 + fresh):
        advise(directory, "other", "1", number=number)
    judgement = scan_project(scanner(directory)).judgement
    assert judgement is not None
    told = f"advisories: the 19 of mixed, up to 2026-11-20, the newest 10 of them since {since}"
    assert judgement.evidence[1] == told
    assert judgement.doubt.startswith(told) if fresh < 10 else not judgement.doubt


def test_advisories_from_the_future_are_a_doubt(scan_project: Scan, locked: Path, tmp_path: Path) -> None:
    directory = tmp_path / "future"
    advise(directory, "jinja2", "2.7.2", modified="2027-01-02 03:04:05+00:00")
    judgement = scan_project(scanner(directory)).judgement
    assert judgement is not None
    assert "2027-01-02, which has not come yet" in judgement.doubt


def test_advisories_that_do_not_know_the_planted_version_are_inconclusive(
    scan_project: Scan, locked: Path, tmp_path: Path
) -> None:
    advise(tmp_path / "poor", "weak-thing", "1.0")
    error = str(scan_project(scanner(tmp_path / "poor")).error)
    assert error.startswith("it did not find what was planted, jinja2 2.4.1 (advisories: the 1 of poor, ")
    assert error.endswith(": the directory is incomplete, or was not asked)")


@pytest.mark.parametrize(("service", "reason"), [("service", "exit code 1"), ("osv", "exit code 1")])
def test_a_service_that_cannot_be_reached_is_inconclusive(
    scan_project: Scan, locked: Path, monkeypatch: pytest.MonkeyPatch, service: str, reason: str
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    outcome = scan_project(scanner(service))
    assert outcome.judgement is None
    assert reason in str(outcome.error)
    assert str(outcome.error).endswith(f"; where no service can be reached, {FETCH}")


def test_advisories_that_cannot_be_read_are_inconclusive(scan_project: Scan, locked: Path, advisories: Path) -> None:
    assert str(scan_project(scanner("nowhere")).error) == f"there is no directory of advisories at nowhere: {FETCH}"
    (advisories / "empty").mkdir()
    assert str(scan_project(scanner(advisories / "empty")).error).endswith(
        "no advisory is in empty: PyPA's are a YAML file each"
    )


@pytest.mark.parametrize(
    ("content", "lacking"),
    [
        ("id: PYSEC-2026-3\n", "modified (a date and time) and no package's name"),
        ("affected:\n- package:\n    name: x\nmodified: 2026-01-02\n", "id and no modified (a date and time)"),
        ("id: PYSEC-2026-3\nmodified: 2026-01-02 03:04:05\n", "package's name"),
    ],
)
def test_a_file_that_is_no_advisory_is_told_with_what_it_lacks(
    scan_project: Scan, locked: Path, advisories: Path, content: str, lacking: str
) -> None:
    (advisories / "vulns" / "jinja2" / "PYSEC-2026-3.yaml").write_text(content)
    assert str(scan_project(scanner(advisories)).error).endswith(
        f"vulns/jinja2/PYSEC-2026-3.yaml is no advisory, it has no {lacking}: complete it, or name a folder that holds "
        "advisories alone"
    )


SEMVER = "ranges:\n  - type: SEMVER\n    events: [{introduced: '0'}]"


@pytest.mark.parametrize(
    ("affected", "reason"),
    [
        (SEMVER, "it has a range of type SEMVER, and only ECOSYSTEM is of PyPI's versions"),
        (f"{SEMVER}\n  versions: ['1.9']", "it has a range of type SEMVER, and only ECOSYSTEM is of PyPI's versions"),
        (SEMVER.replace("SEMVER", "GIT"), "it has neither versions nor a range of type ECOSYSTEM"),
        ("severity: []", "it has neither versions nor a range of type ECOSYSTEM"),
        (SEMVER.replace("SEMVER", "GIT") + "\n  versions: ['1.9']", ""),
        (f"{SEMVER}\nwithdrawn: 2026-02-03 04:05:06+00:00", ""),
    ],
)
def test_an_advisory_that_cannot_be_judged_is_a_doubt_about_its_package(
    scan_project: Scan, locked: Path, advisories: Path, affected: str, reason: str
) -> None:
    path = advisories / "vulns" / "weak-thing" / "PYSEC-2026-2.yaml"
    head, _, rest = path.read_text().partition("  ranges:")
    path.write_text(f"{head}  {affected}\naliases:{rest.partition('aliases:')[2]}")
    judgement = scan_project(scanner(advisories)).judgement
    assert judgement is not None
    told = f"vulns/weak-thing/PYSEC-2026-2.yaml says nothing of weak-thing 1.10 that can be judged: {reason}; mend the"
    assert judgement.doubt.startswith(told) if reason else not judgement.doubt
    assert not judgement.findings


def test_what_else_is_found_stays_found_beside_an_advisory_that_cannot_be_judged(
    scan_project: Scan, locked: Path, advisories: Path
) -> None:
    lock(locked, "more.txt", "weak-thing==1.9", "other==1")
    advise(advisories, "other", "2", number=3)
    path = advisories / "vulns" / "other" / "PYSEC-2026-3.yaml"
    path.write_text(path.read_text().replace("ECOSYSTEM", "SEMVER"))
    judgement = scan_project(scanner(advisories)).judgement
    assert judgement is not None
    assert [each.rule for each in judgement.findings] == ["CVE-2026-0002"]
    assert "nothing of other 1 that can be judged" in judgement.doubt


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("affected: [", "it is no YAML"),
        ("affected: none\n", "it does not say what is affected"),
        ("schema_version: '2.0'\n", "it has schema version 2.0"),
    ],
)
def test_an_advisory_that_makes_no_sense_is_inconclusive(
    scan_project: Scan, locked: Path, advisories: Path, broken: str, reason: str
) -> None:
    path = advisories / "vulns" / "jinja2" / "PYSEC-2026-1.yaml"
    path.write_text(f"{path.read_text()}{broken}")
    outcome = scan_project(scanner(advisories))
    assert outcome.judgement is None
    said = str(outcome.error)
    assert said.startswith(f"vulns/jinja2/PYSEC-2026-1.yaml says nothing of jinja2 2.4.1 that can be judged: {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "requirements/server.txt locks nothing"),
        ("jinja2>=3\n", "requirements/server.txt:1 is no pinned requirement with hashes"),
        ("jinja2==3.1.6\n", "requirements/server.txt:1 is no pinned requirement with hashes"),
        ("\n-r other.txt\n", "requirements/server.txt:2 is no pinned requirement with hashes"),
    ],
)
def test_a_lock_that_says_too_little_is_inconclusive(
    scan_project: Scan, locked: Path, advisories: Path, content: str, reason: str
) -> None:
    (locked / "requirements" / "server.txt").write_text(content)
    assert str(scan_project(scanner(advisories)).error) == reason


def test_without_any_lock_it_is_inconclusive(scan_project: Scan, advisories: Path) -> None:
    assert "there is no lock" in str(scan_project(scanner(advisories)).error)


def test_a_missing_tool_is_inconclusive(scan_project: Scan, locked: Path, advisories: Path, tmp_path: Path) -> None:
    error = str(scan_project(scanner(advisories), stand_in=tmp_path / "empty" / "bin").error)
    assert error.startswith("python is not installed in empty: remove empty")


def test_an_advisory_that_was_dropped_is_inconclusive(
    scan_project: Scan, stand_in: StandIn, programs: Path, locked: Path, advisories: Path
) -> None:
    stand_in("python", f'exec {programs}/python "$@"')
    warning = "WARNING:pip_audit._service.osv:Unsupported OSV schema version: 2.0"
    chatty = stand_in("pip-audit", f'echo {shlex.quote(warning)} >&2; exec {programs}/pip-audit "$@"')
    outcome = scan_project(scanner(advisories), stand_in=chatty)
    assert "has dropped an advisory" in trouble(outcome)


def answer(name: str, version: str, *vulnerabilities: str, **more: str) -> dict[str, object]:
    vulns = [{"id": each, "fix_versions": [], "aliases": []} for each in vulnerabilities]
    return {"name": name, "version": version, "vulns": vulns, **more}


SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("dependencies", "reason"),
    [
        ([SKIPPED, answer("weak-thing", "1.10")], "1 of 2 dependencies were passed over, jinja2 among them"),
        (
            [answer("jinja2", "3.1.6"), answer("jinja2", "2.4.1", "PYSEC-1")],
            "1 dependencies have no answer, weak-thing",
        ),
        ([answer("jinja2", "3.1.6"), answer("weak-thing", "1.10")], "did not find what was planted"),
        ([], "2 dependencies have no answer"),
        ("none", "dependencies: Input should be a valid array"),
    ],
)
def test_answers_that_are_no_evidence_are_inconclusive(
    scan_project: Scan,
    stand_in: StandIn,
    programs: Path,
    locked: Path,
    advisories: Path,
    dependencies: object,
    reason: str,
) -> None:
    stand_in("python", f'exec {programs}/python "$@"')
    said = shlex.quote(json.dumps({"dependencies": dependencies, "fixes": []}))
    outcome = scan_project(scanner(advisories), stand_in=stand_in("pip-audit", f"echo {said}"))
    assert reason in trouble(outcome)
