"""A refusal does not tell whether the thing exists: the owner's is refused in the words in which nobody's is."""

from collections.abc import Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.isolation.invented import invented
from security.probe.isolation.neighbours import Neighbours, attempts, find_once, neighbours, nothing_apart
from security.probe.isolation.words import words
from security.probe.probe import probe
from security.probe.site import Need, Site


@probe(
    "isolation.error-texts",
    "A refusal does not tell whether another tenant has what was asked for",
    "A01:2025",
    "API1:2023",
    needs=(Need.KEY, Need.STRANGER),
)
def error_texts(check: OpenCheck, site: Site) -> None:
    """As the stranger ask for the owner's things, and for what nobody has: the same words refuse both.

    Where they differ, what nobody has is asked for again: a server may word each of its refusals anew.
    """
    with neighbours(site) as both:
        if reason := nothing_apart(both):
            check.not_applicable(reason)
            return
        unlike = []
        asked = 0
        for call in both.owner.samples.calls.values():
            for arguments in filter(both.names_owners, attempts(both, call)):
                asked += 1
                seen = both.stranger.ask(call.name, arguments)
                if seen.ok:  # isolation.tools says whether that is right
                    continue
                said, reference = words(seen, arguments), _made_up(both, call.name, arguments)
                if said != reference and reference != _made_up(both, call.name, arguments):
                    unlike.append(call.name)
                    continue
                check.examined += 1
                if said != reference:
                    message = f"{call.name} refuses the stranger what the owner has in other words than what nobody has"
                    find_once(check, "telling-error", message, call.name, ("CWE-204",))
        check.evidence.extend(f"{name} refuses in other words each time" for name in dict.fromkeys(unlike))
        if not asked:
            check.not_applicable("no tool takes anything that is the owner's")
        elif not check.examined:
            raise Inconclusive("no refusal could be compared: the stranger was refused nothing, or each time otherwise")


def _made_up(both: Neighbours, tool: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
    """How the stranger is refused what nobody has."""
    made_up = invented(arguments, both.ids, both.chance)
    return words(both.stranger.ask(tool, made_up), made_up)
