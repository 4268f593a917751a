"""docs/ERROR-TRACKING.md says what is sent and what is ignored, no more and no less."""

import errno
import re
from typing import Any

from harness.repository import REPOSITORY
from server.protocol.exchange import Notes
from server.telemetry.tracking.event import error_event, transaction_event
from server.telemetry.tracking.ignored import IGNORED
from server.telemetry.tracking.scrub import scrub
from server.telemetry.tracking.trail import Step, Trail

PAGE = (REPOSITORY / "docs/ERROR-TRACKING.md").read_text(encoding="utf-8")
FIELDS = {
    "event": "library.log",
    "level": "error",
    "logger": "asyncio",
    "endpoint": "/mcp",
    "error": "OSError",
    "write_id": f"w_{'0' * 24}",
}
# What the SDK adds.
ADDED = {
    "event_id": "0" * 32,
    "timestamp": 1.0,
    "platform": "python",
    "environment": "production",
    "release": "quartermaster@1.2.3",
    "server_name": "host",
    "sdk": {"name": "sentry.python", "version": "2.75.0", "packages": [], "integrations": []},
}


def paths(value: Any, here: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path for name, each in value.items() for path in paths(each, f"{here}.{name}" if here else name)}
    if isinstance(value, list):
        return {path for each in value for path in paths(each, f"{here}[]")}
    return {here}


def section(title: str) -> list[str]:
    """The first column of the table under a heading."""
    text = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)


def documented() -> set[str]:
    """Every field in the table; `….name` stands for one beside the first of its row."""
    found = set()
    for cell in section("What is sent"):
        first, *others = re.findall(r"`([^`]+)`", cell)
        beside = first.rpartition(".")[0]
        found |= {first, *(other.replace("…", beside) for other in others)}
    return found


def sent() -> set[str]:
    def fail() -> None:
        raise OSError(errno.ENOSPC, "text")

    trail = Trail("0" * 16, Notes("t_1", "tools/call", "orders_get"))
    trail.steps.append(Step("tool", "orders_get", "ok", 1.0, 2.0))
    try:
        fail()
    except OSError as error:
        told = scrub({**ADDED, **error_event(FIELDS, error, trail, "0" * 16)})
    traced = scrub({**ADDED, **transaction_event(trail, "0" * 16)})
    return (paths(told) | paths(traced)) - {"type"}


def test_the_page_lists_every_field_that_is_sent_and_no_other() -> None:
    assert documented() == sent()


def test_the_page_lists_what_is_ignored_and_why() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", PAGE.partition("## What is ignored")[2], re.MULTILINE))
    assert {each.name: each.reason for each in IGNORED}.items() <= rows.items()
    assert section("What is ignored") == [f"`{each.name}`" for each in IGNORED]
