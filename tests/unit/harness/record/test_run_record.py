"""A record cannot contradict itself, lose a limit, or carry a secret."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from harness.errors import RecordError
from harness.record import Direction, Measurement, dump_record, make_id, parse_record
from harness.schema import SCHEMA_PATH, make_schema

Fields = Callable[..., dict[str, Any]]
FAILED = {"id": "answers", "title": "It answers", "status": "failed", "reason": "it does not", "examined": 1}
ACCEPTED = {"fingerprint": "f1", "rule": "RULE", "message": "bad", "accepted": "known"}
OVER = {"name": "call_duration", "value": 0.8, "unit": "s", "limit": 0.5, "direction": "lower_is_better"}


def parse(fields: dict[str, Any]) -> Any:
    return parse_record(json.dumps(fields))


def test_a_record_survives_being_written_and_read(record_fields: Fields) -> None:
    record = parse(record_fields())
    assert parse_record(dump_record(record)) == record


def test_the_schema_beside_the_code_is_the_code_s() -> None:
    assert SCHEMA_PATH.read_text() == make_schema(), (
        "run: python -c 'from harness.schema import *; SCHEMA_PATH.write_text(make_schema())'"
    )


def test_what_is_written_follows_the_schema(record_fields: Fields) -> None:
    schema = json.loads(SCHEMA_PATH.read_text())
    written = json.loads(
        dump_record(
            parse(
                record_fields(
                    measurements=[OVER | {"value": 0.1}],
                    checks=[{"id": "call_duration", "title": "Fast", "status": "passed", "examined": 1}],
                )
            )
        )
    )
    jsonschema.validate(written, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written | {"verdict": "good"}, schema)
    del written["checks"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"checks": [FAILED]}, "status is passed, but the checks come to failed"),
        ({"checks": []}, "status is passed, but the checks come to inconclusive"),
        ({"exit_code": 1}, "exit code 1 does not belong to status passed"),
        ({"status": "interrupted", "exit_code": 1}, "exit code 1 does not belong to status interrupted"),
        ({"checks": [{"id": "a", "title": "A", "status": "passed", "examined": 0}]}, "passed, but examined 0"),
        ({"checks": [{"id": "a", "title": "A", "status": "skipped"}]}, "skipped without a reason"),
        ({"measurements": [OVER]}, "measurement call_duration has a limit but no check"),
        ({"measurements": [OVER | {"direction": None}]}, "has a limit but no direction"),
        ({"checks": [FAILED | {"categories": ["A11:2025"]}]}, "no security category is named A11:2025"),
        ({"checks": [FAILED | {"status": "inconclusive", "failures": ["bad"]}]}, "is inconclusive, but has failures"),
        ({"checks": [FAILED | {"findings": [ACCEPTED]}]}, "failed, but all that it found is accepted"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
        ({"schema_version": 2}, "schema_version"),
        ({"started": "2026-11-23T01:02:03"}, "started"),
        ({"id": "../../etc"}, "id"),
        ({"artifacts": [{"path": "/etc/passwd", "media_type": "", "sha256": "0" * 64, "bytes": 1}]}, "artifacts"),
    ],
)
def test_a_record_that_is_not_right_is_refused_in_one_line(
    record_fields: Fields, changes: dict[str, Any], what: str
) -> None:
    with pytest.raises(RecordError) as refused:
        parse(record_fields(**changes))
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_record_of_before_tools_and_categories_is_read(record_fields: Fields) -> None:
    fields = json.loads(dump_record(parse(record_fields(checks=[FAILED], status="failed", exit_code=1))))
    for name in ("tool", "categories", "failures"):
        del fields["checks"][0][name]
    (check,) = parse(fields).checks
    assert (check.tool, check.categories, check.failures) == ("", (), ())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}'])
def test_what_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(RecordError):
        parse_record(content)


def test_two_checks_of_one_name_are_refused(record_fields: Fields) -> None:
    check = record_fields()["checks"][0]
    with pytest.raises(RecordError, match="more than one check is named answers"):
        parse(record_fields(checks=[check, check]))


def test_a_crossed_limit_whose_check_passed_is_refused(record_fields: Fields) -> None:
    check = {"id": "call_duration", "title": "Fast", "status": "passed", "examined": 1}
    with pytest.raises(RecordError, match="crosses its limit, but its check passed"):
        parse(record_fields(checks=[check], measurements=[OVER]))


@pytest.mark.parametrize("exit_code", [130, 143])
def test_an_interrupted_run_keeps_what_it_found(record_fields: Fields, exit_code: int) -> None:
    record = parse(record_fields(status="interrupted", exit_code=exit_code))
    assert record.checks[0].status == "passed"


def test_an_allowed_inconclusive_check_is_told_from_the_record_alone(record_fields: Fields) -> None:
    unknown = {"id": "unknown", "title": "Unknown", "status": "inconclusive", "reason": "no idea"}
    fields = record_fields(checks=[*record_fields()["checks"], unknown])
    with pytest.raises(RecordError, match="the checks come to inconclusive"):
        parse(fields)
    assert parse(fields | {"arguments": {"allow_inconclusive": ["unknown"]}}).allowed_inconclusive == ("unknown",)


def test_ids_sort_by_time_and_fit_the_pattern(record_fields: Fields) -> None:
    moment = datetime(2026, 11, 23, 9, 59, 59, 999_000, tzinfo=UTC)
    ids = [make_id("load", moment + timedelta(milliseconds=step), "ffffffff") for step in (0, 1, 2000, 10**9)]
    assert ids == sorted(ids)
    for name in ids:
        assert parse(record_fields(id=name)).id == name


def test_a_limit_itself_is_within_the_limit() -> None:
    for direction in Direction:
        at_limit = Measurement(name="m", value=5, unit="s", limit=5, direction=direction)
        assert not at_limit.crosses_limit
    assert Measurement(name="m", value=5.1, unit="s", limit=5, direction=Direction.LOWER).crosses_limit
    assert Measurement(name="m", value=4.9, unit="s", limit=5, direction=Direction.HIGHER).crosses_limit


def test_the_check_of_a_measurement_is_named_by_all_that_tells_it_apart() -> None:
    measurement = Measurement(
        name="call_duration", value=1, unit="s", statistic="p95", labels={"tool": "orders get", "part": "load"}
    )
    assert measurement.check_id == "load.call_duration.p95.tool=orders_get"
