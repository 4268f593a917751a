"""Reports errors to Sentry: with a client of its own, so that no library which knows the SDK can send anything."""

from __future__ import annotations

import hmac
import random
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk
import structlog
from sqlalchemy import event as database_events

from server import __version__
from server.telemetry.logging import logged_exception
from server.telemetry.tracking.event import error_event, transaction_event
from server.telemetry.tracking.ignored import full_name, is_ignored
from server.telemetry.tracking.requests import FollowedSession, FollowedTransport
from server.telemetry.tracking.scrub import scrub
from server.telemetry.tracking.throttle import Throttle
from server.telemetry.tracking.trail import TRAIL, Trail, step
from server.telemetry.tracking.transport import BoundedTransport, Watch

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from server.clock import Monotonic
    from server.protocol.exchange import Notes
    from server.protocol.stdio import Session
    from server.protocol.transport import Transport
    from server.settings import Settings
    from server.telemetry.metrics import Metrics

QUEUE: Final = 100
# Shorter than the least that STOP_TIMEOUT_SECONDS may exceed DRAIN_SECONDS by: a Sentry that hangs kills no server.
CLOSE_SECONDS: Final = 0.9
REPORTED: Final = frozenset({"error", "critical"})


class Tracker:
    """What a process reports. Its methods never raise, and never wait for Sentry but for CLOSE_SECONDS at the end."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Monotonic = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        assert settings.sentry_dsn is not None
        self._key = settings.master_keys_bytes[0]
        self._rate = settings.sentry_traces_sample_rate
        self._draw = draw
        self._throttle = Throttle(clock)
        self._dropped: Callable[[str], None] = lambda _reason: None
        # Every option that would make the SDK look around by itself is off, and what its environment variables would
        # switch on again is given here.
        self._client = sentry_sdk.Client(
            dsn=settings.sentry_dsn.get_secret_value(),
            release=f"quartermaster@{__version__}",
            environment=settings.environment,
            transport=BoundedTransport,
            transport_queue_size=QUEUE,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[],
            auto_session_tracking=False,
            send_client_reports=False,
            enable_backpressure_handling=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            server_name="",
            debug=False,
            spotlight=False,
            keep_alive=False,
            before_send=scrub,
            before_send_transaction=scrub,
            before_breadcrumb=_nothing,
            before_send_log=_nothing,
            before_send_metric=_nothing,
        )

    @property
    def _transport(self) -> BoundedTransport:
        transport = self._client.transport
        assert isinstance(transport, BoundedTransport)
        return transport

    def attach(self, metrics: Metrics, engine: Engine) -> None:
        """Count in these metrics what is not delivered, and note what this database is asked as steps."""
        self._dropped = lambda reason: metrics.error_events_dropped.labels(reason).inc()
        self._transport.dropped = self._dropped
        database_events.listen(engine, "after_cursor_execute", _note_statement)
        database_events.listen(engine, "handle_error", _note_failure)

    def watch(self, watch: Watch) -> None:
        """Call `watch` with everything that leaves."""
        self._transport.watch = watch

    def follow(self, transport: Transport) -> Transport:
        """A transport whose requests leave a trail."""
        return FollowedTransport(transport, self)

    def follow_session(self, session: Session) -> Session:
        """A session whose messages leave a trail."""
        return FollowedSession(session, self)

    def begin(self, request_id: str, notes: Notes) -> Trail:
        """The trail of the request that this task answers."""
        trail = Trail(request_id, notes)
        TRAIL.set(trail)
        return trail

    def end(self, trail: Trail) -> None:
        """Send the steps of a request that is over, if it is drawn."""
        if self._rate and self._draw() < self._rate:
            self._send(lambda: transaction_event(trail, self.pseudonym(trail.notes.tenant_id)))

    def processor(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Report a log event that is an error, and log the id under which Sentry has it."""
        if event.get("level") in REPORTED:
            sent = self.report(event, logged_exception(event))
            if sent is not None:
                event["sentry_event"] = sent
        return event

    def report(self, fields: Mapping[str, Any], error: BaseException | None) -> str | None:
        """Queue an event for a log event; the id that Sentry has it under, None where it is ignored or dropped."""
        if is_ignored(error, fields.get("logger")):
            return None
        if not self._throttle.admits(_kind(fields, error)):
            self._dropped("throttle")
            return None
        trail = _trail_of(fields)
        tenant = self.pseudonym(trail.notes.tenant_id) if trail else None
        return self._send(lambda: error_event(fields, error, trail, tenant))

    def pseudonym(self, tenant_id: str | None) -> str | None:
        """What Sentry knows a tenant by: always the same while the master key is, and of no use without it."""
        if tenant_id is None:
            return None
        return hmac.digest(self._key, b"error tracking: " + tenant_id.encode(), "sha256").hex()[:16]

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Send what is queued, for so long at most, and stop."""
        with suppress(Exception):
            self._client.close(timeout=seconds)

    def _send(self, make: Callable[[], dict[str, Any]]) -> str | None:
        with suppress(Exception):  # reporting an error must not be one
            event: Any = {"event_id": secrets.token_hex(16), "timestamp": time.time(), **make()}
            if self._client.capture_event(event) is not None:
                return str(event["event_id"])
        self._dropped("unfit")
        return None


def _trail_of(fields: Mapping[str, Any]) -> Trail | None:
    """The trail of the request that a log event names: what a task left behind is logged in whichever runs by then."""
    trail = TRAIL.get()
    return trail if trail is not None and trail.request_id == fields.get("request_id") else None


def _kind(fields: Mapping[str, Any], error: BaseException | None) -> tuple[object, ...]:
    """What counts as the same trouble: the same log event, from the same kind of exception in the same place."""
    place = error.__traceback__ if error else None
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = (place.tb_frame.f_code.co_qualname, place.tb_lineno) if place else None
    return fields.get("event"), fields.get("logger"), full_name(type(error)), where


def _note_statement(_c: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: Any) -> None:
    if context is not None:
        step("database", _operation(statement), "ok", time.perf_counter() - context.started)


def _note_failure(failure: Any) -> None:
    began = getattr(failure.execution_context, "started", None)
    seconds = 0.0 if began is None else time.perf_counter() - began
    step("database", _operation(failure.statement or ""), type(failure.original_exception).__name__, seconds)


def _operation(statement: str) -> str:
    word = statement.split(None, 1)[0].upper() if statement.strip() else ""
    return word if word.isalpha() and word.isascii() else "OTHER"


def _nothing(*_given: object) -> None:
    """Stands where the SDK would send something that is not reported."""
