import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from server.telemetry.logging import REDACTED, Logger, configure, redact
from server.tenancy.keys import TenantKey
from tests.unit.server.parts import seeded

KEY = str(TenantKey("a" * 16, "B" * 43))


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []  # or the set-up on trial would close the test runner's
    yield io.BytesIO()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def log(stream: io.BytesIO) -> Logger:
    return configure("info", stream)


@pytest.fixture
def lines(stream: io.BytesIO) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_event_level_and_time(
    log: Logger, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    log.info("server.started", port=8080, note="two\nlines")
    (line,) = lines()
    assert line["event"] == "server.started"
    assert line["level"] == "info"
    assert line["port"] == 8080
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written(log: Logger, lines: Callable[[], list[dict[str, Any]]]) -> None:
    log.debug("hidden")
    log.warning("shown")
    assert [line["event"] for line in lines()] == ["shown"]


@pytest.mark.parametrize(
    "name", ["api_key", "authorization", "master_key", "admin_token", "token", "password", "smtp_password", "secret"]
)
def test_what_a_secret_s_name_marks_is_removed(name: str, log: Logger, stream: io.BytesIO) -> None:
    log.info("event", **{name: "s3cr3t"})
    assert b"s3cr3t" not in stream.getvalue()
    assert REDACTED.encode() in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"Bearer {KEY}",
        f"Authorization: Bearer {KEY}, Host: localhost",
        f"POST /mcp?token={KEY} HTTP/1.1",
        f"GET /mcp?a=1&token={KEY}&b=2",
        f"two {KEY} of them {KEY}",
    ],
)
def test_a_tenant_key_is_removed_wherever_it_stands(text: str, log: Logger, stream: io.BytesIO) -> None:
    log.info("event", path=text)
    assert KEY.encode() not in stream.getvalue()
    assert KEY.partition(".")[2].encode() not in stream.getvalue()


def test_a_query_token_is_removed_even_when_it_is_no_key(log: Logger, stream: io.BytesIO) -> None:
    log.info("event", path="/mcp?token=old-style-key&x=1", other="/mcp?x=1&token=old-style-key")
    assert b"old-style-key" not in stream.getvalue()
    assert b"x=1" in stream.getvalue()


def test_an_exception_s_text_is_redacted_too(log: Logger, stream: io.BytesIO) -> None:
    try:
        int(f"no number: {KEY}")
    except ValueError:
        log.exception("tool.crashed")
    assert b"ValueError" in stream.getvalue()
    assert KEY.encode() not in stream.getvalue()


def test_libraries_join_the_same_pipeline(stream: io.BytesIO, lines: Callable[[], list[dict[str, Any]]]) -> None:
    configure("info", stream)
    logging.getLogger("library").warning("uses %s", KEY)
    logging.getLogger("library").info("chatter")
    (line,) = lines()
    assert line["event"] == "library.log"
    assert line["logger"] == "library"
    assert KEY not in line["message"]


@seeded
@given(before=st.text(max_size=20), after=st.text(max_size=20), name=st.sampled_from(["path", "error", "message"]))
def test_no_surrounding_text_hides_a_key_from_redaction(before: str, after: str, name: str) -> None:
    event = redact(None, "info", {name: f"{before}{KEY}{after}"})
    assert KEY not in event[name]


@seeded
@given(st.text(max_size=60).filter(lambda text: "qm_" not in text and "token=" not in text))
def test_harmless_text_is_left_alone(text: str) -> None:
    assert redact(None, "info", {"path": text}) == {"path": text}


def test_values_that_are_not_json_are_written_as_text(log: Logger, lines: Callable[[], list[dict[str, Any]]]) -> None:
    log.info("event", value={1, 2}, key_type=TenantKey)
    assert lines()[0]["event"] == "event"
