"""Take a part's record into the night's: checks get the part's name before their id, measurements get it as a label."""

import posixpath
from dataclasses import dataclass

from harness.files import digest
from harness.nightly.child import Launcher, Outcome
from harness.nightly.model import Job
from harness.record import RECORD_NAME, Artifact, Check, Measurement, Part, RunRecord
from harness.verdict import CheckStatus, PartStatus, Severity


@dataclass(frozen=True)
class Merged:
    """What one part adds to the night's record."""

    part: Part
    checks: tuple[Check, ...]
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    allowed: tuple[str, ...] = ()


def merge(job: Job, outcome: Outcome, launcher: Launcher, seconds: float) -> Merged:
    """The part, and its record's contents renamed. The part's own check, NAME.ran, says whether it came to a verdict.

    A record that comes with a problem still adds its checks: a failure found before the time-out is not lost.
    """
    record = outcome.record
    passed = record is not None and any(check.status is CheckStatus.PASSED for check in record.checks)
    failed = record is not None and any(check.status is CheckStatus.FAILED for check in record.checks)
    problem = outcome.problem or ("" if passed or failed else "no check of it passed")
    part = Part(
        name=job.name,
        command=job.command,
        status=PartStatus.INCONCLUSIVE if problem or record is None else PartStatus(record.status),
        reason=problem,
        exit_code=outcome.exit_code,
        duration_seconds=round(seconds, 3),
        record=f"../{record.id}/{RECORD_NAME}" if record else None,
    )
    ran = _ran(job, problem, examined=len(record.checks) if record else 0, seconds=seconds)
    if record is None:
        return Merged(part, (ran,))
    return Merged(
        part=part,
        checks=(ran, *(Check(**{**dict(check), "id": f"{job.name}.{check.id}"}) for check in record.checks)),
        measurements=tuple(_label(measurement, job.name) for measurement in record.measurements),
        artifacts=(_record_artifact(record, launcher), *(_move(artifact, record) for artifact in record.artifacts)),
        allowed=tuple(f"{job.name}.{name}" for name in record.allowed_inconclusive),
    )


def left_out(job: Job, status: PartStatus, reason: str) -> Merged:
    """A part that was not run: skipped on request, or not reached (inconclusive)."""
    check = Check(
        id=f"{job.name}.ran",
        title=f"{job.name} runs to a verdict",
        status=CheckStatus(status),
        severity=Severity.HIGH,
        reason=reason,
    )
    return Merged(Part(name=job.name, command=job.command, status=status, reason=reason), (check,))


def _ran(job: Job, problem: str, *, examined: int, seconds: float) -> Check:
    return Check(
        id=f"{job.name}.ran",
        title=f"{job.name} runs to a verdict",
        status=CheckStatus.INCONCLUSIVE if problem else CheckStatus.PASSED,
        severity=Severity.HIGH,
        reason=problem,
        examined=examined,
        duration_seconds=round(seconds, 3),
    )


def _label(measurement: Measurement, name: str) -> Measurement:
    inner = measurement.labels.get("part")
    part = f"{name}.{inner}" if inner else name
    return measurement.model_copy(update={"labels": {**measurement.labels, "part": part}})


def _record_artifact(record: RunRecord, launcher: Launcher) -> Artifact:
    path = launcher.reports_directory / record.id / RECORD_NAME
    return Artifact(
        path=f"../{record.id}/{RECORD_NAME}",
        media_type="application/json",
        sha256=digest(path),
        bytes=path.stat().st_size,
    )


def _move(artifact: Artifact, record: RunRecord) -> Artifact:
    return artifact.model_copy(update={"path": posixpath.normpath(f"../{record.id}/{artifact.path}")})
