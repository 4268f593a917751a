"""No identifier of one tenant's gets another anything: every tool, every identifier, alone and with the store's."""

from collections.abc import Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.sandbox.client import SandboxClient
from security.probe.isolation.asking import Seen
from security.probe.isolation.invented import invented
from security.probe.isolation.neighbours import (
    Neighbours,
    attempts,
    find_once,
    neighbours,
    nothing_apart,
    refuse_gaps,
)
from security.probe.isolation.private import texts_of
from security.probe.probe import probe
from security.probe.site import Need, Site

REFERENCES = ("CWE-639", "CWE-200")


@probe(
    "isolation.tools",
    "No identifier of one tenant's gets another anything, whatever the tool",
    "A01:2025",
    "API1:2023",
    "API3:2023",
    "MCP:access-control",
    needs=(Need.KEY, Need.STRANGER),
)
def tools(check: OpenCheck, site: Site) -> None:
    """Repeat every call of the owner's as the stranger; then the owner's own, which must go on to succeed."""
    with neighbours(site) as both:
        if reason := nothing_apart(both):
            check.not_applicable(reason)
            return
        since = _journal_end(site)
        requests: dict[str, str] = {}
        for call in both.owner.samples.calls.values():
            for arguments in attempts(both, call):
                seen = both.stranger.ask(call.name, arguments)
                requests[seen.request_id] = call.name
                check.examined += 1
                _judge(check, both, call.name, arguments, seen)
        _judge_journal(check, site, since, requests)
        _owner_again(check, both)
        check.evidence.append(
            f"{check.examined} calls of the stranger's; {len(both.private.texts)} texts that only the owner may see"
        )
        refuse_gaps(check, both.owner)


def _judge(check: OpenCheck, both: Neighbours, tool: str, arguments: Mapping[str, Any], seen: Seen) -> None:
    named = sorted(name for name, value in arguments.items() if both.names_owners({name: value}))
    how = f"with the owner's {', '.join(named)}" if named else "without any identifier"
    if told := both.private.told(seen.all, arguments):
        message = f"{tool}, called by the stranger {how}, tells {len(told)} texts that only the owner may see"
        find_once(check, "cross-tenant-data", message, tool, REFERENCES)
    elif seen.ok and named and _is_about_the_owners(both, tool, arguments):
        message = f"{tool}, called by the stranger {how}, succeeds: with made-up ones it is refused"
        find_once(check, "cross-tenant-call", message, tool, REFERENCES)


def _is_about_the_owners(both: Neighbours, tool: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call of the stranger's that succeeded is refused for ids that nobody has."""
    if _is_strangers_own(both, arguments):
        return False
    return not both.stranger.ask(tool, invented(arguments, both.ids, both.chance)).ok


def _is_strangers_own(both: Neighbours, arguments: Mapping[str, Any]) -> bool:
    """Whether the stranger has things of the same ids: then it was answered about its own."""
    own = set(both.stranger.samples.facts.values())
    return all(text in own for text in texts_of(arguments) if both.ids.holds(text))


def _journal_end(site: Site) -> int:
    if site.upstream is None:
        return 0
    with SandboxClient(site.upstream.base_url) as control:
        return control.last_sequence()


def _judge_journal(check: OpenCheck, site: Site, since: int, requests: Mapping[str, str]) -> None:
    """Nothing that the stranger asked for reached the owner's store at the upstream, by the requests' own ids."""
    if site.upstream is None:
        return
    with SandboxClient(site.upstream.base_url) as control:
        entries = control.journal(since)
    reached = {entry["request_id"] for entry in entries if entry["store_id"] == site.owner.store} & requests.keys()
    for tool in sorted({requests[request_id] for request_id in reached}):
        message = f"{tool}, called by the stranger, reached the owner's store"
        find_once(check, "cross-tenant-upstream", message, tool, REFERENCES)
    own = sum(entry["request_id"] in requests for entry in entries)
    check.evidence.append(
        f"of the stranger's calls {own} requests reached the upstream, {len(reached)} the owner's store"
    )


def _owner_again(check: OpenCheck, both: Neighbours) -> None:
    unchanged = 0
    for call in both.owner.samples.calls.values():
        seen = both.owner.ask(call.name, call.arguments)
        unchanged += seen.text == call.text
        if not seen.ok:
            check.fail(f"{call.name} succeeded for the owner before the stranger's calls, and is refused after them")
    check.evidence.append(f"the owner's {len(both.owner.samples.calls)} calls succeed again, {unchanged} to the letter")
