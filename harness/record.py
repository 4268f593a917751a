"""The run record: what one job was pointed at, what it checked and measured, and what that comes to.

A record is evidence, so it cannot contradict itself: loading one whose status, exit code, checks and measurements
disagree raises. Two rules make silence impossible:

- a passed check has examined something (`examined` ≥ 1);
- a measurement with a limit has a check of its own, named by `Measurement.check_id`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from harness.categories import CATEGORIES, require_category
from harness.errors import RecordError
from harness.redaction import clean_text, redact_arguments
from harness.verdict import CheckStatus, PartStatus, Severity, Status, exit_codes, judge

RECORD_NAME = "record.json"
ALLOW_INCONCLUSIVE = "allow_inconclusive"
"""The argument that holds the ids of checks that may be inconclusive without counting."""
COMMAND = "command"
"""The argument that holds the words after ./inv with which a job is done again, where a job tells them."""

Text = Annotated[str, AfterValidator(clean_text)]
"""Text without secrets and control characters: every format can hold it."""
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]*$")]
CheckId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@+=-]*$", max_length=300)]
CategoryId = Annotated[
    str, AfterValidator(require_category), Field(json_schema_extra={"enum": list[JsonValue](CATEGORIES)})
]
PartName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
Seconds = Annotated[float, Field(ge=0)]
# Relative to the folder of record.json; a part's own files are reached through `..`.
RelativePath = Annotated[str, Field(pattern=r"^[^/\\:\x00-\x1f][^\\\x00-\x1f]*$")]


class Model(BaseModel):
    """Immutable, refuses unknown fields and numbers that JSON cannot write."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, json_schema_serialization_defaults_required=True
    )


class Direction(StrEnum):
    """Which way is better, and so on which side of its limit a measurement must stay (the limit itself is allowed)."""

    LOWER = "lower_is_better"
    HIGHER = "higher_is_better"


class Target(Model):
    """The server that was measured."""

    name: Text
    url: Text
    production: bool = False
    release: Text | None = None


class Revision(Model):
    """The revision of this repository that did the measuring."""

    commit: str | None
    dirty: bool


class Environment(Model):
    """The machine that did the measuring; equal fingerprints mean comparable figures."""

    python: str
    implementation: str
    platform: str
    machine: str
    cpu_model: str
    cpus: int
    memory_bytes: int
    fingerprint: str


class Finding(Model):
    """One thing that a check found wrong. The fingerprint stays the same from run to run: waivers name it.

    `severity` is None where it is its check's. `accepted` says why the finding does not count, where it does not: who
    accepted it and until when, or since when it is known.
    """

    fingerprint: CheckId
    rule: Text
    message: Text
    location: Text = ""
    references: tuple[Text, ...] = ()
    severity: Severity | None = None
    accepted: Text = ""


class Check(Model):
    """One question and its answer. The reason says what was seen and, where it is not obvious, what to do.

    `tool` is the program that answered, empty where Quartermaster itself did; `failures` are what it failed for besides
    its findings.
    """

    id: CheckId
    title: Text
    status: CheckStatus
    severity: Severity = Severity.HIGH
    reason: Text = ""
    examined: Annotated[int, Field(ge=0)] = 0
    duration_seconds: Seconds = 0.0
    evidence: tuple[Text, ...] = ()
    findings: tuple[Finding, ...] = ()
    tool: Text = ""
    categories: tuple[CategoryId, ...] = ()
    failures: tuple[Text, ...] = ()

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """The findings that count: nobody accepted them."""
        return tuple(found for found in self.findings if not found.accepted)

    @model_validator(mode="after")
    def _is_honest(self) -> Self:
        if self.status is CheckStatus.PASSED and (self.examined < 1 or self.findings):
            raise ValueError(f"check {self.id} passed, but examined {self.examined} and found {len(self.findings)}")
        if self.status is not CheckStatus.PASSED and not self.reason:
            raise ValueError(f"check {self.id} is {self.status} without a reason")
        if self.failures and self.status not in {CheckStatus.FAILED, CheckStatus.WAIVED}:
            raise ValueError(f"check {self.id} is {self.status}, but has failures")
        if self.status is CheckStatus.FAILED and self.findings and not (self.open_findings or self.failures):
            raise ValueError(f"check {self.id} failed, but all that it found is accepted")
        return self


class Measurement(Model):
    """One figure. `samples` is how many observations it stands on; `limit` makes it a gate."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]*$")]
    value: float
    unit: Text
    statistic: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]*$")] = "value"
    samples: Annotated[int, Field(ge=0)] = 1
    labels: dict[Text, Text] = {}
    limit: float | None = None
    direction: Direction | None = None

    @model_validator(mode="after")
    def _limit_has_a_side(self) -> Self:
        if self.limit is not None and self.direction is None:
            raise ValueError(f"measurement {self.name} has a limit but no direction")
        return self

    @property
    def check_id(self) -> str:
        """The id of the check that its limit makes: name, statistic and labels, in its part."""
        labels = dict(self.labels)
        part = [labels.pop("part")] if "part" in labels else []
        statistic = [] if self.statistic == "value" else [self.statistic]
        text = ".".join([*part, self.name, *statistic, *(f"{key}={labels[key]}" for key in sorted(labels))])
        return re.sub(r"[^A-Za-z0-9_.:/@+=-]", "_", text)

    @property
    def crosses_limit(self) -> bool:
        """Whether it has a limit and lies beyond it."""
        if self.limit is None:
            return False
        return self.value > self.limit if self.direction is Direction.LOWER else self.value < self.limit


class Series(Model):
    """One figure over time: points of seconds since the measuring began, ascending, and the value then.

    All series of a record share that clock.
    """

    name: Text
    unit: Text
    points: Annotated[tuple[tuple[float, float], ...], Field(min_length=1)]


class Artifact(Model):
    """A file kept as evidence."""

    path: RelativePath
    media_type: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class Part(Model):
    """One job of a nightly run. `record` is where its own record is, when it left a valid one."""

    name: PartName
    command: tuple[Text, ...]
    status: PartStatus
    reason: Text = ""
    exit_code: int | None = None
    duration_seconds: Seconds = 0.0
    record: RelativePath | None = None


class RunRecord(Model):
    """Everything that a run showed; every report is made from this alone."""

    schema_version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^\d{8}T\d{6}\.\d{3}Z-[a-z][a-z0-9_.-]*-[0-9a-f]{8}$")]
    kind: Kind
    target: Target | None
    revision: Revision
    arguments: Annotated[dict[str, JsonValue], AfterValidator(redact_arguments)]
    started: AwareDatetime
    finished: AwareDatetime
    duration_seconds: Seconds
    environment: Environment
    status: Status
    exit_code: int
    parts: tuple[Part, ...] = ()
    checks: tuple[Check, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    artifacts: tuple[Artifact, ...] = ()

    @property
    def allowed_inconclusive(self) -> tuple[str, ...]:
        """The ids whose checks may be inconclusive without counting, as the arguments name them."""
        allowed = self.arguments.get(ALLOW_INCONCLUSIVE)
        return tuple(str(name) for name in allowed) if isinstance(allowed, list) else ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        _refuse_duplicates("check", [check.id for check in self.checks])
        _refuse_duplicates("part", [part.name for part in self.parts])
        verdict = judge(((check.id, check.status) for check in self.checks), self.allowed_inconclusive)
        if self.status not in {verdict, Status.INTERRUPTED}:
            raise ValueError(f"status is {self.status}, but the checks come to {verdict}")
        if self.exit_code not in exit_codes(self.status):
            raise ValueError(f"exit code {self.exit_code} does not belong to status {self.status}")
        statuses = {check.id: check.status for check in self.checks}
        for measurement in self.measurements:
            self._refuse_lost_limit(measurement, statuses.get(measurement.check_id))
        return self

    @staticmethod
    def _refuse_lost_limit(measurement: Measurement, status: CheckStatus | None) -> None:
        if measurement.limit is not None and status is None:
            raise ValueError(f"measurement {measurement.check_id} has a limit but no check")
        if measurement.crosses_limit and status is CheckStatus.PASSED:
            raise ValueError(f"measurement {measurement.check_id} crosses its limit, but its check passed")


def make_id(kind: str, started: datetime, random_hex: str) -> str:
    """A record's id: UTC time to the millisecond, kind, eight random hex digits. Ids sort by time."""
    return f"{started:%Y%m%dT%H%M%S}.{started.microsecond // 1000:03}Z-{kind}-{random_hex}"


def fingerprint(*parts: str) -> str:
    """A finding's stable name, from the parts that stay the same from run to run (a rule, a file, a package, …)."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def failure_reason(findings: Sequence[Finding], failures: Sequence[str]) -> str:
    """Why a check failed, in one line: what it found that counts, and whatever else went wrong."""
    found = [f"{len(findings)} found; the first: {findings[0].message}"] if findings else []
    return "; ".join([*found, *failures])


def parse_record(content: bytes | str) -> RunRecord:
    """The record that `content` holds. Raises RecordError with one line that says what is wrong with it."""
    try:
        return RunRecord.model_validate_json(content)
    except ValidationError as error:
        first, others = error.errors()[0], error.error_count() - 1
        place = ".".join(str(step) for step in first["loc"])
        message = f"{place}: {first['msg']}" if place else first["msg"]
        raise RecordError(f"invalid run record: {message}" + (f" (and {others} more)" if others else "")) from None


def dump_record(record: RunRecord) -> bytes:
    """The record as UTF-8 JSON, indented, with a newline at its end."""
    return record.model_dump_json(indent=2).encode() + b"\n"


def _refuse_duplicates(what: str, names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"more than one {what} is named {twice[0]}")
