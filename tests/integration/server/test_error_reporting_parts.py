"""The tracker alone before a receiver: what the SDK would do by itself, it does not; and `sentry-test`."""

import contextvars
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import sentry_sdk
import structlog

from harness.repository import REPOSITORY
from server.protocol.exchange import Notes
from server.settings import Settings
from server.telemetry.logging import configure
from server.telemetry.tracking import tracking
from server.telemetry.tracking.tracker import Tracker
from server.telemetry.tracking.trail import step
from tests.integration.server.sentry_receiver import Receiver, receiving

MASTER_KEY = secrets.token_urlsafe(32)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def tracker(receiver: Receiver) -> Iterator[Tracker]:
    settings = Settings.load({"MASTER_KEY": MASTER_KEY, "SENTRY_DSN": receiver.dsn})
    with tracking(settings) as tracker:
        assert tracker is not None
        yield tracker


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_what_else_knows_the_sdk_can_send_nothing(tracker: Tracker, receiver: Receiver) -> None:
    sentry_sdk.capture_message("of a library")
    sentry_sdk.add_breadcrumb(message="of a library")
    sentry_sdk.set_user({"email": "mary@example.com"})
    sentry_sdk.set_tag("mary", "poppins")
    with sentry_sdk.start_transaction(name="of a library"):
        sentry_sdk.capture_exception(ValueError("of a library"))
    tracker.report({"event": "ours.alone", "level": "error"}, None)
    receiver.wait_for("ours.alone")
    tracker.close()
    (envelope,) = receiver.envelopes()
    assert [item.type for item in envelope.items] == ["event"]
    assert "library" not in receiver.everything()
    assert "mary" not in receiver.everything()


def test_no_integration_is_on_and_the_environment_switches_none_on(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SENTRY_DEBUG", "SENTRY_SPOTLIGHT", "SENTRY_KEEP_ALIVE"):
        monkeypatch.setenv(name, "true")
    settings = Settings.load({"MASTER_KEY": MASTER_KEY, "SENTRY_DSN": receiver.dsn})
    with tracking(settings) as tracker:
        assert tracker is not None
        assert tracker._client.integrations == {}
        assert tracker._client.spotlight is None
        assert tracker._client.monitor is None
        assert not sentry_sdk.get_client().is_active()


@pytest.mark.usefixtures("_logging_as_before")
def test_errors_of_the_log_are_reported_and_nothing_milder(
    tracker: Tracker, receiver: Receiver, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    logger = configure("debug", report=tracker.processor)
    for level in ("debug", "info", "warning"):
        getattr(logger, level)("not.told")
    logger.error("audit.rows_lost", rows=3)
    logging.getLogger("urllib3.connectionpool").error("not told: %s", receiver.dsn)
    logging.getLogger("uvicorn.error").error("of Mary %s", "Poppins")
    lost, library = receiver.wait_for("audit.rows_lost", "library.log")
    tracker.close()
    assert len(receiver.items()) == 2
    assert lost["logentry"] == {"message": "audit.rows_lost"}
    assert library["logentry"] == {"message": "library.log uvicorn.error"}
    lines = [orjson.loads(line) for line in capfdbinary.readouterr().err.splitlines()]
    assert [line["event"] for line in lines if "sentry_event" in line] == ["audit.rows_lost", "library.log"]


def test_an_error_of_another_request_gets_neither_this_one_s_tenant_nor_its_steps(
    tracker: Tracker, receiver: Receiver
) -> None:
    def report() -> None:
        tracker.begin("a" * 16, Notes("t_1", "tools/call", "orders_get"))
        step("tool", "orders_list", "ok", 1)
        for name in ("its.own", "of.another", "of.none"):
            given = {"its.own": {"request_id": "a" * 16}, "of.another": {"request_id": "b" * 16}, "of.none": {}}[name]
            tracker.report({"event": name, "level": "error", **given}, None)

    contextvars.copy_context().run(report)
    own, another, none = receiver.wait_for("its.own", "of.another", "of.none")
    assert own["user"] == {"id": tracker.pseudonym("t_1")}
    assert len(own["breadcrumbs"]["values"]) == 1
    for event in (another, none):
        assert event.keys().isdisjoint({"user", "breadcrumbs", "contexts", "transaction"})
        assert "tool" not in event["tags"]


def test_what_ends_the_server_is_reported_and_raised_again(receiver: Receiver) -> None:
    settings = Settings.load({"MASTER_KEY": MASTER_KEY, "SENTRY_DSN": receiver.dsn})
    with pytest.raises(RuntimeError, match="the end"), tracking(settings):
        raise RuntimeError("the end")
    (event,) = receiver.wait_for("server.crashed")
    assert (event["level"], event["exception"]["values"][0]["type"]) == ("fatal", "RuntimeError")


def test_an_error_that_cannot_be_told_is_no_error_of_its_own(tracker: Tracker, receiver: Receiver) -> None:
    class Odd(Exception):  # noqa: N818 - as odd as can be
        @property
        def sqlite_errorname(self) -> str:
            raise RuntimeError("not even that")

    assert tracker.report({"event": "tool.crashed", "level": "error"}, Odd()) is None
    assert receiver.requests == []


def sentry_test(dsn: str | None, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "MASTER_KEY": MASTER_KEY}
    if dsn is not None:
        file = folder / "dsn"
        file.write_text(dsn)
        environment["SENTRY_DSN_FILE"] = str(file)
    command = (sys.executable, "-m", "server", "sentry-test")
    return subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=40, check=False
    )


def test_sentry_test_shows_exactly_what_left_and_that_it_was_accepted(receiver: Receiver, tmp_path: Path) -> None:
    done = sentry_test(receiver.dsn, tmp_path)
    assert done.returncode == 0, done.stderr
    ((_, body),) = receiver.requests
    left = [orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode() for line in body.splitlines()]
    assert done.stdout.startswith("\n".join(left))
    (event,) = receiver.wait_for("sentry.test")
    assert done.stdout.splitlines()[-1] == f"Accepted: event {event['event_id']}, HTTP 200"
    assert "MarkedError" in done.stdout
    assert "mary@example.com" not in done.stdout
    assert MASTER_KEY not in done.stdout


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        ("403", 1, "refused with HTTP 403"),
        ("429", 1, "refused with HTTP 429"),
        ("500", 1, "refused with HTTP 500"),
        ("hangs", 3, "nobody answered"),
        ("refuses", 3, "nobody answered"),
    ],
)
def test_sentry_test_tells_what_became_of_it(trouble: str, code: int, said: str, tmp_path: Path) -> None:
    with receiving(trouble) as receiver:
        done = sentry_test(receiver.dsn, tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1)
    assert said in done.stderr
    assert "sentry.test" in done.stdout  # what left is shown all the same


def test_sentry_test_without_a_dsn_is_wrong_usage(tmp_path: Path) -> None:
    done = sentry_test(None, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("server: SENTRY_DSN: is not set")
