"""Each way in which a job of the night can end, with real child processes."""

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.nightly import Job, run_nightly
from harness.record import RunRecord, parse_record
from harness.report import REPORT_NAMES
from harness.run import Surroundings
from harness.verdict import CheckStatus, PartStatus, Status

FAKE_JOB = Path(__file__).with_name("fake_job.py")
ROOT = Path(__file__).resolve().parents[4]


@dataclass
class Night:
    """What came of a night."""

    code: int
    record: RunRecord
    stdout: str
    stderr: str
    directory: Path

    @property
    def statuses(self) -> dict[str, CheckStatus]:
        return {check.id: check.status for check in self.record.checks}


def job(mode: str, *, name: str = "", budget: float = 30, needs_outside: bool = False) -> Job:
    return Job(name=name or mode.replace("_", "-"), command=(mode,), budget_seconds=budget, needs_outside=needs_outside)


@pytest.fixture
def night(tmp_path: Path) -> Callable[..., Night]:
    reports, notes = tmp_path / "reports", tmp_path / "notes"
    notes.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FAKE_REPORTS": str(reports),
        "FAKE_NOTES": str(notes),
    }

    def run(*jobs: Job, **options: object) -> Night:
        stdout, stderr = io.StringIO(), io.StringIO()
        code = run_nightly(
            jobs,
            **{
                "directory": tmp_path,
                "environment": environment,
                "reports_directory": reports,
                "program": (sys.executable, str(FAKE_JOB)),
                "stop_seconds": 10.0,
                "surroundings": Surroundings(stdout=stdout, stderr=stderr),
                **options,
            },  # type: ignore[arg-type]
        )
        directory = (reports / "latest-nightly").resolve()
        record = parse_record((directory / "record.json").read_bytes())
        assert record.exit_code == code
        return Night(code, record, stdout.getvalue(), stderr.getvalue(), directory)

    return run


def test_a_night_in_which_all_passes(night: Callable[..., Night]) -> None:
    done = night(job("passes", name="one"), job("passes", name="two"))
    assert done.code == 0
    assert [(part.name, part.status, part.exit_code) for part in done.record.parts] == [
        ("one", PartStatus.PASSED, 0),
        ("two", PartStatus.PASSED, 0),
    ]
    assert done.statuses == {
        f"{name}.{check}": CheckStatus.PASSED
        for name in ("one", "two")
        for check in ("ran", "answers", "call_duration.p95")
    }
    assert {each.labels["part"] for each in done.record.measurements} == {"one", "two"}
    assert len(done.record.measurements) == 4


def test_the_files_that_a_night_names_are_there(night: Callable[..., Night]) -> None:
    done = night(job("passes"), job("silent"))
    names = [artifact.path for artifact in done.record.artifacts]
    assert "logs/passes.stderr.log" in names
    assert any(name.endswith("/logs/server.log") for name in names)
    for name in [*names, *(part.record for part in done.record.parts if part.record), *REPORT_NAMES]:
        assert (done.directory / name).is_file(), name
    assert (done.directory / "logs/passes.stderr.log").read_text() == "starting\n"


def test_a_failing_part_fails_the_night(night: Callable[..., Night]) -> None:
    done = night(job("passes"), job("fails"))
    assert done.code == 1
    assert done.record.parts[1].status is PartStatus.FAILED
    assert done.statuses["fails.findings"] is CheckStatus.FAILED
    (check,) = (check for check in done.record.checks if check.id == "fails.findings")
    assert check.findings[0].rule == "RULE-1"


def test_a_failing_part_wins_over_an_inconclusive_one(night: Callable[..., Night]) -> None:
    assert night(job("silent"), job("fails"), job("passes")).code == 1


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("usage", "wrong usage or configuration (exit code 2); it said: fake: --speed must be a number"),
        ("silent", "exit code 0; it printed no record; it said: starting"),
        ("garbage", "exit code 0; invalid run record"),
        ("incomplete", "invalid run record: checks"),
        ("contradicts_itself", "status is passed, but the checks come to failed"),
        ("differs", "differs from"),
        ("lies", "exit code 1 contradicts its record, which says passed (0)"),
        ("unkept", "it left no record at"),
        ("killed", "ended by SIGKILL; it printed no record; it said: about to end"),
        ("shows_nothing", "no check of it passed"),
    ],
)
def test_a_part_without_a_verdict_is_inconclusive_and_says_why(
    night: Callable[..., Night], mode: str, reason: str
) -> None:
    done = night(job("passes"), job(mode))
    name = mode.replace("_", "-")
    assert done.code == 3
    assert done.record.parts[1].status is PartStatus.INCONCLUSIVE
    assert reason in done.record.parts[1].reason
    assert done.statuses[f"{name}.ran"] is CheckStatus.INCONCLUSIVE
    assert done.statuses["passes.ran"] is CheckStatus.PASSED
    assert f"{name}.ran" in done.stdout


def test_a_record_of_an_earlier_run_is_not_taken(night: Callable[..., Night]) -> None:
    done = night(job("passes"), job("stale"))
    assert done.code == 3
    assert "is of an earlier run" in done.record.parts[1].reason


def test_an_inconclusive_part_stays_inconclusive(night: Callable[..., Night]) -> None:
    done = night(job("cannot_tell"))
    assert done.code == 3
    assert done.record.parts[0].status is PartStatus.INCONCLUSIVE
    assert done.statuses["cannot-tell.ran"] is CheckStatus.PASSED
    assert done.statuses["cannot-tell.unknown"] is CheckStatus.INCONCLUSIVE


def test_what_a_part_allows_is_allowed_in_the_night_and_still_shown(night: Callable[..., Night]) -> None:
    done = night(job("allows"))
    assert done.code == 0
    assert done.record.allowed_inconclusive == ("allows.unknown",)
    assert "NOT CHECKED" in done.stdout


def test_the_night_may_allow_what_a_part_does_not(night: Callable[..., Night]) -> None:
    done = night(job("cannot_tell"), allow_inconclusive=["cannot-tell.unknown"])
    assert done.code == 0
    assert "NOT CHECKED" in done.stdout


def test_what_the_night_is_to_allow_is_named_with_its_part(night: Callable[..., Night]) -> None:
    done = night(job("cannot_tell"), allow_inconclusive=["unknown"])
    assert done.code == 3
    assert "no check has the id 'unknown'" in done.stdout


def test_a_part_that_cannot_be_started_is_inconclusive(night: Callable[..., Night], tmp_path: Path) -> None:
    done = night(job("passes"), program=(str(tmp_path / "nothing"),))
    assert done.code == 3
    assert "could not be started" in done.record.parts[0].reason


def test_a_part_over_its_budget_is_ended_and_what_it_found_is_kept(night: Callable[..., Night], tmp_path: Path) -> None:
    done = night(job("is_slow", budget=3), job("passes"))
    assert done.record.parts[0].status is PartStatus.INCONCLUSIVE
    assert done.record.parts[0].reason == "did not finish within its budget of 3.0 s"
    assert done.record.parts[1].status is PartStatus.PASSED
    assert done.statuses["is-slow.findings"] is CheckStatus.FAILED
    assert done.code == 1
    assert not psutil.pid_exists(int((tmp_path / "notes/slow").read_text()))


def test_a_part_that_does_not_heed_being_ended_is_killed(night: Callable[..., Night], tmp_path: Path) -> None:
    done = night(job("hangs", budget=2), job("passes"), stop_seconds=0.5)
    assert done.code == 3
    assert done.record.parts[0].reason.startswith("did not finish within its budget of 2.0 s")
    assert done.record.parts[0].reason.endswith("it said: waiting for ever")
    assert not psutil.pid_exists(int((tmp_path / "notes/hangs").read_text()))


def test_nothing_that_a_part_started_outlives_it(night: Callable[..., Night], tmp_path: Path) -> None:
    assert night(job("leaves_a_child")).code == 0
    pid = int((tmp_path / "notes/grandchild").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_quick_leaves_out_what_needs_the_outside_and_lists_it(night: Callable[..., Night]) -> None:
    jobs = (job("passes"), job("fails", needs_outside=True))
    done = night(*jobs, quick=True)
    assert done.code == 0
    assert done.record.parts[1].status is PartStatus.SKIPPED
    assert done.statuses["fails.ran"] is CheckStatus.SKIPPED
    assert "fails.ran" in done.stdout.partition("NOT CHECKED")[2]
    assert night(*jobs).code == 1


def test_a_night_that_leaves_everything_out_shows_nothing(night: Callable[..., Night]) -> None:
    assert night(job("passes", needs_outside=True), quick=True).code == 3


def test_a_night_without_jobs_is_wrong_configuration(tmp_path: Path) -> None:
    stderr = io.StringIO()
    code = run_nightly(
        (),
        directory=tmp_path,
        environment={},
        reports_directory=tmp_path / "reports",
        surroundings=Surroundings(stderr=stderr),
    )
    assert code == 2
    assert "[[nightly.jobs]]" in stderr.getvalue()


def test_json_prints_only_the_night_s_record(night: Callable[..., Night]) -> None:
    done = night(job("passes"), as_json=True)
    assert json.loads(done.stdout)["id"] == done.record.id
    assert done.record.status is Status.PASSED
