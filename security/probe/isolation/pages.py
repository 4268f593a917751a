"""No page of a list holds what is another tenant's: none beyond the end, none of another's cursor, none of any size."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import SampleCall, is_reading
from security.probe.isolation.asking import Seen
from security.probe.isolation.neighbours import Neighbours, Party, everybodys, neighbours, secrets_of
from security.probe.isolation.private import Private, private
from security.probe.probe import probe
from security.probe.site import Need, Site

CURSOR = re.compile(r"cursor|page_?token|continuation", re.IGNORECASE)
OFFSET = re.compile(r"^(?:offset|skip|start|start_index|from)$", re.IGNORECASE)
PAGE = re.compile(r"^(?:page|page_number)$", re.IGNORECASE)
SIZE = re.compile(r"^(?:limit|page_size|per_page|count|size|first|max_results)$", re.IGNORECASE)
MOST_PAGES = 4
SMALL = 5
PLACES = (1, SMALL, 20, 30, 31, 40, 50, 100, 1000, 1_000_000, -1)
PAGES = (2, 3, 4, 5, 10, 1000, 0, -1)
SIZES = (1000, 1_000_000, 0, -1)


@probe(
    "isolation.pages",
    "No page of a list holds what is another tenant's",
    "A01:2025",
    "API1:2023",
    needs=(Need.KEY, Need.STRANGER),
)
def pages(check: OpenCheck, site: Site) -> None:
    """As the stranger ask for pages beyond its own, of any size and place, and with the cursors that the owner got."""
    with neighbours(site) as both:
        if not any(_arguments(tool) for tool in both.owner.client.list_tools()):
            check.not_applicable("no tool lists things page by page")
            return
        lists = [call for call in both.owner.samples.calls.values() if is_reading(call.tool) and _arguments(call.tool)]
        listed = everybodys(both.owner.client)
        for call in lists:
            first = both.stranger.ask(call.name, call.arguments)
            ours, cursors = _walk(both.owner, call)
            secret = private(ours, [*listed, first.all], always=secrets_of(both.owner.tenant))
            if not first.ok or not secret.texts - set(secrets_of(both.owner.tenant)):
                check.evidence.append(f"{call.name} tells the owner nothing that is its own, or refuses the stranger")
                continue
            _ask_beyond(check, both, call, secret, cursors)
        if not check.examined:
            raise Inconclusive(
                "no list could be read that holds anything of the owner's alone: give each tenant things of its own"
            )


def _ask_beyond(check: OpenCheck, both: Neighbours, call: SampleCall, secret: Private, cursors: list[str]) -> None:
    answered = 0
    for how, arguments in _beyond(call, cursors):
        seen = both.stranger.ask(call.name, arguments)
        check.examined += 1
        answered += seen.ok
        if secret.told(seen.all, arguments):
            message = f"{call.name} with {how} gives the stranger what is the owner's"
            check.find(
                "unfiltered-page", message, location=call.name, key=f"{call.name} {how}", references=("CWE-639",)
            )
    check.evidence.append(f"{call.name}: {answered} pages answered, {len(cursors)} cursors of the owner's used")


def _beyond(call: SampleCall, cursors: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    arguments = _arguments(call.tool)
    for name, kind in arguments.items():
        places: Mapping[re.Pattern[str], tuple[int, ...]] = {OFFSET: PLACES, PAGE: PAGES, SIZE: SIZES}
        for value in places.get(kind, ()):
            yield f"{name} {value}", {**call.arguments, name: value}
        if kind is SIZE and (maximum := _property(call, name).get("maximum")):
            yield f"the greatest {name}", {**call.arguments, name: maximum}
        if kind is CURSOR:
            for place, cursor in enumerate(cursors, 1):
                yield f"the owner's {name} {place}", {**call.arguments, name: cursor}


def _walk(owner: Party, call: SampleCall) -> tuple[list[str], list[str]]:
    """The owner's pages, and the cursors that led from one to the next."""
    arguments = dict(call.arguments)
    name = next((each for each, kind in _arguments(call.tool).items() if kind is CURSOR), None)
    told, cursors = [owner.ask(call.name, arguments)], list[str]()
    while name is not None and len(told) < MOST_PAGES and (cursor := _cursor(told[-1])):
        cursors.append(cursor)
        told.append(owner.ask(call.name, {**arguments, name: cursor}))
    return [seen.text for seen in told if seen.ok], cursors


def _cursor(seen: Seen) -> str | None:
    members = itertools.chain(
        seen.structured.items(), *(each.items() for each in seen.structured.values() if isinstance(each, Mapping))
    )
    return next(
        (value for name, value in members if CURSOR.search(str(name)) and isinstance(value, str) and value), None
    )


def _arguments(tool: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    """The arguments that say which page of a list is asked for, and what each of them is."""
    properties = (tool.get("inputSchema") or {}).get("properties") or {}
    kinds = (CURSOR, OFFSET, PAGE, SIZE)
    found = {name: next((kind for kind in kinds if kind.search(name)), None) for name in properties}
    return {name: kind for name, kind in found.items() if kind is not None}


def _property(call: SampleCall, name: str) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = call.tool["inputSchema"]["properties"][name]
    return schema
