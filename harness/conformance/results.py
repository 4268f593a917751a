"""What the suite found: its checks.json files read, and each scenario's verdict taken from them alone."""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

FOLDER = re.compile(r"server-(?P<scenario>.+)-(?P<started>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z)")
STARTED = "%Y-%m-%dT%H-%M-%S-%fZ"


class Outcome(StrEnum):
    """What a check of the suite may say. A WARNING is a broken SHOULD."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    WARNING = "WARNING"
    SKIPPED = "SKIPPED"
    INFO = "INFO"


SEVERITY = {Outcome.FAILURE: 3, Outcome.WARNING: 2, Outcome.SUCCESS: 1, Outcome.SKIPPED: 0}
PROBLEMS = {Outcome.FAILURE, Outcome.WARNING}


class SuiteCheck(BaseModel):
    """One entry of a checks.json, as far as verdicts need it."""

    id: str = Field(min_length=1)
    status: Outcome
    description: str = ""
    error_message: str | None = Field(default=None, alias="errorMessage")
    details: Any = None

    @property
    def message(self) -> str:
        """What it says of its outcome: an error, a remark, or what was asked."""
        remark = self.details.get("message") if isinstance(self.details, dict) else None
        return self.error_message or (remark if isinstance(remark, str) else "") or self.description


@dataclass(frozen=True)
class ScenarioResult:
    """One scenario's checks and how long it took; `problem` says why there are none."""

    checks: tuple[SuiteCheck, ...] = ()
    seconds: float = 0.0
    problem: str = ""

    @property
    def verdicts(self) -> list[SuiteCheck]:
        """The checks with each id once, at its worst, as the suite's own verdict has it; remarks left out."""
        worst: dict[str, SuiteCheck] = {}
        for check in self.checks:
            known = worst.get(check.id)
            if check.status in SEVERITY and (known is None or SEVERITY[check.status] >= SEVERITY[known.status]):
                worst[check.id] = check
        return list(worst.values())

    @property
    def problems(self) -> list[SuiteCheck]:
        """The checks that failed or warned."""
        return [check for check in self.verdicts if check.status in PROBLEMS]

    @property
    def examined(self) -> int:
        """How many checks came to an answer."""
        return sum(check.status is not Outcome.SKIPPED for check in self.verdicts)

    @property
    def summary(self) -> str:
        """How many checks came to what."""
        counts = Counter(check.status for check in self.verdicts)
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in SEVERITY if counts[outcome]) or "no check"


def read_results(folder: Path) -> dict[str, ScenarioResult]:
    """Return every scenario's result under the suite's output folder, by scenario."""
    results: dict[str, ScenarioResult] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if found := FOLDER.fullmatch(path.name):
            twice = found["scenario"] in results
            results[found["scenario"]] = (
                ScenarioResult(problem="the suite left two results") if twice else _read(path, found["started"])
            )
    return results


def raw_results(folder: Path) -> bytes:
    """Everything that the suite wrote, as one JSON document: each file's text by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return json.dumps({str(path.relative_to(folder)): _loaded(path) for path in files}, indent=1).encode()


def suite_exit_code(results: Mapping[str, ScenarioResult], exempt: Collection[str]) -> int:
    """The exit code that the suite's rules give for these results of scored scenarios and these expected failures.

    An exemption is `SCENARIO` or `SCENARIO:CHECK`. It is 1 with a problem that is not exempt, and with an exemption
    that a success shows to be stale.
    """
    for scenario, result in results.items():
        failing = {check.id for check in result.problems}
        if scenario in exempt:
            wrong = not failing
        else:
            exempt_here = {entry.partition(":")[2] for entry in exempt if entry.startswith(f"{scenario}:")}
            succeeded = {check.id for check in result.verdicts if check.status is Outcome.SUCCESS}
            wrong = bool(failing - exempt_here or exempt_here & succeeded)
        if wrong:
            return 1
    return 0


def _read(path: Path, started: str) -> ScenarioResult:
    file = path / "checks.json"
    try:
        checks = TypeAdapter(tuple[SuiteCheck, ...]).validate_json(file.read_bytes())
        seconds = file.stat().st_mtime - datetime.strptime(started, STARTED).replace(tzinfo=UTC).timestamp()
    except FileNotFoundError:
        return ScenarioResult(problem="the suite began it and left no result: it broke off")
    except (OSError, ValidationError) as error:
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        return ScenarioResult(problem=f"the suite's result cannot be read: {detail}")
    return ScenarioResult(checks, max(seconds, 0.0))


def _loaded(path: Path) -> Any:
    text = path.read_text("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text
