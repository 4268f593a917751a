import contextlib
import errno
import io
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from server.telemetry.logging import REDACTED, Logger, configure, describe, redact
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


NAME = "Ada Lovelace"


def fail_with_causes() -> None:
    """Raise an exception whose text, cause, context, note and group all speak of a person."""
    try:
        try:
            os.environ[NAME]
        except KeyError as missing:
            raise ValueError(f"no number: {NAME}") from missing
    except ValueError:
        error = RuntimeError(f"cannot read {NAME}")
        error.add_note(NAME)
        raise ExceptionGroup(NAME, [error, OSError(errno.ENOSPC, NAME)]) from None


def fail_while_handling() -> None:
    try:
        fail_with_causes()
    except ExceptionGroup:
        int(NAME)


def test_an_exception_is_logged_with_its_causes_and_places_and_without_its_text(
    log: Logger, stream: io.BytesIO, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    try:
        fail_while_handling()
    except ValueError:
        log.exception("tool.crashed")
    told = lines()[0]["exception"]
    assert NAME not in stream.getvalue().decode()
    for fact in ("builtins.RuntimeError", "builtins.OSError (No space left on device)", "builtins.ExceptionGroup"):
        assert fact in told
    assert told.index("fail_with_causes") < told.rindex("fail_while_handling")
    assert told.count("builtins.ValueError") == 1  # the one that the group was raised without is not its cause


def test_a_cause_is_logged_before_what_it_caused() -> None:
    try:
        try:
            os.environ[NAME]
        except KeyError as missing:
            raise ValueError(NAME) from missing
    except ValueError as error:
        told = describe(error)
    assert [line for line in told.splitlines() if not line.startswith(" ")] == [
        "builtins.KeyError",
        "builtins.ValueError",
    ]


def test_causes_that_go_in_circles_are_told_once() -> None:
    one, other = ValueError(NAME), KeyError(NAME)
    one.__cause__, other.__cause__ = other, one
    assert describe(one) == "builtins.KeyError\nbuiltins.ValueError"


def test_a_database_s_own_reason_is_told() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x CHECK (x <> 'Ada Lovelace'))")
        with pytest.raises(sqlite3.Error) as refused:
            connection.execute("INSERT INTO t VALUES (?)", (NAME,))
    assert describe(refused.value).startswith("sqlite3.IntegrityError (SQLITE_CONSTRAINT_CHECK)")


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        ("pool is full, discarding %s", (NAME,), "pool is full, discarding %s"),
        (f"Task exception was never retrieved\nfuture: ValueError({NAME!r})", (), "Task exception was never retrieved"),
        (f"Exception in callback _write({NAME!r})", (), "Exception in callback _write([…])"),
        ("no mail for ada@example.com today", (), "no mail for […] today"),
        ("called 020 7946-0958 at 17:04", (), "called […] at 17:04"),
    ],
)
def test_of_what_libraries_say_only_their_own_words_are_logged(
    message: str,
    arguments: tuple[str, ...],
    told: str,
    stream: io.BytesIO,
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    configure("debug", stream)
    logging.getLogger("library").error(message, *arguments, exc_info=ValueError(NAME))
    (line,) = lines()
    assert line["message"] == told
    assert line["exception"].startswith("builtins.ValueError")
    assert NAME not in stream.getvalue().decode()


def test_addresses_that_libraries_ask_for_are_not_logged_at_any_level(stream: io.BytesIO) -> None:
    configure("debug", stream)
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        client.get("http://127.0.0.1/orders", params={"email": "ada@example.com"})
    assert stream.getvalue() == b""


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
