"""One job from its body to its exit code, record and files."""

import hashlib
import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, UsageError
from harness.record import RunRecord, Target, parse_record
from harness.run import Run, Surroundings, run_job
from harness.verdict import CheckStatus, Status
from harness.waivers import Waiver


@dataclass
class Job:
    """Runs a body and keeps what came of it."""

    reports: Path
    stdout: io.StringIO = field(default_factory=io.StringIO)
    stderr: io.StringIO = field(default_factory=io.StringIO)

    def __call__(self, body: Callable[[Run], None], **options: Any) -> int:
        return run_job(
            "example",
            body,
            **{
                "arguments": {},
                "reports_directory": self.reports,
                "surroundings": Surroundings(stdout=self.stdout, stderr=self.stderr),
                **options,
            },
        )

    @property
    def directory(self) -> Path:
        (directory,) = (path for path in self.reports.iterdir() if not path.is_symlink())
        return directory

    @property
    def record(self) -> RunRecord:
        return parse_record((self.directory / "record.json").read_bytes())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "reports")


def passes(run: Run) -> None:
    with run.check("a", "A") as check:
        check.expect(1, "")


def fails(run: Run) -> None:
    passes(run)
    with run.check("b", "B") as check:
        check.fail("bad")


def test_a_passing_job_leaves_a_record_its_reports_and_a_pointer(job: Job) -> None:
    assert job(passes, target=Target(name="local", url="http://127.0.0.1:1/mcp")) == 0
    assert job.record.status is Status.PASSED
    assert {path.name for path in job.directory.iterdir()} == {
        "record.json", "report.html", "report.md", "report.sarif", "junit.xml",
    }  # fmt: skip
    assert (job.reports / "latest-example").resolve() == job.directory
    assert "PASSED" in job.stdout.getvalue()
    assert str(job.directory / "report.html") in job.stdout.getvalue()
    assert job.stderr.getvalue() == ""


def test_a_failing_job_exits_1(job: Job) -> None:
    assert job(fails) == 1
    assert job.record.exit_code == 1


def test_json_prints_the_record_and_nothing_else(job: Job) -> None:
    job(fails, as_json=True)
    assert parse_record(job.stdout.getvalue()) == job.record


def test_an_empty_body_shows_nothing_and_so_is_inconclusive(job: Job) -> None:
    assert job(lambda _: None) == 3


def test_an_internal_error_is_one_line_and_a_kept_traceback(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        raise KeyError("missing\nthing")

    assert job(body) == 3
    (line,) = job.stderr.getvalue().splitlines()
    assert line.startswith("example: internal error, KeyError: ")
    assert "Traceback" not in job.stderr.getvalue() + job.stdout.getvalue()
    assert "Traceback" in (job.directory / "logs/tracebacks.log").read_text()
    assert "logs/tracebacks.log" in {artifact.path for artifact in job.record.artifacts}
    assert {check.id: check.status for check in job.record.checks} == {
        "a": CheckStatus.PASSED,
        "run": CheckStatus.INCONCLUSIVE,
    }


def test_an_unreachable_target_is_inconclusive_with_its_reason(job: Job) -> None:
    def body(_run: Run) -> None:
        raise HarnessError("target staging cannot be reached")

    assert job(body) == 3
    assert job.stderr.getvalue() == "example: target staging cannot be reached\n"
    assert job.record.checks[0].reason == "target staging cannot be reached"


def test_a_failure_wins_over_a_later_internal_error(job: Job) -> None:
    def body(run: Run) -> None:
        fails(run)
        raise KeyError

    assert job(body) == 1


def test_wrong_usage_before_anything_was_checked_exits_2_without_a_record(job: Job) -> None:
    def body(_run: Run) -> None:
        raise UsageError("first problem\nsecond problem")

    assert job(body, as_json=True) == 2
    assert job.stderr.getvalue() == "example: first problem\nexample: second problem\n"
    assert job.stdout.getvalue() == ""
    assert list(job.reports.iterdir()) == []


def test_wrong_usage_found_later_is_inconclusive(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        raise UsageError("too late")

    assert job(body) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_job_and_the_record_says_so(job: Job, number: int, code: int) -> None:
    cleaned_up = []

    def body(run: Run) -> None:
        fails(run)
        try:
            with run.check("c", "C") as check:
                check.examined = 1
                os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # an impatient second one does not stop the cleaning up
            cleaned_up.append(1)

    assert job(body) == code
    assert cleaned_up
    assert job.record.status is Status.INTERRUPTED
    statuses = {check.id: check.status for check in job.record.checks}
    assert statuses["b"] is CheckStatus.FAILED
    assert statuses["c"] is CheckStatus.INCONCLUSIVE
    assert f"interrupted by {signal.Signals(number).name}" in job.stderr.getvalue()
    assert "INTERRUPTED" in job.stdout.getvalue()


def test_signal_handlers_are_given_back(job: Job) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    job(passes)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_report_folder_that_cannot_be_written_to_exits_2_before_the_body(job: Job) -> None:
    job.reports.write_text("a file, not a folder")
    ran = []
    assert job(lambda _: ran.append(1)) == 2
    assert not ran
    (line,) = job.stderr.getvalue().splitlines()
    assert line.startswith(f"example: cannot write to the report folder {job.reports}: ")


def test_a_record_that_cannot_be_written_is_inconclusive(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        run.directory.rmdir()
        run.directory.write_text("in the way")

    assert job(body) == 3
    assert "the record could not be written" in job.stderr.getvalue()


def test_a_report_that_cannot_be_written_does_not_cost_the_record(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        (run.directory / "report.html").mkdir()

    assert job(body) == 3
    assert {check.id: check.status for check in job.record.checks}["reports"] is CheckStatus.INCONCLUSIVE
    assert "a report could not be written" in job.stderr.getvalue()


def test_an_allowed_inconclusive_check_passes_and_says_not_checked_everywhere(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        with run.check("b", "B"):
            raise HarnessError("no answer")

    assert job(body) == 3
    allowed = Job(job.reports.with_name("others"))
    assert allowed(body, allow_inconclusive=["b"]) == 0
    assert allowed.record.allowed_inconclusive == ("b",)
    for name in ("report.html", "report.md", "report.sarif", "junit.xml"):
        assert "NOT CHECKED" in (allowed.directory / name).read_text()
    assert "NOT CHECKED" in allowed.stdout.getvalue()


def inconclusive(run: Run) -> None:
    passes(run)
    with run.check("story.modern.update", "An order is updated"):
        raise HarnessError("no answer")


def test_an_allowed_id_that_no_check_has_makes_the_run_inconclusive(job: Job) -> None:
    assert job(passes, allow_inconclusive=["b"]) == 3
    assert job.record.status is Status.INCONCLUSIVE
    (check,) = (check for check in job.record.checks if check.id == "allow_inconclusive")
    assert (check.status, check.reason) == (CheckStatus.INCONCLUSIVE, "no check has the id 'b'")
    assert check.reason in job.stdout.getvalue()
    assert job.record.allowed_inconclusive == ()


def test_an_allowed_id_that_was_mistyped_is_told_with_what_was_meant(job: Job) -> None:
    assert job(inconclusive, allow_inconclusive=["story.modern.updat", "a", "a"]) == 3
    (check,) = (check for check in job.record.checks if check.id == "allow_inconclusive")
    assert check.reason == "no check has the id 'story.modern.updat', did you mean story.modern.update?"
    assert set(job.record.allowed_inconclusive) == {"a"}


def test_an_unknown_id_cannot_be_allowed_in_its_turn(job: Job) -> None:
    assert job(passes, allow_inconclusive=["b", "allow_inconclusive"]) == 3


def test_a_failure_wins_over_an_unknown_id(job: Job) -> None:
    assert job(fails, allow_inconclusive=["c"]) == 1


def test_an_id_that_a_check_may_have_is_no_slip_where_none_has_it_this_time(job: Job) -> None:
    assert job(passes, allow_inconclusive=["b"], known_ids=["b", "c"]) == 0
    other = Job(job.reports.with_name("other"))
    assert other(passes, allow_inconclusive=["b", "d"], known_ids=["b", "c"]) == 3


def test_what_a_run_may_say_of_itself_may_be_allowed_though_it_does_not_say_it(job: Job) -> None:
    assert job(passes, allow_inconclusive=["run", "reports"]) == 0


def test_of_a_run_that_did_not_come_to_its_end_no_id_is_called_unknown(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        raise HarnessError("the server went away")

    assert job(body, allow_inconclusive=["later"]) == 3
    assert {check.id for check in job.record.checks} == {"a", "run"}


def test_every_file_that_the_body_leaves_is_an_artifact(job: Job) -> None:
    def body(run: Run) -> None:
        passes(run)
        run.log_path("server.log").write_text("hello\n")
        run.artifact_path("k6/summary.json").write_text("{}")

    job(body)
    artifacts = {artifact.path: artifact for artifact in job.record.artifacts}
    assert set(artifacts) == {"logs/server.log", "k6/summary.json"}
    log = artifacts["logs/server.log"]
    assert (log.media_type, log.bytes) == ("text/plain", 6)
    assert log.sha256 == hashlib.sha256(b"hello\n").hexdigest()
    assert artifacts["k6/summary.json"].media_type == "application/json"


def test_no_partial_file_is_left(job: Job) -> None:
    job(passes)
    assert not [path for path in job.reports.rglob("*") if path.name.endswith(".partial")]


def test_waivers_are_applied(job: Job) -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    accepted = Waiver(id="b", job="example", reason="r", owner="o", expires=date(2026, 11, 23))
    surroundings = Surroundings(now=lambda: moment, stdout=job.stdout, stderr=job.stderr)
    assert job(fails, waivers=[accepted], surroundings=surroundings) == 0
    assert "Waived" in job.stdout.getvalue()


def finds(*rules: str, failure: str = "") -> Callable[[Run], None]:
    def body(run: Run) -> None:
        passes(run)
        with run.check("b", "B") as check:
            for rule in rules:
                check.find(rule, f"{rule} is bad")
            if failure:
                check.fail(failure)

    return body


def test_what_the_baseline_had_found_already_does_not_fail(job: Job) -> None:
    assert job(finds("old")) == 1
    later = Job(job.reports.with_name("later"))
    assert later(finds("old"), baseline=job.record) == 0
    assert later.record.checks[1].status is CheckStatus.WAIVED
    assert later.record.arguments["baseline"] == job.record.id
    again = Job(job.reports.with_name("again"))
    assert again(finds("old"), baseline=later.record) == 0


def test_what_is_new_since_the_baseline_fails_and_what_is_known_is_told_apart(job: Job) -> None:
    assert job(finds("old")) == 1
    later = Job(job.reports.with_name("later"))
    assert later(finds("old", "new"), baseline=job.record) == 1
    assert "new is bad" in later.stdout.getvalue()
    assert "old is bad" not in later.stdout.getvalue()
    (old, new) = later.record.checks[1].findings
    failed, _, waived = later.stdout.getvalue().partition("\nWaived\n")
    assert f"1 finding\n      high      new [{new.fingerprint}]\n" in failed
    assert f"      old [{old.fingerprint}]\n        known: " in waived


def test_a_run_in_which_all_was_known_already_passes_where_nothing_else_was_asked(job: Job) -> None:
    def alone(run: Run) -> None:
        with run.check("b", "B") as check:
            check.find("old", "old is bad")
        run.skip("c", "C", "left out")

    assert job(alone) == 1
    later = Job(job.reports.with_name("later"))
    assert later(alone, baseline=job.record) == 0


def test_what_failed_for_something_else_fails_in_spite_of_the_baseline(job: Job) -> None:
    assert job(finds("old")) == 1
    later = Job(job.reports.with_name("later"))
    assert later(finds("old", failure="it is slow"), baseline=job.record) == 1
    assert later.record.checks[1].reason == "it is slow"


def test_an_expired_waiver_fails_though_the_baseline_knows_it(job: Job) -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    expired = Waiver(id="b", job="example", reason="r", owner="o", expires=date(2026, 11, 22))
    surroundings = Surroundings(now=lambda: moment, stdout=job.stdout, stderr=job.stderr)
    assert job(finds("old"), waivers=[expired], surroundings=surroundings) == 1
    later = Job(job.reports.with_name("later"))
    assert later(finds("old"), waivers=[expired], surroundings=surroundings, baseline=job.record) == 1
    statuses = {check.id: check.status for check in later.record.checks}
    assert statuses == {"a": CheckStatus.PASSED, "b": CheckStatus.WAIVED, "waivers": CheckStatus.FAILED}


def test_secrets_among_the_arguments_are_not_recorded(job: Job) -> None:
    job(passes, arguments={"token": "hunter2", "target": "staging"})
    assert "hunter2" not in (job.directory / "record.json").read_text()
    assert json.loads((job.directory / "record.json").read_text())["arguments"]["target"] == "staging"


def test_a_target_may_become_known_later(job: Job) -> None:
    def body(run: Run) -> None:
        run.target = Target(name="local", url="http://127.0.0.1:54321/mcp")
        passes(run)

    job(body)
    assert job.record.target is not None
    assert job.record.target.url.endswith(":54321/mcp")


def test_old_runs_are_removed_and_nothing_else(job: Job) -> None:
    for second in range(4):
        (job.reports / f"20200101T00000{second}.000Z-example-00000000").mkdir(parents=True)
    (job.reports / "notes").mkdir()
    job(passes, keep_runs=2)
    names = sorted(path.name for path in job.reports.iterdir() if not path.is_symlink())
    assert names[0] == "20200101T000003.000Z-example-00000000"
    assert names[2] == "notes"
    assert len(names) == 3


def test_a_reader_that_goes_away_changes_nothing(job: Job) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    assert job(passes, surroundings=Surroundings(stdout=Gone(), stderr=job.stderr)) == 0
