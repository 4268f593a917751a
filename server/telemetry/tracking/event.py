"""Events as Sentry reads them, made of a log event's own words, of an exception's kinds and places, and of a trail."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from typing import Any, Final

from server.telemetry.logging import chain, reason_of
from server.telemetry.tracking.trail import Step, Trail

LAST_FRAMES: Final = 50
SENTRY_LEVELS: Final = {"critical": "fatal"}
# Of a log event's fields, those that are sent: none of them holds what a client chose, but for the request's id.
TAGS: Final = ("request_id", "tool", "endpoint", "error", "write_id")


def error_event(
    fields: Mapping[str, Any], error: BaseException | None, trail: Trail | None, tenant: str | None
) -> dict[str, Any]:
    """The event for a log event of level error or above. `tenant` is the pseudonym of who called."""
    name, logger = fields["event"], fields.get("logger")
    level = fields.get("level", "error")
    tags = {name: fields[name] for name in TAGS if fields.get(name) is not None}
    event: dict[str, Any] = {
        "level": SENTRY_LEVELS.get(level, level),
        "logger": logger or "server",
        "logentry": {"message": f"{name} {logger}" if logger else name},
        "tags": {"event": name, **(_tags_of(trail) if trail else {}), **tags},
    }
    if error is not None:
        handled = not name.endswith("crashed")
        event["exception"] = {"values": [_exception(each, handled=handled) for each in chain(error)]}
    if trail is not None:
        event["transaction"] = _name_of(trail)
        event["contexts"] = {"trace": {"trace_id": trail.trace_id, "span_id": trail.span_id}}
        event["breadcrumbs"] = {"values": list(map(_breadcrumb, trail.steps))}
    if tenant is not None:
        event["user"] = {"id": tenant}
    return event


def transaction_event(trail: Trail, tenant: str | None) -> dict[str, Any]:
    """The event for a request that is over, with a span for each of its steps."""
    failed = trail.notes.error_code is not None
    event: dict[str, Any] = {
        "type": "transaction",
        "transaction": _name_of(trail),
        "start_timestamp": trail.started,
        "timestamp": trail.clock(),
        "tags": _tags_of(trail),
        "contexts": {
            "trace": {
                "trace_id": trail.trace_id,
                "span_id": trail.span_id,
                "op": "mcp.server",
                "status": "internal_error" if failed else "ok",
            }
        },
        "spans": [_span(each, trail) for each in trail.steps],
    }
    if tenant is not None:
        event["user"] = {"id": tenant}
    return event


def _name_of(trail: Trail) -> str:
    return trail.notes.tool or trail.notes.rpc_method or "request"


def _tags_of(trail: Trail) -> dict[str, str]:
    notes = trail.notes
    known = {"request_id": trail.request_id, "tool": notes.tool, "rpc_method": notes.rpc_method}
    return {name: value for name, value in known.items() if value is not None}


def _exception(error: BaseException, *, handled: bool) -> dict[str, Any]:
    """An exception's kind and place, and the system's reason for it; not what it says (see `describe`)."""
    kind, reason = type(error), reason_of(error)
    described: dict[str, Any] = {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "mechanism": {"type": "generic", "handled": handled},
        "stacktrace": {
            "frames": [
                _frame(frame.f_globals.get("__name__", "unknown"), frame.f_code.co_qualname, line)
                for frame, line in traceback.walk_tb(error.__traceback__)
            ][-LAST_FRAMES:]
        },
    }
    if reason is not None:
        described["value"] = reason
    return described


def _frame(module: str, function: str, line: int) -> dict[str, Any]:
    return {
        "module": module,
        "function": function,
        "filename": module.replace(".", "/") + ".py",
        "lineno": line,
        "in_app": module.partition(".")[0] == "server",
    }


def _breadcrumb(step: Step) -> dict[str, Any]:
    return {
        "category": step.category,
        "message": step.name,
        "timestamp": step.ended,
        "data": {"status": step.status, "milliseconds": round(step.seconds * 1000, 1)},
    }


def _span(step: Step, trail: Trail) -> dict[str, Any]:
    return {
        "span_id": secrets.token_hex(8),
        "parent_span_id": trail.span_id,
        "trace_id": trail.trace_id,
        "op": step.category,
        "description": step.name,
        "start_timestamp": step.ended - step.seconds,
        "timestamp": step.ended,
        "tags": {"status": step.status},
    }
