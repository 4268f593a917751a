"""The last gate before an event leaves: what is not known by its place and fits its shape does not pass.

An allow-list, because a list of what to remove is complete on the day it is written and no longer: the next release of
the SDK, or the next integration, sends a field that nobody thought of. By key: only the keys named here are looked at.
By value: each has a shape that no sentence, address, number or key fits, and what looks drawn at random goes although
it fits. Nothing here may depend on who made the event, so that even an event that the SDK made itself is safe.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from server.telemetry.logging import REDACTED, redact_text

Rule = Callable[[Any], Any]
"""Returns what may be sent of a value; None where nothing of it may."""

LONGEST: Final = 200
# An id of ours or a UUID. A client may choose a request's id, so any other shape may be a key of anything.
OWN_ID: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Names that people give have few digits: long ones with many are keys.
DRAWN: Final = re.compile(r"(?=(?:[^0-9]*[0-9]){3})[A-Za-z0-9_-]{20,}")
PART: Final = re.compile(r"[^A-Za-z0-9_-]+")
REASONS: Final = frozenset(map(os.strerror, errno.errorcode))


def text(pattern: str) -> Rule:
    """Texts that fit the pattern as a whole, unless they look like a key."""
    compiled = re.compile(pattern)

    def rule(value: Any) -> Any:
        if not isinstance(value, str) or len(value) > LONGEST or not compiled.fullmatch(value):
            return None
        secret = redact_text(value) != value or any(map(DRAWN.fullmatch, PART.split(value)))
        return REDACTED if secret else value

    return rule


def identifier(pattern: str | re.Pattern[str]) -> Rule:
    """Ids drawn at random by us, of exactly this shape."""
    compiled = re.compile(pattern)
    return lambda value: value if isinstance(value, str) and compiled.fullmatch(value) else None


def number(value: Any) -> Any:
    """Numbers."""
    return value if isinstance(value, int | float) else None


def flag(value: Any) -> Any:
    """Yes or no."""
    return value if isinstance(value, bool) else None


def reason(value: Any) -> Any:
    """The system's and SQLite's own words for an error."""
    known = isinstance(value, str) and (value in REASONS or re.fullmatch(r"SQLITE_[A-Z_]{1,40}", value))
    return value if known else None


def one_of(*known: str) -> Rule:
    """These words."""
    return lambda value: value if value in known else None


def members(rules: Mapping[str, Rule]) -> Rule:
    """Objects, of which only these members pass, each by its rule."""

    def rule(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return None
        passed = ((name, each(value[name])) for name, each in rules.items() if name in value)
        return {name: each for name, each in passed if each is not None}

    return rule


def items(each: Rule) -> Rule:
    """Lists, each item by this rule."""
    return lambda value: [one for one in map(each, value) if one is not None] if isinstance(value, list) else None


def values(each: Rule) -> Rule:
    """The list inside an object that Sentry likes to have around one."""
    return members({"values": items(each)})


WORD: Final = text(r"[A-Za-z_][A-Za-z0-9_.]*")
PLACE: Final = text(r"[A-Za-z_][A-Za-z0-9_.]*( [A-Za-z_][A-Za-z0-9_.]*)?")
FUNCTION: Final = text(r"[A-Za-z_<][A-Za-z0-9_.<>]*")
METHOD: Final = text(r"[A-Za-z_]+(/[A-Za-z_]+)*")
STEP: Final = text(r"([A-Z]+ )?[A-Za-z_/{}-]+")
STATUS: Final = text(r"[A-Za-z_]+|[0-9]{3}")
HEX_32: Final = identifier(r"[0-9a-f]{32}")
HEX_16: Final = identifier(r"[0-9a-f]{16}")

TAGS: Final = members(
    {
        "event": WORD,
        "tool": text(r"[a-z_]+"),
        "rpc_method": METHOD,
        "endpoint": text(r"[a-z/-]+"),
        "error": WORD,
        "request_id": identifier(OWN_ID),
        "write_id": identifier(r"w_[0-9a-f]{24}"),
    }
)
FRAME: Final = members(
    {
        "module": WORD,
        "function": FUNCTION,
        "filename": text(r"[A-Za-z_][A-Za-z0-9_/]*\.py"),
        "lineno": number,
        "in_app": flag,
    }
)
EXCEPTION: Final = members(
    {
        "type": FUNCTION,
        "module": WORD,
        "value": reason,
        "mechanism": members({"type": one_of("generic"), "handled": flag}),
        "stacktrace": members({"frames": items(FRAME)}),
    }
)
BREADCRUMB: Final = members(
    {
        "category": WORD,
        "message": STEP,
        "timestamp": number,
        "data": members({"status": STATUS, "milliseconds": number}),
    }
)
SPAN: Final = members(
    {
        "span_id": HEX_16,
        "parent_span_id": HEX_16,
        "trace_id": HEX_32,
        "op": WORD,
        "description": STEP,
        "start_timestamp": number,
        "timestamp": number,
        "tags": members({"status": STATUS}),
    }
)
EVENT: Final = members(
    {
        "event_id": HEX_32,
        "type": one_of("transaction"),
        "timestamp": number,
        "start_timestamp": number,
        "platform": one_of("python"),
        "level": one_of("error", "fatal"),
        "environment": one_of("development", "staging", "production"),
        "release": text(r"quartermaster@[0-9A-Za-z.+]+"),
        "logger": WORD,
        "transaction": METHOD,
        "logentry": members({"message": PLACE}),
        "user": members({"id": HEX_16}),
        "tags": TAGS,
        "contexts": members({"trace": members({"trace_id": HEX_32, "span_id": HEX_16, "op": WORD, "status": STATUS})}),
        "exception": values(EXCEPTION),
        "breadcrumbs": values(BREADCRUMB),
        "spans": items(SPAN),
        "sdk": members({"name": WORD, "version": text(r"[0-9]+\.[0-9]+\.[0-9]+[0-9a-z]*")}),
    }
)


def scrub(event: Any, _hint: object = None) -> Any:
    """What may be sent of an event, as the SDK asks for it."""
    return EVENT(event)
