"""Texts that a server keeps: a call that stores one in the canary tenant's own data, and one that removes it again."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from harness.collector import OpenCheck
from security.probe.calls import Samples, arguments_for, facts_in, is_reading, string_arguments
from security.probe.injection.asking import Asker, Seen

Tool = Mapping[str, Any]
Call = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""


START = 12
"""So many characters tell a text from any other."""


@dataclass(frozen=True)
class Storing:
    """A tool that stores texts: {text} stands for one, {token} for a new id, {secret} for what nobody may read again.

    `removal` is the tool that removes what was stored and its arguments, {NAME} standing for what the answer told;
    `facts` is how other tools call it.
    """

    tool: str
    arguments: Mapping[str, Any]
    removal: tuple[str, Mapping[str, Any]] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A text that is stored now: by which call, what the answer was, and what other tools call it."""

    storing: Storing
    arguments: Mapping[str, Any]
    answer: Seen
    facts: Mapping[str, str]


OURS = (
    Storing(
        "stores_register",
        {
            "store_id": "{token}",
            "api_key": "{secret}",
            "store_name": "{text}",
            "label": "{text}",
            "idempotency_key": "{token} {text}",
        },
        ("stores_delete", {"store_identifier": "{token}"}),
        {"identifier": "{token}"},
    ),
    Storing(
        "orders_create",
        {
            "order_data": {
                "source_name": "{text}",
                "customer": {"company": "{text}"},
                "order_items": [{"name": "{text}", "quantity": 1}],
            },
            "idempotency_key": "{token} {text}",
        },
        ("orders_delete", {"order_id": "{order_id}"}),
    ),
)
"""The tools of this project's server whose work can be undone."""


def storings(tools: list[dict[str, Any]]) -> list[Storing]:
    """The ways to store a text here: ours where those tools are there.

    Otherwise the tools that say that they only add (not destructive) and only to what is the server's own (no open
    world); what they add stays.
    """
    declared = {tool["name"]: _declared(tool) for tool in tools}
    ours = [
        replace(
            storing,
            arguments={name: value for name, value in storing.arguments.items() if name in declared[storing.tool]},
            removal=storing.removal if storing.removal and storing.removal[0] in declared else None,
        )
        for storing in OURS
        if storing.tool in declared
    ]
    return ours or [
        Storing(tool["name"], {**arguments_for(tool, {}), **dict.fromkeys(texts, "{text}")})
        for tool in tools
        if not is_reading(tool) and _only_adds(tool) and (texts := string_arguments(tool))
    ]


@contextmanager
def kept(check: OpenCheck, asker: Asker, storing: Storing, text: str) -> Iterator[Kept]:
    """Store `text` (whether the answer is a success or not: it may be there all the same), and remove it at the end."""
    given = {"text": text, "token": f"probe-{secrets.token_hex(6)}", "secret": f"probe-{secrets.token_hex(12)}"}
    arguments = _fill(storing.arguments, given)
    answer = asker.call(storing.tool, arguments)
    # A fact that is the text itself would carry it into the calls that are to come across it.
    learned = {name: fact for name, fact in facts_in(answer.structured or {}) if text[:START] not in fact}
    told = {"token": given["token"], **learned, **_fill(storing.facts, given)}
    try:
        yield Kept(storing, arguments, answer, told)
    finally:
        removed = storing.removal is not None and asker.call(storing.removal[0], _fill(storing.removal[1], told)).ok
        if answer.ok and not removed:
            check.evidence.append(f"what {storing.tool} stored is still there: {given['token']}")


def readings(samples: Samples, now: Kept) -> dict[str, Call]:
    """Calls that come across what is stored without carrying it: all that read, and all that can be told of it by name.

    By what they are for, the same for each text. The last, which stores it again, carries it.
    """
    calls = samples.calls.values()
    before = {f"{call.name} as ever": (call.name, dict(call.arguments)) for call in calls if is_reading(call.tool)}
    facts = {**samples.facts, **now.facts}
    after = {f"{call.name} of it": (call.name, arguments_for(call.tool, facts)) for call in calls}
    return {**before, **after, f"{now.storing.tool} again": (now.storing.tool, dict(now.arguments))}


def _declared(tool: Tool) -> Mapping[str, Any]:
    return (tool.get("inputSchema") or {}).get("properties") or {}


def _only_adds(tool: Tool) -> bool:
    annotations = tool.get("annotations") or {}
    return annotations.get("destructiveHint") is False and annotations.get("openWorldHint") is False


def _fill(template: Any, values: Mapping[str, str]) -> Any:
    if isinstance(template, Mapping):
        return {name: _fill(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, values) for value in template]
    if isinstance(template, str):
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", value)
    return template
