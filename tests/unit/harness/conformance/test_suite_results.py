"""The suite's results are read from its files, and judged by its own rules."""

import json
from pathlib import Path

import pytest

from harness.conformance.results import Outcome, ScenarioResult, SuiteCheck, raw_results, read_results, suite_exit_code
from tests.unit.harness.conformance.suite_output import entry, write_result


def result(**outcomes: str) -> ScenarioResult:
    return ScenarioResult(tuple(SuiteCheck(id=name, status=Outcome(status)) for name, status in outcomes.items()))


def test_each_scenario_is_found_by_its_whole_name(tmp_path: Path) -> None:
    write_result(tmp_path, "tools-call", entry("one", "SUCCESS"))
    write_result(tmp_path, "tools-call-error", entry("two", "FAILURE", errorMessage="went wrong"))
    (tmp_path / "notes.txt").write_text("not a result")
    results = read_results(tmp_path)
    assert set(results) == {"tools-call", "tools-call-error"}
    assert [check.message for check in results["tools-call-error"].problems] == ["went wrong"]
    assert results["tools-call"].seconds > 0


def test_nothing_was_written() -> None:
    assert read_results(Path("/nowhere/at/all")) == {}


def test_of_an_id_that_repeats_the_worst_outcome_counts(tmp_path: Path) -> None:
    outcomes = ["SUCCESS", "FAILURE", "INFO", "SUCCESS", "SKIPPED"]
    write_result(tmp_path, "ping", *(entry("ping", outcome) for outcome in outcomes), entry("other", "SKIPPED"))
    ping = read_results(tmp_path)["ping"]
    assert [(check.id, check.status) for check in ping.verdicts] == [("ping", "FAILURE"), ("other", "SKIPPED")]
    assert ping.examined == 1
    assert ping.summary == "1 FAILURE, 1 SKIPPED"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "broke off"),
        ("[", "cannot be read"),
        ("{}", "cannot be read"),
        (json.dumps([entry("ping", "EXCELLENT")]), "cannot be read"),
        (json.dumps([{"status": "SUCCESS"}]), "cannot be read"),
    ],
)
def test_a_result_that_is_not_whole_is_a_problem(tmp_path: Path, content: str | None, problem: str) -> None:
    path = write_result(tmp_path, "ping")
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    ping = read_results(tmp_path)["ping"]
    assert problem in ping.problem
    assert ping.checks == ()


def test_two_results_of_one_scenario_are_a_problem(tmp_path: Path) -> None:
    write_result(tmp_path, "ping", entry("ping", "SUCCESS"))
    write_result(tmp_path, "ping", entry("ping", "FAILURE"), started="2026-11-23T01-34-53-000Z")
    assert "two results" in read_results(tmp_path)["ping"].problem


def test_a_warning_tells_its_remark() -> None:
    check = SuiteCheck(id="x", status=Outcome.WARNING, details={"message": "no session"}, description="a session")
    assert check.message == "no session"
    assert SuiteCheck(id="x", status=Outcome.WARNING, details=["?"], description="a session").message == "a session"


def test_raw_results_hold_every_file_even_a_broken_one(tmp_path: Path) -> None:
    write_result(tmp_path, "ping", entry("ping", "SUCCESS"))
    write_result(tmp_path, "tools-list").write_text("[{")
    raw = json.loads(raw_results(tmp_path))
    assert [text if isinstance(text, str) else text[0]["status"] for text in raw.values()] == ["SUCCESS", "[{"]


@pytest.mark.parametrize(
    ("outcomes", "exempt", "code"),
    [
        ({"a": "SUCCESS"}, [], 0),
        ({"a": "FAILURE"}, [], 1),
        ({"a": "WARNING"}, [], 1),
        ({"a": "INFO", "b": "SKIPPED"}, [], 0),
        ({"a": "FAILURE", "b": "WARNING"}, ["one"], 0),
        ({"a": "SUCCESS"}, ["one"], 1),
        ({"a": "FAILURE", "b": "SUCCESS"}, ["one:a"], 0),
        ({"a": "FAILURE", "b": "FAILURE"}, ["one:a"], 1),
        ({"a": "FAILURE", "b": "SUCCESS"}, ["one:a", "one:b"], 1),
        ({"a": "FAILURE", "b": "SKIPPED"}, ["one:a", "one:b", "one:absent"], 0),
        ({"a": "FAILURE"}, ["one-more", "one-more:a"], 1),
    ],
)
def test_the_suites_verdict_with_exemptions(outcomes: dict[str, str], exempt: list[str], code: int) -> None:
    assert suite_exit_code({"one": result(**outcomes), "two": result(z="SUCCESS")}, exempt) == code
