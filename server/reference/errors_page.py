"""docs/ERRORS.md: the codes of tool errors from their classes, and what is refused before a tool is reached."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from server.errors import ToolError
from server.reference.markdown import code, page, table
from server.reference.refusals import HTTP, JSON_RPC


@dataclass(frozen=True)
class Advice:
    """What a client does about a code, and the members that `details` may have. A test holds them to the code."""

    action: str
    details: Mapping[str, str]


ADVICE: Final[Mapping[str, Advice]] = {
    "VALIDATION_ERROR": Advice(
        "Mend the arguments that are named and call again; the same call fails again.",
        {
            "missing_fields": "arguments that are required and absent",
            "invalid_fields": "what is wrong, by argument",
            "example_request": "a set of arguments that is valid",
            "candidates": "the store ids that an ambiguous store identifier could mean",
            "present_stock": "the stock that an adjustment met",
        },
    ),
    "AUTH_ERROR": Advice(
        "Do not repeat. Refused by OrderDesk: the store's API key has changed there; `stores_register` with the current"
        " one. Otherwise ask the operator for a key, or why the tenant is suspended.",
        {"http_status": "what OrderDesk answered"},
    ),
    "NOT_FOUND": Advice("Check the id and the store; list or search to find the object.", {}),
    "STORE_NOT_FOUND": Advice(
        "Name a store that `stores_list` shows, make one active with `stores_use_store`, or register it.", {}
    ),
    "CONFLICT_ERROR": Advice(
        "Read the object again and decide anew; with an idempotency key that was used for another request, take a new"
        " one.",
        {
            "retries_attempted": "how often the server merged anew before it gave up",
            "existing_id": "the object that is there already",
            "fields": "the fields that somebody changed since, or that cannot be restored",
            "results": "of a batch: what OrderDesk said of each part",
            "order_ids": "the orders that are somewhere else by now",
        },
    ),
    "RATE_LIMIT_EXCEEDED": Advice(
        "Wait `retry_after_seconds` (HTTP: also `Retry-After`), then call again; without it, the call asks for more"
        " than its limit ever allows: make smaller calls. Where the hourly cap is reached, ask the operator before"
        " going on.",
        {
            "retry_after_seconds": "how long to wait; absent where waiting does not help",
            "limit": "`tenant` (RATE_LIMIT_RPM), `orderdesk` (the store's own bucket there), or `destructive_per_hour`"
            " (the cap on objects created, moved or deleted)",
        },
    ),
    "ORDERDESK_API_ERROR": Advice(
        "Read the message, which is OrderDesk's own; the same call fails again.",
        {"http_status": "what OrderDesk answered", "results": "of a batch: what OrderDesk said of each part"},
    ),
    "UPSTREAM_UNAVAILABLE": Advice(
        "Nothing was changed: call again later, after `retry_after_seconds` where it is given.",
        {
            "reason": "what was in the way, such as `deadline`, `busy`, `order_busy`, `circuit_open` (OrderDesk failed"
            " too often for this store, and is left alone for a while), `unexpected_body`",
            "retry_after_seconds": "how long to wait",
        },
    ),
    "WRITE_UNCERTAIN": Advice(
        "**Read the object before anything else.** It may have been changed, or still be changed in a moment. Repeat"
        " with the same idempotency key, which looks it up and never writes twice; never with a new one unread.",
        {
            "write_id": "for the operator: `python -m server writes show ID`",
            "fields": "the fields that OrderDesk's answer does not show changed",
            "target": "the id of the object to read, where there is one",
            "order_id": "the order to read, where it is one or part of one; `item_id` or `shipment_id` beside it",
        },
    ),
    "READ_ONLY": Advice(
        "Nothing was changed. Reads go on; ask the operator when writes do, and do not repeat until then.",
        {"scope": "`server`, `tenant` or `store`: what is read-only"},
    ),
    "STORAGE_UNAVAILABLE": Advice(
        "Nothing was changed, for a write that cannot be recorded is not sent. Reads go on; repeat in some minutes.",
        {"reason": "`disk` when less is free than DISK_RESERVE_BYTES"},
    ),
    "INTERNAL_ERROR": Advice(
        "Give the operator the `request_id`: it finds the cause in the server's log. A read may be repeated once.", {}
    ),
}
SHAPE: Final = """\
A tool that fails answers with `isError: true`, and the error as text and as `structuredContent`:

```json
{"error": {"code": "NOT_FOUND", "message": "…", "details": {}, "request_id": "0f2b…"}}
```

Decide by `code`; `message` is for people and may change. `details` holds nothing personal and no secret."""

HTTP_SHAPE: Final = """\
One shape for all paths: `{"error": {"code": …, "message": …, "request_id": …}}`. There is no `request_id` with
`INVALID_HTTP` and `HEAD_TOO_LARGE`: no request could be read, and none is in the log. What is refused at `/mcp` itself
(401, 403 for a suspended tenant, 405, 415, 429) has the shape of JSON-RPC, above."""


def errors_page() -> str:
    """The page."""
    return page(
        "Errors",
        "reference errors",
        "## Errors inside a tool's result",
        SHAPE,
        table(("code", "meaning", "details", "what the client should do"), map(_row, codes())),
        "## Refused before a tool is reached: JSON-RPC errors",
        "The member `error` of the JSON-RPC answer. Revision 2026-07-28 gets the HTTP status; where two are given, the"
        " older revisions get the second.",
        table(
            ("code", "HTTP status", "when", "what the client should do"),
            [(code(str(each.code)), each.status, each.when, each.action) for each in JSON_RPC],
        ),
        "## Refused before MCP is reached: HTTP",
        HTTP_SHAPE,
        table(
            ("HTTP status", "code", "when", "what the client should do"),
            [(each.status, code(str(each.code)), each.when, each.action) for each in HTTP],
        ),
    )


def codes() -> list[str]:
    """The codes of all tool errors, in the order of their declaration."""
    return list(dict.fromkeys(error.code for error in _subclasses(ToolError)))


def _subclasses(base: type[ToolError]) -> Iterator[type[ToolError]]:
    for error in base.__subclasses__():
        yield error
        yield from _subclasses(error)


def _row(name: str) -> tuple[str, ...]:
    meanings = [_meaning(error) for error in _subclasses(ToolError) if error.code == name]
    advice = ADVICE[name]
    details = "; ".join(f"{code(member)}: {meaning}" for member, meaning in advice.details.items())
    return code(name), " ".join(meanings), details, advice.action


def _meaning(error: type[ToolError]) -> str:
    """What the class says of itself, up to its details, which have a column of their own."""
    text = " ".join((inspect.getdoc(error) or "").split())
    return text.partition(": details")[0].rstrip(".") + "."
