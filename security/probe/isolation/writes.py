"""Whatever a tenant writes, another's things stay as they were: the writes are made, not rehearsed."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import SampleCall, arguments_for, is_reading
from security.probe.isolation.asking import Seen
from security.probe.isolation.invented import like
from security.probe.isolation.judging import journal_end, judge_call, judge_journal, require_refusal
from security.probe.isolation.neighbours import Neighbours, attempts, find_once, neighbours, nothing_apart
from security.probe.isolation.words import words
from security.probe.probe import Effect, probe
from security.probe.site import Need, Site

SETTLE_SECONDS = 1.5
"""How long a server may go on to answer from what it had read before."""
REGISTER, USE, DELETE = "stores_register", "stores_use_store", "stores_delete"
REFERENCES = ("CWE-639", "CWE-284")


@probe(
    "isolation.writes",
    "Whatever a tenant writes, another's things stay as they were, and nothing is told of them",
    "A01:2025",
    "API1:2023",
    effect=Effect.WRITES,
    needs=(Need.KEY, Need.STRANGER, Need.KEYS),
    apart=True,
)
def writes(check: OpenCheck, site: Site) -> None:
    """As the stranger carry out every write with the owner's identifiers, and register, choose and forget its store.

    Only on a server that is thrown away: where there is a hole, the owner's things are gone.
    """
    with neighbours(site) as both:
        if reason := nothing_apart(both):
            check.not_applicable(reason)
            return
        before, since = _state(both), journal_end(site)
        requests: dict[str, str] = {}
        refused = 0
        for call, arguments in _foreign_writes(both):
            seen = both.stranger.ask(call.name, arguments)
            requests[seen.request_id] = call.name
            refused += not seen.ok
            check.examined += 1
            judge_call(check, both, call.name, arguments, seen)
        judge_journal(check, site, since, requests)
        _register_the_same(check, both)
        time.sleep(SETTLE_SECONDS)
        _compare(check, both, before)
        check.evidence.append(f"{check.examined} writes of the stranger's, {refused} refused")
        require_refusal(check, refused)


def _foreign_writes(both: Neighbours) -> Iterator[tuple[SampleCall, dict[str, Any]]]:
    """Every write of the owner's with its identifiers, as the stranger would make it: for good."""
    for tool in both.owner.client.list_tools():
        if is_reading(tool) or tool["name"] == REGISTER:  # registering any store is everybody's right
            continue
        call = both.owner.samples.calls.get(tool["name"])
        call = call or SampleCall(tool, arguments_for(tool, both.owner.samples.facts), "")
        for arguments in filter(both.names_owners, attempts(both, call)):
            yield call, {name: value for name, value in arguments.items() if name != "dry_run"}


def _register_the_same(check: OpenCheck, both: Neighbours) -> None:
    """Let the stranger register a store of the owner's id with a made-up key, choose it and forget it again.

    That is its right, and is answered as it is for a store that nobody has.
    """
    store = both.owner.tenant.store
    if store is None or not {REGISTER, USE, DELETE} <= {tool["name"] for tool in both.owner.client.list_tools()}:
        return
    first, second = (_round(both, like(store, both.chance)) for _ in range(2))
    for tool, (given, seen) in _round(both, store).items():
        check.examined += 1
        same = first[tool], second[tool]
        if told := both.private.told(seen.all, given):
            message = f"{tool}, called by the stranger for a store of the owner's id, tells {len(told)} private texts"
            find_once(check, "cross-tenant-data", message, tool, REFERENCES)
        elif _differs(given, seen, same):
            message = f"{tool} answers the stranger otherwise for a store of the owner's than for one of nobody's"
            find_once(check, "telling-write", message, tool, ("CWE-204",))
    if both.stranger.tenant.store is not None:
        both.stranger.ask(USE, {"identifier": both.stranger.tenant.store})


Answered = tuple[Mapping[str, Any], Seen]


def _round(both: Neighbours, store: str) -> dict[str, Answered]:
    """What the stranger is answered when it registers, chooses and forgets a store of this id."""
    steps: dict[str, dict[str, Any]] = {
        REGISTER: {"store_id": store, "api_key": "made-up", "store_name": "Probe"},
        USE: {"identifier": store},
        DELETE: {"store_identifier": store},
    }
    return {tool: (given, both.stranger.ask(tool, given)) for tool, given in steps.items()}


def _differs(given: Mapping[str, Any], seen: Seen, others: tuple[Answered, Answered]) -> bool:
    """Whether an answer is unlike both others; where these differ in words themselves, success alone is compared."""
    first, second = (words(other, sent) for sent, other in others)
    if first != second:
        return {seen.ok} != {other.ok for _, other in others}
    return words(seen, given) != first


def _state(both: Neighbours) -> dict[str, str]:
    """What each tool that reads the server's own data answers the owner, if it says the same twice."""
    calls = [call for call in both.owner.samples.calls.values() if is_reading(call.tool) and _is_closed(call)]
    seen = {call.name: {both.owner.ask(call.name, call.arguments).text for _ in range(2)} for call in calls}
    if not any(len(texts) == 1 for texts in seen.values()):
        raise Inconclusive("no tool tells the owner the same of its own twice: a change would not show")
    return {name: texts.pop() for name, texts in seen.items() if len(texts) == 1}


def _is_closed(call: SampleCall) -> bool:
    """Whether it reads what is the server's own; what is elsewhere the upstream's journal tells."""
    return (call.tool.get("annotations") or {}).get("openWorldHint") is False


def _compare(check: OpenCheck, both: Neighbours, before: Mapping[str, str]) -> None:
    for call in both.owner.samples.calls.values():
        if not is_reading(call.tool):
            continue
        seen = both.owner.ask(call.name, call.arguments)
        if not seen.ok:
            message = f"{call.name} answered the owner before the stranger's writes, and refuses it after them"
            find_once(check, "cross-tenant-write", message, call.name, REFERENCES)
        elif seen.text != before.get(call.name, seen.text):
            message = f"{call.name} answers the owner otherwise after the stranger's writes than before them"
            find_once(check, "cross-tenant-write", message, call.name, REFERENCES)
    check.evidence.append(f"to the letter as before: {', '.join(before)}")
