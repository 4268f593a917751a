"""What ends the blocks early: a wrong answer of head fails, of base is inconclusive, as another machine is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from harness.collector import Run
from harness.machine import read_environment
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.blocks import Side
from perf.compare import job
from perf.compare.generator import Slice
from perf.compare.sides import BrokenSideError, Contender, Stage

SLICES = {"base": [Slice(100, 0.25, 0.05, 0.02, 0.002)], "head": [Slice(90, 0.25, 0.05, 0.02, 0.002)]}
BY_TURNS = cast("Callable[..., Any]", job._by_turns)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SilentProgress())


def by_turns(run: Run, monkeypatch: pytest.MonkeyPatch, pairs: Iterator[Any]) -> Any:
    def measure_pair(first: Contender, second: Contender, stage: Stage) -> Any:
        found = next(pairs)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(job, "measure_pair", measure_pair)
    return BY_TURNS(run, {"base": None, "head": None}, None, 2)


def test_every_pair_is_kept_by_side_and_written_down(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = by_turns(run, monkeypatch, iter([SLICES] * 4))

    assert {side: len(measured) for side, measured in arms.items()} == {"base": 4, "head": 4}
    assert [(check.status, check.examined) for check in run.checks] == [(CheckStatus.PASSED, 4)]
    assert run.artifact_path("arms.json").is_file()


@pytest.mark.parametrize(("side", "status"), [("head", CheckStatus.FAILED), ("base", CheckStatus.INCONCLUSIVE)])
def test_a_wrong_answer_leaves_no_figures(
    run: Run, monkeypatch: pytest.MonkeyPatch, side: Side, status: CheckStatus
) -> None:
    assert by_turns(run, monkeypatch, iter([SLICES, BrokenSideError(side, f"{side}: not 200")])) is None
    assert [(check.status, check.reason) for check in run.checks] == [(status, f"{side}: not 200")]


def test_another_machine_in_the_middle_leaves_no_figures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    here = read_environment()
    machines = iter([here, here, here.model_copy(update={"fingerprint": "another"})])
    monkeypatch.setattr(job, "read_environment", lambda: next(machines))

    assert by_turns(run, monkeypatch, iter([SLICES] * 4)) is None
    assert run.checks[0].status is CheckStatus.INCONCLUSIVE
    assert "the machine is another one" in run.checks[0].reason
