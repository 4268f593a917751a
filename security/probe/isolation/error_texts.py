"""A refusal does not tell whether the thing exists: the owner's is refused in the words in which nobody's is."""

import re
from collections.abc import Mapping
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.isolation.asking import Seen
from security.probe.isolation.invented import invented
from security.probe.isolation.neighbours import Neighbours, attempts, find_once, neighbours, nothing_apart
from security.probe.isolation.private import texts_of
from security.probe.probe import probe
from security.probe.site import Need, Site

OWN_HEADERS = re.compile(r"date|content-length|x-request-id|server-timing|etag|connection|keep-alive|.*rate-?limit.*")
"""Headers whose values are a request's own, or follow from the length of what was sent."""
VOLATILE = re.compile(r"\d+(?:\.\d+)? ?(?:ms|µs|s)\b|\d{4}-\d\d-\d\d[T ][\d:.]+\S*")


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
                words, reference = _words(seen, arguments), _made_up(both, call.name, arguments)
                if words != reference and reference != _made_up(both, call.name, arguments):
                    unlike.append(call.name)
                    continue
                check.examined += 1
                if words != reference:
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
    return _words(both.stranger.ask(tool, made_up), made_up)


def _words(seen: Seen, sent: Mapping[str, Any]) -> tuple[int, str]:
    """Status and text of an answer, its headers among it, without what was sent and what is the request's own."""
    headers = sorted(f"{name}: {'' if OWN_HEADERS.fullmatch(name) else value}" for name, value in seen.headers.items())
    text = "\n".join((str(seen.ok), seen.text, str(seen.structured), *headers))
    for value in sorted({seen.request_id, *texts_of(sent)}, key=len, reverse=True):
        if value:
            text = re.sub(re.escape(value), "*", text, flags=re.IGNORECASE)
    return seen.status, VOLATILE.sub("*", text)
