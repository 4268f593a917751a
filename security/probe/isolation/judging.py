"""What is wrong with a call of the stranger's: it tells the owner's, succeeds with it, or reaches its store."""

from collections.abc import Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.sandbox.client import SandboxClient
from security.probe.isolation.asking import Seen
from security.probe.isolation.invented import invented
from security.probe.isolation.neighbours import Neighbours, find_once
from security.probe.isolation.private import texts_of
from security.probe.site import Site

REFERENCES = ("CWE-639", "CWE-200")


def judge_call(check: OpenCheck, both: Neighbours, tool: str, arguments: Mapping[str, Any], seen: Seen) -> None:
    """Find what a call of the stranger's tells of the owner, or that it succeeds only for what is the owner's."""
    named = sorted(name for name, value in arguments.items() if both.names_owners({name: value}))
    how = f"with the owner's {', '.join(named)}" if named else "without any identifier"
    if told := both.private.told(seen.all, arguments):
        message = f"{tool}, called by the stranger {how}, tells {len(told)} texts that only the owner may see"
        find_once(check, "cross-tenant-data", message, tool, REFERENCES)
    elif seen.ok and named and _is_about_the_owners(both, tool, arguments):
        message = f"{tool}, called by the stranger {how}, succeeds: with made-up ones it is refused"
        find_once(check, "cross-tenant-call", message, tool, REFERENCES)


def journal_end(site: Site) -> int:
    """Where the upstream's journal ends now; 0 where there is none."""
    if site.upstream is None:
        return 0
    with SandboxClient(site.upstream.base_url) as control:
        return control.last_sequence()


def judge_journal(check: OpenCheck, site: Site, since: int, requests: Mapping[str, str]) -> None:
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


def require_refusal(check: OpenCheck, refused: int) -> None:
    """Raise Inconclusive where nothing was found, and nothing that names the owner's was refused to the stranger."""
    if not refused and not check.findings:
        raise Inconclusive(
            "nothing that names the owner's was refused to the stranger: either no tool takes it, or it says nothing;"
            " give the owner things with ids, and tools that ask for them"
        )


def _is_about_the_owners(both: Neighbours, tool: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call of the stranger's that succeeded is refused for ids that nobody has."""
    if _is_strangers_own(both, arguments):
        return False
    return not both.stranger.ask(tool, invented(arguments, both.ids, both.chance)).ok


def _is_strangers_own(both: Neighbours, arguments: Mapping[str, Any]) -> bool:
    """Whether the stranger has things of the same ids: then it was answered about its own."""
    own = set(both.stranger.samples.facts.values())
    return all(text in own for text in texts_of(arguments) if both.ids.holds(text))
