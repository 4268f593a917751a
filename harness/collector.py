"""`Run`: what a job's body is given, and tells what it checks, measures and keeps."""

import math
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.categories import require_category
from harness.errors import HarnessError
from harness.progress import Progress
from harness.record import (
    Artifact,
    Check,
    Direction,
    Finding,
    Measurement,
    Part,
    Series,
    Target,
    failure_reason,
    fingerprint,
)
from harness.verdict import CheckStatus, Severity

PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
SAMPLES_BEYOND = 5
"""A percentile is trusted with this many samples beyond it: 100 for p95, 500 for p99."""
TRACEBACKS = "tracebacks.log"


@dataclass
class OpenCheck:
    """A check that is being made. It passes when nothing failed and at least `at_least` things were examined."""

    check_id: str
    at_least: int
    examined: int = 0
    evidence: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    settled: tuple[CheckStatus, str] | None = None
    took: float | None = None
    """Seconds, where what it tells of was not done inside its block."""

    def fail(self, reason: str) -> None:
        """Say that it failed; the reason says what was seen and what to do. May be called more than once."""
        self.failures.append(reason)

    def expect(self, condition: object, reason: str) -> None:
        """Count one thing as examined, and fail with `reason` unless `condition` holds."""
        self.examined += 1
        if not condition:
            self.fail(reason)

    def find(
        self,
        rule: str,
        message: str,
        *,
        location: str = "",
        references: Sequence[str] = (),
        key: str = "",
        severity: Severity | None = None,
    ) -> None:
        """Add a finding, which fails the check. `key` names it stably where location and message may move."""
        name = fingerprint(self.check_id, rule, *([key] if key else [location, message]))
        self.findings.append(
            Finding(
                fingerprint=name,
                rule=rule,
                message=message,
                location=location,
                references=tuple(references),
                severity=severity,
            )
        )

    def not_applicable(self, reason: str) -> None:
        """Say that the question does not arise for this target."""
        self.settled = CheckStatus.NOT_APPLICABLE, reason

    def outcome(self, error: BaseException | None) -> tuple[CheckStatus, str]:
        """Status and reason, `error` being what ended the check early: where it had failed before, one failure more."""
        if self.findings or self.failures:
            if error:
                self.fail(f"it could not go on: {describe(error)}")
            return CheckStatus.FAILED, failure_reason(self.findings, self.failures)
        if error:
            return CheckStatus.INCONCLUSIVE, describe(error)
        if self.settled:
            return self.settled
        if self.examined < max(self.at_least, 1):
            return CheckStatus.INCONCLUSIVE, f"examined {self.examined}, at least {max(self.at_least, 1)} needed"
        return CheckStatus.PASSED, ""


class Run:
    """Collects one job's evidence. `directory` is the folder of its record: every file put there is an artifact."""

    def __init__(
        self,
        directory: Path,
        progress: Progress,
        target: Target | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = directory
        self.progress = progress
        self.target = target
        """May be set once a local server's address is known."""
        self.checks: list[Check] = []
        self.measurements: list[Measurement] = []
        self.series: list[Series] = []
        """Figures over time, on one clock of the job's own."""
        self.parts: list[Part] = []
        self.artifacts: list[Artifact] = []
        """Files of other runs that belong to this one; its own are found when the record is written."""
        self.allowed: list[str] = []
        self._monotonic = monotonic

    @property
    def has_begun(self) -> bool:
        """Whether anything was checked, measured or run: from then on an error cannot be wrong usage."""
        return bool(self.checks or self.measurements or self.parts)

    def artifact_path(self, name: str) -> Path:
        """Where to write a file that is kept as evidence; its folder is made."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def log_path(self, name: str) -> Path:
        """Where to write a log that is kept as evidence."""
        return self.artifact_path(f"logs/{name}")

    @contextmanager
    def check(
        self,
        check_id: str,
        title: str,
        *,
        severity: Severity = Severity.HIGH,
        at_least: int = 1,
        tool: str = "",
        categories: Sequence[str] = (),
    ) -> Iterator[OpenCheck]:
        """Make one check. An exception inside makes it inconclusive (failed, if it had failed before) and stays inside.

        Only a signal goes on outwards. Raises ValueError for a category that does not exist.
        """
        covered = tuple(require_category(name) for name in categories)
        self.progress.now(title)
        began = self._monotonic()
        check = OpenCheck(check_id, at_least)
        error: BaseException | None = None
        try:
            yield check
        except Exception as caught:  # noqa: BLE001 -- whatever went wrong, the answer is: not measured
            error = caught
            self.keep_traceback(caught)
        except BaseException as interruption:
            error = interruption
            raise
        finally:
            status, reason = check.outcome(error)
            self.add_check(
                Check(
                    id=check_id,
                    title=title,
                    status=status,
                    severity=severity,
                    reason=reason,
                    examined=check.examined,
                    duration_seconds=round(self._monotonic() - began if check.took is None else check.took, 6),
                    evidence=tuple(check.evidence),
                    findings=tuple(check.findings),
                    tool=tool,
                    categories=covered,
                    failures=tuple(check.failures),
                )
            )

    def add_check(self, check: Check) -> None:
        """Add a finished check. Raises ValueError when its id is taken: that is a mistake in the job."""
        if any(check.id == other.id for other in self.checks):
            raise ValueError(f"two checks are named {check.id}")
        self.checks.append(check)
        self.progress.result(check.status, check.title, check.reason)

    def skip(
        self,
        check_id: str,
        title: str,
        reason: str,
        *,
        severity: Severity = Severity.HIGH,
        tool: str = "",
        categories: Sequence[str] = (),
    ) -> None:
        """List a check that was left out on request."""
        self.add_check(
            Check(
                id=check_id,
                title=title,
                status=CheckStatus.SKIPPED,
                severity=severity,
                reason=reason,
                tool=tool,
                categories=tuple(categories),
            )
        )

    def measure(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        statistic: str = "value",
        samples: int = 1,
        labels: dict[str, str] | None = None,
        limit: float | None = None,
        direction: Direction | None = None,
        severity: Severity = Severity.HIGH,
    ) -> None:
        """Record a measurement; a limit makes it a check, which fails beyond the limit.

        It is inconclusive when the value is no finite number (then there is no measurement), or stands on too few
        samples: one, and SAMPLES_BEYOND beyond a percentile.
        """
        finite = math.isfinite(value)
        measurement = Measurement(
            name=name,
            value=value if finite else 0.0,
            unit=unit,
            statistic=statistic,
            samples=samples,
            labels=labels or {},
            limit=limit,
            direction=direction,
        )
        if finite:
            self.measurements.append(measurement)
        if limit is not None or not finite:
            self.add_check(_limit_check(measurement, severity, finite=finite))

    def merge(
        self, checks: Iterable[Check], measurements: Iterable[Measurement], artifacts: Iterable[Artifact]
    ) -> None:
        """Take over what another run's record holds, already renamed; only what did not pass is shown again."""
        self.measurements.extend(measurements)
        self.artifacts.extend(artifacts)
        for check in checks:
            self.checks.append(check)
            if check.status is not CheckStatus.PASSED:
                self.progress.result(check.status, check.title, check.reason)

    def keep_traceback(self, error: BaseException) -> None:
        """Keep an internal error's traceback as an artifact; errors with a known cause explain themselves."""
        if not isinstance(error, HarnessError):
            with self.log_path(TRACEBACKS).open("a", encoding="utf-8", errors="replace") as log:
                log.writelines(traceback.format_exception(error))


def describe(error: BaseException) -> str:
    """An error in one line: its message, and its type where the message alone would not tell."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    message = " ".join(str(error).split())
    if isinstance(error, HarnessError) and message:
        return message
    return f"internal error, {type(error).__name__}: {message} (see logs/{TRACEBACKS})"


def samples_needed(statistic: str) -> int:
    """How many samples a statistic must stand on before its limit can be judged."""
    if found := PERCENTILE.fullmatch(statistic):
        percentile = float(found[1])
        return math.ceil(round(SAMPLES_BEYOND / (1 - percentile / 100), 6))
    return 1


def _limit_check(measurement: Measurement, severity: Severity, *, finite: bool) -> Check:
    figure = measurement.name.replace("_", " ").replace(".", " ")
    statistic = "" if measurement.statistic == "value" else f", {measurement.statistic}"
    labels = ", ".join(f"{key} {value}" for key, value in sorted(measurement.labels.items()))
    side = "at least" if measurement.direction is Direction.HIGHER else "at most"
    bound = "is measured" if measurement.limit is None else f"is {side} {measurement.limit:g} {measurement.unit}"
    needed = samples_needed(measurement.statistic)
    status, reason = CheckStatus.PASSED, ""
    if not finite:
        status, reason = CheckStatus.INCONCLUSIVE, "the value is not a finite number"
    elif measurement.samples < needed:
        status = CheckStatus.INCONCLUSIVE
        reason = f"stands on {measurement.samples} samples, {needed} needed: measure longer"
    elif measurement.crosses_limit:
        status, reason = CheckStatus.FAILED, f"measured {measurement.value:g} {measurement.unit}"
    return Check(
        id=measurement.check_id,
        title=f"{figure}{statistic}{f' ({labels})' if labels else ''} {bound}",
        status=status,
        severity=severity,
        reason=reason,
        examined=measurement.samples,
        evidence=(f"{measurement.value:g} {measurement.unit} over {measurement.samples} samples",) if finite else (),
    )
