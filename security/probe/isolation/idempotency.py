"""An idempotency key is its tenant's own: nobody gets another's answer for it, and nobody's write is lost to it."""

import functools
import re
import secrets
from collections.abc import Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.sandbox.client import SandboxClient
from security.probe.calls import SampleCall
from security.probe.isolation.asking import Seen
from security.probe.isolation.neighbours import Neighbours, neighbours
from security.probe.probe import Effect, probe
from security.probe.site import Need, Site

ARGUMENT = re.compile(r"idempot|request_?token|client_?token", re.IGNORECASE)
TOOLS = 2
"""How many tools are tried; each writes three times."""
REFERENCES = ("CWE-639", "CWE-694")


@probe(
    "isolation.idempotency",
    "An idempotency key of one tenant's means nothing for another",
    "A01:2025",
    "API1:2023",
    effect=Effect.WRITES,
    needs=(Need.KEY, Need.STRANGER),
)
def idempotency(check: OpenCheck, site: Site) -> None:
    """Let both tenants write under the same idempotency key, each in its own store; then the stranger as the owner."""
    with neighbours(site) as both:
        named = {tool["name"]: each for tool in both.owner.client.list_tools() if (each := _argument(tool))}
        if not named:
            check.not_applicable("no tool takes an idempotency key")
            return
        for name in sorted(filter(functools.partial(_adds_to_owners, both), named))[:TOOLS]:
            _write(check, site, both, name, named[name])
        if not check.examined:
            raise Inconclusive(
                "no tool that says that it only adds (not destructive) succeeded for both tenants with an idempotency"
                " key, at something of each one's own: give each a store with something in it"
            )


def _write(check: OpenCheck, site: Site, both: Neighbours, tool: str, argument: str) -> None:
    key = f"probe-{secrets.token_hex(8)}"
    ours, theirs = ({**_real(party.samples.calls[tool]), argument: key} for party in (both.owner, both.stranger))
    written = both.owner.ask(tool, ours)
    control = both.stranger.ask(tool, {**theirs, argument: f"probe-{secrets.token_hex(8)}"})
    if not (written.ok and control.ok):
        refused = control if written.ok else written
        check.evidence.append(f"{tool} refused a write: {refused.text[:120]}")
        return
    check.examined += 1
    if both.stranger.ask(tool, ours).ok:
        message = f"{tool}, called by the stranger as the owner had called it, answers what the owner was answered"
        check.find("replayed", message, location=tool, key=f"{tool} replayed", references=REFERENCES)
    seen = both.stranger.ask(tool, theirs)
    if not seen.ok or both.private.told(seen.all, theirs):
        message = f"{tool} under an idempotency key that the owner had used does not do what the stranger asks for"
        check.find("swallowed", message, location=tool, key=f"{tool} swallowed", references=REFERENCES)
    elif _reached(site, control) and not _reached(site, seen):
        message = f"{tool} says that it wrote for the stranger, and nothing was written: the owner had used the key"
        check.find("swallowed", message, location=tool, key=f"{tool} unwritten", references=REFERENCES)
    replay = both.owner.ask(tool, ours)
    check.evidence.append(f"{tool}: the owner's own replay {'succeeds' if replay.ok else 'is refused'}")


def _reached(site: Site, seen: Seen) -> bool:
    """Whether a call came to the stranger's store at the upstream, by the request's own id."""
    if site.upstream is None or site.stranger is None:
        return False
    with SandboxClient(site.upstream.base_url) as control:
        entries = control.journal(max(0, control.last_sequence() - RECENT))
    return any(entry["request_id"] == seen.request_id and entry["store_id"] == site.stranger.store for entry in entries)


RECENT = 5_000
"""How far back in the upstream's journal a call is looked for."""


def _argument(tool: Mapping[str, Any]) -> str | None:
    properties: Mapping[str, Any] = (tool.get("inputSchema") or {}).get("properties") or {}
    return next((name for name in properties if ARGUMENT.search(name)), None)


def _real(call: SampleCall) -> dict[str, Any]:
    """The call without its rehearsal."""
    return {name: value for name, value in call.arguments.items() if name != "dry_run"}


def _adds_to_owners(both: Neighbours, tool: str) -> bool:
    """Whether both tenants can call a tool that only adds, the owner to what is there.

    The writes are made: what overwrites or makes anew, such as a store with its API key, would leave a tenant other
    than it was.
    """
    calls = both.owner.samples.calls
    if tool not in calls or tool not in both.stranger.samples.calls:
        return False
    annotations = calls[tool].tool.get("annotations") or {}
    return annotations.get("destructiveHint") is False and both.names_owners(calls[tool].arguments)
