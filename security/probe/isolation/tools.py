"""No identifier of one tenant's gets another anything: every tool, every identifier, alone and with the store's."""

from harness.collector import OpenCheck
from security.probe.isolation.judging import journal_end, judge_call, judge_journal, require_refusal
from security.probe.isolation.neighbours import Neighbours, attempts, neighbours, nothing_apart, refuse_gaps
from security.probe.probe import probe
from security.probe.site import Need, Site


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
        since = journal_end(site)
        requests: dict[str, str] = {}
        refused = 0
        for call in both.owner.samples.calls.values():
            for arguments in attempts(both, call):
                seen = both.stranger.ask(call.name, arguments)
                requests[seen.request_id] = call.name
                refused += not seen.ok and both.names_owners(arguments)
                check.examined += 1
                judge_call(check, both, call.name, arguments, seen)
        judge_journal(check, site, since, requests)
        _owner_again(check, both)
        check.evidence.append(
            f"{check.examined} calls of the stranger's; {len(both.private.texts)} texts that only the owner may see"
        )
        require_refusal(check, refused)
        refuse_gaps(check, both.owner)


def _owner_again(check: OpenCheck, both: Neighbours) -> None:
    unchanged = 0
    for call in both.owner.samples.calls.values():
        seen = both.owner.ask(call.name, call.arguments)
        unchanged += seen.text == call.text
        if not seen.ok:
            check.fail(f"{call.name} succeeded for the owner before the stranger's calls, and is refused after them")
    check.evidence.append(f"the owner's {len(both.owner.samples.calls)} calls succeed again, {unchanged} to the letter")
