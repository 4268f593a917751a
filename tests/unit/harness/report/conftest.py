from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.machine import read_environment
from harness.record import (
    Artifact,
    Check,
    Direction,
    Finding,
    Measurement,
    Part,
    Revision,
    RunRecord,
    Series,
    Target,
    make_id,
)
from harness.verdict import CheckStatus, PartStatus, Severity, Status, exit_code, judge

STARTED = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
HOSTILE = "</style><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)> | `x` ]]> & \"'\x00\x1b[2J"


def make_record(*checks: Check, **fields: Any) -> RunRecord:
    allowed = fields.get("arguments", {}).get("allow_inconclusive", [])
    status = judge(((check.id, check.status) for check in checks), allowed)
    return RunRecord(
        **{
            "id": make_id("nightly", STARTED, "0123abcd"),
            "kind": "nightly",
            "target": Target(name="local", url="http://127.0.0.1:8080/mcp"),
            "revision": Revision(commit="a" * 40, dirty=False),
            "arguments": {},
            "started": STARTED,
            "finished": STARTED + timedelta(seconds=75),
            "duration_seconds": 75.0,
            "environment": read_environment(),
            "status": status,
            "exit_code": exit_code(status),
            "checks": checks,
            **fields,
        }
    )


def one(status: CheckStatus, name: str, **fields: Any) -> Check:
    reason = "" if status is CheckStatus.PASSED else f"because of {name}"
    return Check(
        **{"id": name, "title": f"Title of {name}", "status": status, "examined": 3, "reason": reason, **fields}
    )


def of_every_status() -> RunRecord:
    checks = [one(status, f"{status.value}-{number}") for status in CheckStatus for number in (1, 2)]
    return make_record(*checks, arguments={"allow_inconclusive": ["inconclusive-2"]})


def hostile() -> RunRecord:
    finding = Finding(
        fingerprint="f1",
        rule=HOSTILE,
        message=HOSTILE,
        location=HOSTILE,
        references=("javascript:alert(1)", "https://example.com/a?b=<c>", "http://[broken"),
    )
    check = one(
        CheckStatus.FAILED, "bad", title=HOSTILE, reason=HOSTILE, evidence=(HOSTILE,), findings=(finding,) * 60,
        severity=Severity.CRITICAL,
    )  # fmt: skip
    return make_record(
        check,
        one(CheckStatus.SKIPPED, "left", title=HOSTILE, reason=HOSTILE),
        target=Target(name=HOSTILE, url=HOSTILE, release=HOSTILE, production=True),
        arguments={HOSTILE: HOSTILE, "list": [HOSTILE]},
        measurements=(Measurement(name="m", value=1, unit=HOSTILE, labels={HOSTILE: HOSTILE}),),
        series=(Series(name=HOSTILE, unit=HOSTILE, points=((0.0, 1.0), (1.0, 2.0))),),
        artifacts=(Artifact(path="javascript:alert(1)", media_type=HOSTILE, sha256="0" * 64, bytes=1),),
    )


def of_a_night() -> RunRecord:
    measurement = Measurement(
        name="call_duration", value=0.8, unit="s", statistic="p95", samples=400, limit=0.5,
        direction=Direction.LOWER, labels={"part": "load"},
    )  # fmt: skip
    parts = (
        Part(name="story", command=("story",), status=PartStatus.PASSED, exit_code=0, duration_seconds=3,
             record="../20261123T030000.000Z-story-0123abcd/record.json"),
        Part(name="load", command=("load", "--small"), status=PartStatus.FAILED, exit_code=1, duration_seconds=60,
             record="../20261123T030003.000Z-load-0123abcd/record.json"),
        Part(name="audit", command=("audit",), status=PartStatus.INCONCLUSIVE, reason="ended by SIGKILL",
             exit_code=-9, duration_seconds=1),
        Part(name="capacity", command=("load.capacity",), status=PartStatus.SKIPPED, reason="left out"),
    )  # fmt: skip
    series = (
        Series(name="requests", unit="1/s", points=((1.0, 90.0), (2.0, 100.0))),
        Series(name="server memory", unit="B", points=((1.0, 1e8), (2.0, 1.1e8))),
    )
    return make_record(
        one(CheckStatus.PASSED, "story.ran"),
        one(CheckStatus.PASSED, "story.answers"),
        one(CheckStatus.PASSED, "load.ran"),
        one(CheckStatus.FAILED, measurement.check_id),
        one(CheckStatus.INCONCLUSIVE, "audit.ran"),
        one(CheckStatus.SKIPPED, "capacity.ran"),
        parts=parts,
        measurements=(measurement, measurement.model_copy(update={"statistic": "p50", "limit": None, "value": 0.2})),
        series=series,
        artifacts=(Artifact(path="logs/audit.stderr.log", media_type="text/plain", sha256="0" * 64, bytes=12_345),),
    )


def interrupted() -> RunRecord:
    return make_record(one(CheckStatus.PASSED, "answers"), status=Status.INTERRUPTED, exit_code=130)


def of_an_audit() -> RunRecord:
    def found(name: str, severity: Severity, accepted: str = "") -> Finding:
        return Finding(
            fingerprint=name, rule="RULE", message=f"message {name}", location=f"a/{name}.py:3", severity=severity,
            accepted=accepted,
        )  # fmt: skip

    many = tuple(found(f"m{number}", Severity.MEDIUM) for number in range(6))
    mixed = (found("mild", Severity.LOW), found("known", Severity.CRITICAL, "known"), found("worst", Severity.CRITICAL))
    return make_record(
        one(CheckStatus.FAILED, "code", tool="bandit", categories=("A05:2025", "A04:2025"), findings=(*mixed, *many),
            reason="8 found; the first: message mild"),
        one(CheckStatus.PASSED, "secrets", tool="detect-secrets", categories=("A04:2025",)),
        one(CheckStatus.INCONCLUSIVE, "dependencies", tool="pip-audit", categories=("A03:2025",)),
        one(CheckStatus.SKIPPED, "keys", categories=("A04:2025", "API2:2023")),
        one(CheckStatus.WAIVED, "hosts", categories=("MCP:dns-rebinding",),
            findings=(found("old", Severity.HIGH, "accepted by ops"),)),
        one(CheckStatus.NOT_APPLICABLE, "code.below", tool="bandit", findings=(found("low", Severity.LOW),)),
        kind="audit",
    )  # fmt: skip


RECORDS: dict[str, Callable[[], RunRecord]] = {
    "passed": lambda: make_record(one(CheckStatus.PASSED, "answers")),
    "every status": of_every_status,
    "nothing": make_record,
    "only skipped": lambda: make_record(one(CheckStatus.SKIPPED, "left")),
    "hostile": hostile,
    "a night": of_a_night,
    "interrupted": interrupted,
    "an audit": of_an_audit,
    "mostly left out": lambda: make_record(
        *(one(CheckStatus.SKIPPED, f"left-{number}", reason="left out: --only names code") for number in range(9)),
        one(CheckStatus.PASSED, "code"),
        one(CheckStatus.INCONCLUSIVE, "dark"),
    ),
    "nothing applies": lambda: make_record(
        one(CheckStatus.PASSED, "files"),
        one(CheckStatus.NOT_APPLICABLE, "workflows", reason="there is no workflow"),
        one(CheckStatus.SKIPPED, "code"),
        kind="audit",
        arguments={"command": ["audit", "--only", "workflows"]},
    ),
    "nothing but what is allowed": lambda: make_record(
        one(CheckStatus.INCONCLUSIVE, "dark"),
        one(CheckStatus.NOT_APPLICABLE, "none"),
        arguments={"allow_inconclusive": ["dark"]},
    ),
    "only waived": lambda: make_record(one(CheckStatus.WAIVED, "code"), one(CheckStatus.SKIPPED, "left")),
    "no target": lambda: make_record(
        one(CheckStatus.PASSED, "answers"), target=None, revision=Revision(commit=None, dirty=True)
    ),
    "negative figure": lambda: make_record(
        one(CheckStatus.PASSED, "answers"), measurements=(Measurement(name="drift", value=-0.2, unit="s"),)
    ),
    "zero figure": lambda: make_record(
        one(CheckStatus.FAILED, "errors"),
        measurements=(Measurement(name="errors", value=0, unit="1", limit=0, direction=Direction.LOWER),),
    ),
}


@pytest.fixture(params=list(RECORDS))
def record(request: pytest.FixtureRequest) -> RunRecord:
    """Each of several records in turn."""
    return RECORDS[request.param]()


@pytest.fixture
def a_record() -> Callable[[str], RunRecord]:
    """One record by its name."""
    return lambda name: RECORDS[name]()
