"""Every scanner of the catalogue: it fires, it stays quiet, and whatever keeps it from looking is never a pass.

A scanner without a case here fails the first test.
"""

import base64
import io
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.collector import Run
from harness.errors import HarnessError
from harness.progress import make_progress
from harness.repository import REPOSITORY
from harness.verdict import CheckStatus, Severity
from harness.virtual_environment import UnpreparedError, prepare
from security.findings import read_lines
from security.model import AuditTable
from security.scan.ansible_lint import AnsibleLint
from security.scan.bandit import Bandit
from security.scan.catalogue import catalogue
from security.scan.checkov import Checkov
from security.scan.detect_secrets import DetectSecrets
from security.scan.hadolint import Hadolint
from security.scan.history import History
from security.scan.pip_audit import PipAudit
from security.scan.run import Outcome, report, scan
from security.scan.scanner import MACHINE, Scanner, Scene
from security.scan.units import HARDENED, Units
from security.scan.zizmor import Zizmor
from tests.integration.security.conftest import trouble

NOW = datetime(2026, 11, 23, tzinfo=UTC)
# Put together here, so that nobody finds it in this file, nor in its history.
TOKEN = "npm" + "_" + "aB3dE6gH9jaB3dE6gH9jaB3dE6gH9jaB3dE6"
PIN = "{} \\\n    --hash=sha256:" + "0" * 64 + "\n"
ADVISORY = """\
id: PYSEC-2026-{number}
details: It does what it should not.
affected:
- package:
    name: {package}
    ecosystem: PyPI
  ranges:
  - {{type: ECOSYSTEM, events: [{{introduced: '0'}}, {{fixed: '{fixed}'}}]}}
modified: '2026-11-20T10:00:00Z'
"""
WORKFLOW = """\
name: CI
on: push
permissions: {}
concurrency: {group: ci, cancel-in-progress: true}
jobs:
  test:
    name: Test
    runs-on: ubuntu-24.04
    steps:
      - run: %s
"""
PLAYBOOK = """\
---
- name: Site
  hosts: all
  tasks:
    - name: Greet
      ansible.builtin.%s
"""
MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: shop
  namespace: shop
  annotations: {checkov.io/skip1: CKV_K8S_17=no}
spec:
  %s: true
  containers: []
"""
NO_MANIFEST = MANIFEST % "hostPID" + "  broken: [\n"
Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Case:
    """What a scanner must do with a project: files by their paths, and the rule and place that it must tell."""

    scanner: Scanner
    clean: Files
    planted: Files
    fires: tuple[str, str]
    quiet: str
    """Its output had it found nothing, not even what was planted."""
    broken: Files = field(default_factory=dict)
    broken_reason: str = ""
    empty: CheckStatus = CheckStatus.NOT_APPLICABLE
    """What comes of a repository with nothing of its kind."""
    kept: tuple[str, ...] = ()
    """Other programs that it needs beside its own: they stay the real ones."""
    executable: str = ""
    formless: str = "no JSON"
    """What it says of output in which nothing has the form that it must have."""
    commits: bool = False


CASES = [
    Case(
        Bandit(leave_out=("tests",)),
        clean={"shop.py": "total = 1\n"},
        planted={"shop.py": "import subprocess\nsubprocess.call(words, shell=True)  # nosec\n"},
        fires=("B602", "shop.py:2"),
        broken={"broken.py": "def (\n"},
        broken_reason="broken.py could not be examined: syntax error",
        quiet=json.dumps({"errors": [], "metrics": {"./shop.py": {"loc": 1}}, "results": [], "generated_at": "now"}),
        empty=CheckStatus.INCONCLUSIVE,
    ),
    Case(
        DetectSecrets(samples=("tests",)),
        clean={"shop.py": "total = 1\n"},
        planted={"shop.py": f'go("{TOKEN}")  # pragma: allowlist secret\n'},
        fires=("Token of npm", "shop.py:1"),
        broken={"dump.txt": base64.b64encode(bytes(range(256)) * 8000)},
        broken_reason="dump.txt holds more than can be examined",
        quiet=json.dumps({"results": {}, "plugins_used": []}),
        empty=CheckStatus.INCONCLUSIVE,
    ),
    Case(
        History(),
        clean={"shop.py": "total = 1\n"},
        planted={"shop.py": f'go("{TOKEN}")\n'},
        fires=("Token of npm", "shop.py"),
        quiet=json.dumps(
            {"commits": 4, "lines": 9, "searched": 9, "complete": True, "detectors": 9, "still_there": 0, "tokens": []}
        ),
        executable="python",
        commits=True,
    ),
    Case(
        PipAudit("advisories", limit=timedelta(days=30), now=NOW),
        clean={
            "requirements/server.txt": PIN.format("weak-thing==1.10"),
            "advisories/1.yaml": ADVISORY.format(number=1, package="jinja2", fixed="2.7"),
            "advisories/2.yaml": ADVISORY.format(number=2, package="weak-thing", fixed="1.10"),
        },
        planted={"requirements/server.txt": PIN.format("weak-thing==1.9")},
        fires=("PYSEC-2026-2", "requirements/server.txt:1"),
        broken={"requirements/more.txt": "weak-thing>=1\n"},
        broken_reason="requirements/more.txt:1 is no pinned requirement with hashes",
        quiet=json.dumps({"dependencies": [{"name": "weak-thing", "version": "1.10", "vulns": []}]}),
        empty=CheckStatus.INCONCLUSIVE,
        kept=("python",),
    ),
    Case(
        Hadolint(leave_out=("tests",)),
        clean={"deploy/Containerfile": "FROM debian:13.1\nUSER 10001\n"},
        planted={"deploy/Containerfile": "FROM debian:13.1\n# hadolint ignore=DL3004\nRUN sudo ls\nUSER 10001\n"},
        fires=("DL3004", "deploy/Containerfile:3"),
        broken={"Dockerfile.old": "FRM debian\n"},
        broken_reason="Dockerfile.old:1 could not be examined: unexpected 'F'",
        quiet="[]",
    ),
    Case(
        Zizmor(leave_out=("tests",)),
        clean={".github/workflows/ci.yml": WORKFLOW % "make test"},
        planted={
            ".github/workflows/ci.yml": WORKFLOW
            % "echo ${{ github.event.issue.title }} # zizmor: ignore[template-injection]"
        },
        fires=("template-injection", ".github/workflows/ci.yml:10"),
        broken={".github/workflows/broken.yml": "on: [\n"},
        broken_reason="1 of 2 files were not examined, .github/workflows/broken.yml among them: ",
        quiet="[]",
    ),
    Case(
        AnsibleLint(leave_out=("tests",)),
        clean={"playbooks/site.yml": PLAYBOOK % "ping:"},
        planted={"playbooks/site.yml": PLAYBOOK % "shell: cat greeting | sh  # noqa: risky-shell-pipe"},
        fires=("risky-shell-pipe", "playbooks/site.yml:5"),
        broken={"playbooks/broken.yml": "- hosts: [\n"},
        broken_reason="playbooks/broken.yml:",
        quiet="[]",
    ),
    Case(
        Checkov(leave_out=("tests",)),
        clean={"deploy/kubernetes/shop.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"},
        planted={"deploy/kubernetes/shop.yaml": MANIFEST % "hostPID"},
        fires=("CKV_K8S_17", "deploy/kubernetes/shop.yaml:1"),
        broken={"deploy/kubernetes/broken.yaml": NO_MANIFEST},
        broken_reason="1 of 2 files were not examined to their end, deploy/kubernetes/broken.yaml among them",
        quiet=json.dumps({"check_type": "kubernetes", "results": {"failed_checks": [], "parsing_errors": []}}),
    ),
    Case(
        Units(limit=3.0, leave_out=("tests",)),
        clean={"deploy/systemd/shop@.service": HARDENED.text},
        planted={"deploy/systemd/shop@.service": "# ProtectSystem=strict\n[Service]\nExecStart=/shop\nUser=shop\n"},
        fires=("exposure", "deploy/systemd/shop@.service:2"),
        broken={"deploy/systemd/broken.service": "[Service]\nUser=shop\n"},
        broken_reason="1 of 2 units were not examined, deploy/systemd/broken.service among them: "
        "deploy/systemd/broken.service: Service has no ExecStart=",
        quiet="→ Overall exposure level for unit2@i.service: 0.4 SAFE :-}",
        formless="no rating",
    ),
]
# Making an environment may take longer than a test should.
pytestmark = pytest.mark.timeout(600)
every_scanner = pytest.mark.parametrize("case", CASES, ids=lambda case: case.scanner.name)
every_locked_scanner = pytest.mark.parametrize(
    "case", [each for each in CASES if each.scanner.environment != MACHINE], ids=lambda case: case.scanner.name
)
every_scanner_of_the_machine = pytest.mark.parametrize(
    "case", [each for each in CASES if each.scanner.environment == MACHINE], ids=lambda case: case.scanner.name
)


def test_every_scanner_of_the_catalogue_has_a_case() -> None:
    assert {case.scanner.name for case in CASES} == {each.name for each in catalogue(AuditTable(), NOW)}


@dataclass(frozen=True)
class Ground:
    """A project of its own, and scans of it."""

    folder: Path
    scratch: Path
    programs: Callable[[str], Path]

    def write(self, files: Files, *, commit: bool = False) -> None:
        for path, content in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        if commit:
            who = ("-c", "user.name=a test", "-c", "user.email=test@example.com")
            for command in (("add", "-A"), (*who, "commit", "--quiet", "-m", "a change")):
                subprocess.run(["git", "-C", str(self.folder), *command], check=True)

    def scan(
        self, case: Case, programs: Callable[[str], Path] | None = None, *, seconds: float = 120, path: str = ""
    ) -> tuple[Outcome, CheckStatus]:
        """The outcome, and the status of its check. `path` is where programs of the machine are looked for."""
        files = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        listed = tuple(path for path in files if not path.startswith(".git/"))
        folder = self.scratch / str(len(list(self.scratch.iterdir())))
        environ = {**os.environ, "PATH": path} if path else os.environ
        scene = Scene(self.folder, listed, folder, programs or self.programs, environ)
        (outcome,) = scan([case.scanner], scene, seconds=seconds)
        run = Run(self.scratch, make_progress(io.StringIO(), silent=True))
        report(run, [outcome], Severity.MEDIUM, read_lines(self.folder))
        return outcome, run.checks[0].status


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    (tmp_path / "project").mkdir()
    (tmp_path / "scratch").mkdir()
    logs = tmp_path_factory.mktemp("environments")

    def programs(name: str) -> Path:
        return prepare(REPOSITORY, name, logs=logs, environ=os.environ).parent

    subprocess.run(["git", "init", "--quiet", str(tmp_path / "project")], check=True)
    return Ground(tmp_path / "project", tmp_path / "scratch", programs)


def stand_ins(ground: Ground, case: Case, script: str) -> Callable[[str], Path]:
    """Programs of which the scanner's own is a shell script."""
    folder = ground.scratch / "stand-ins" / "bin"
    folder.mkdir(parents=True)
    for name in case.kept:
        (folder / name).write_text(f'#!/bin/sh\nexec {ground.programs(case.scanner.environment)}/{name} "$@"\n')
    (folder / (case.executable or case.scanner.program)).write_text(f"#!/bin/sh\n{script}\n")
    for program in folder.iterdir():
        program.chmod(0o755)
    return lambda _: folder


def scan_stand_in(ground: Ground, case: Case, script: str, *, seconds: float = 120) -> tuple[Outcome, CheckStatus]:
    """The outcome where the scanner's own program is a shell script, wherever it is looked for."""
    programs = stand_ins(ground, case, script)
    path = f"{programs(MACHINE)}:{os.environ['PATH']}" if case.scanner.environment == MACHINE else ""
    return ground.scan(case, programs, seconds=seconds, path=path)


@every_scanner
def test_it_stays_quiet_on_what_is_clean(case: Case, ground: Ground) -> None:
    ground.write(case.clean, commit=case.commits)
    outcome, status = ground.scan(case)
    assert trouble(outcome) == ""
    assert outcome.judgement is not None
    assert outcome.judgement.findings == ()
    assert (status, outcome.judgement.examined) == (CheckStatus.PASSED, 1)


@every_scanner
def test_it_fires_on_what_is_planted_whatever_a_comment_asks_for(case: Case, ground: Ground) -> None:
    ground.write(case.clean, commit=case.commits)
    ground.write(case.planted, commit=case.commits)
    if case.commits:
        ground.write(case.clean, commit=True)
    outcome, status = ground.scan(case)
    assert trouble(outcome) == ""
    assert outcome.judgement is not None
    assert case.fires in {(each.rule, each.location) for each in outcome.judgement.findings}
    assert status is CheckStatus.FAILED
    assert TOKEN not in repr(outcome)


@every_scanner
def test_a_repository_without_anything_of_its_kind(case: Case, ground: Ground) -> None:
    def no_programs(name: str) -> Path:
        raise AssertionError(f"{name} was made for nothing")

    outcome, status = ground.scan(case, no_programs)
    assert isinstance(outcome.error, HarnessError)
    assert status is case.empty


@pytest.mark.parametrize("case", [each for each in CASES if each.broken], ids=lambda case: case.scanner.name)
def test_a_file_that_it_cannot_examine_is_inconclusive(case: Case, ground: Ground) -> None:
    ground.write(case.clean)
    ground.write(case.broken)
    outcome, status = ground.scan(case)
    assert case.broken_reason in trouble(outcome)
    assert status is CheckStatus.INCONCLUSIVE


@every_scanner
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo all is well", "has not the form it must have ({formless}; exit code 0)"),
        ("exit 0", "has not the form it must have ({formless}; exit code 0)"),
        ("echo '{}'; echo '[]'", "has not the form it must have ({formless}; exit code 0)"),
        ("echo 7", "has not the form it must have"),
        ("echo it broke >&2; exit 42", "exit code 42: it broke"),
        ("kill -9 $$", "exit code -9: it said nothing"),
        ("sleep 60", "did not finish within 1 s"),
    ],
    ids=["garbage", "nothing", "two documents", "another form", "an error", "a crash", "a time-out"],
)
def test_output_that_is_no_evidence_is_inconclusive(case: Case, ground: Ground, script: str, reason: str) -> None:
    ground.write(case.clean, commit=case.commits)
    outcome, status = scan_stand_in(ground, case, script, seconds=1)
    assert reason.format(formless=case.formless) in trouble(outcome)
    assert status is CheckStatus.INCONCLUSIVE


@every_scanner
def test_output_without_what_was_planted_is_inconclusive(case: Case, ground: Ground) -> None:
    ground.write(case.clean, commit=case.commits)
    said = f"cat <<'END'\n{case.quiet}\nEND\necho ' INFO in 2 files processed of 2 encountered' >&2"
    outcome, status = scan_stand_in(ground, case, said)
    assert outcome.judgement is None
    assert any(words in trouble(outcome) for words in ("what was planted", "not examined", "no answer"))
    assert outcome.evidence != ()
    assert status is CheckStatus.INCONCLUSIVE


@every_locked_scanner
def test_a_missing_tool_is_inconclusive_and_says_what_to_do(case: Case, ground: Ground) -> None:
    ground.write(case.clean, commit=case.commits)
    (ground.scratch / "empty" / "bin").mkdir(parents=True)
    outcome, status = ground.scan(case, lambda _: ground.scratch / "empty" / "bin")
    assert "is not installed in empty: remove empty, and it is made anew of requirements/audit" in trouble(outcome)
    assert status is CheckStatus.INCONCLUSIVE


@every_scanner_of_the_machine
def test_a_tool_that_the_machine_lacks_is_inconclusive_and_says_what_to_do(case: Case, ground: Ground) -> None:
    ground.write(case.clean, commit=case.commits)
    outcome, status = ground.scan(case, path=str(ground.scratch))
    assert trouble(outcome).startswith(f"{case.scanner.program} is not installed: install the package ")
    assert status is CheckStatus.INCONCLUSIVE


@every_locked_scanner
def test_an_environment_that_cannot_be_made_is_inconclusive(case: Case, ground: Ground) -> None:
    def unprepared(name: str) -> Path:
        raise UnpreparedError(f"the environment of {name}.txt cannot be made")

    ground.write(case.clean, commit=case.commits)
    outcome, status = ground.scan(case, unprepared)
    assert trouble(outcome) == f"the environment of {case.scanner.environment}.txt cannot be made"
    assert status is CheckStatus.INCONCLUSIVE
