"""python -m server sentry-test: send a marked error on the way that real ones take, and show what left."""

from __future__ import annotations

import argparse
import gzip
import os
from typing import TYPE_CHECKING, Final, NoReturn

from server.commands.support import DONE, INTERNAL, REFUSED, USAGE, refuse

if TYPE_CHECKING:
    from server.commands.support import Subparsers
    from server.settings import Settings
    from server.telemetry.tracking.tracker import Tracker

PATIENCE_SECONDS: Final = 10.0


class MarkedError(Exception):
    """No error: it shows that errors arrive. Its text holds what must not leave."""


def add(commands: Subparsers) -> None:
    """Add `sentry-test`."""
    parser = commands.add_parser(
        "sentry-test",
        help="send a marked error to Sentry and show what left",
        description="Send a marked error to SENTRY_DSN on the way that real ones take, and show what left. "
        "Exit codes: 0 accepted, 1 refused, 2 no DSN, 3 it could not be told.",
    )
    parser.set_defaults(command=run)


def run(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Send and show. Returns 0 where it was accepted, 1 refused, 2 without a DSN, 3 where nobody answered."""
    from server.telemetry.tracking import tracking

    left: list[tuple[bytes, int | None]] = []
    with tracking(settings) as tracker:
        if tracker is None:
            return refuse("SENTRY_DSN: is not set, so errors are reported to nobody", USAGE)
        tracker.watch(lambda body, status: left.append((body, status)))
        sent = _fail(tracker)
        tracker.close(PATIENCE_SECONDS)
    if sent is None or not left:
        return refuse("sentry-test: nothing left within 10 s", INTERNAL)
    body, status = left[0]
    print(_shown(body))
    if status is None:
        return refuse(f"sentry-test: event {sent} left, and nobody answered", INTERNAL)
    if not 200 <= status < 300:
        return refuse(f"sentry-test: event {sent} was refused with HTTP {status}", REFUSED)
    print(f"Accepted: event {sent}, HTTP {status}")
    return DONE


def _fail(tracker: Tracker) -> str | None:
    """Fail as a tool does, with steps of every kind behind it; returns the event's id."""
    from server.protocol.exchange import Notes
    from server.telemetry.tracking.trail import TRAIL, step

    request_id = os.urandom(8).hex()
    tracker.begin(request_id, Notes("t_0123456789abcdef", "tools/call", "orders_get"))
    step("tool", "stores_list", "ok", 0.001)
    step("database", "SELECT", "ok", 0.001)
    step("orderdesk", "GET /orders/{id}", "200", 0.1)
    try:
        _raise()
    except MarkedError as error:
        return tracker.report({"event": "sentry.test", "level": "error", "request_id": request_id}, error)
    finally:
        TRAIL.set(None)


def _raise() -> NoReturn:
    raise MarkedError("a text such as mary@example.com, which must not leave")


def _shown(body: bytes) -> str:
    """What is inside the request that left: the envelope's lines, the payloads laid out."""
    import orjson

    lines = gzip.decompress(body).splitlines()
    return "\n".join(orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode() for line in lines if line)
