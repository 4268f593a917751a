"""A text that is stored stays a value when other calls come across it later."""

from collections.abc import Mapping

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import Samples
from security.probe.injection.asking import Asker, Seen, asking
from security.probe.injection.markers import Markers
from security.probe.injection.sql_errors import database_error
from security.probe.injection.sql_statements import judge_texts, wait_for
from security.probe.injection.storing import Call, Storing, kept, readings, storings
from security.probe.probe import Effect, probe
from security.probe.site import Site

PLAIN, HOSTILE = "{mark}", "{mark}'\" OR 1=1"
"""Of the second, no statement stays whole that it is written into."""


@probe(
    "injection.sql-second-order",
    "No stored text is taken for SQL when it is used",
    "A05:2025",
    "MCP:input-validation",
    effect=Effect.WRITES,
)
def sql_second_order(check: OpenCheck, site: Site) -> None:
    """Store a plain text, then SQL, and read everything each time; what can be removed again is."""
    with asking(site) as (asker, samples):
        ways = storings(asker.client.list_tools())
        if not ways:
            check.not_applicable("no tool says that it stores a text and only adds to the server's own data")
            return
        markers, before = Markers(), len(site.statements()) if site.statements else 0
        stored, shown = dict[str, str](), list[str]()
        for storing in ways:
            mark, read_back = _store_and_read(check, asker, samples, storing, markers)
            shown += [storing.tool] if read_back else []
            if mark is not None:
                stored[mark] = f"a text stored with {storing.tool}"
        if not stored:
            raise Inconclusive("no tool stored a text with a quotation mark")
        check.evidence.append(f"read back by other tools: what {', '.join(shown) or 'none'} stored")
        if not shown and not check.findings:
            raise Inconclusive("no other tool tells what was stored, so that nothing shows that it is ever used")
        if site.statements is not None:
            seen = wait_for(site.statements, before, next(iter(stored)), markers)
            judge_texts(check, seen, stored, markers)
            arrived = {mark for each in seen for mark in markers.found(each.parameters)} & set(stored)
            check.evidence.append(f"{len(seen)} statements; {len(arrived)} of {len(stored)} texts are among parameters")


def _store_and_read(
    check: OpenCheck, asker: Asker, samples: Samples, storing: Storing, markers: Markers
) -> tuple[str | None, bool]:
    """Find what a hostile text breaks and a plain one does not.

    Returns the hostile text's mark, None if not stored; and whether another tool told the plain one.
    """
    plain_mark, mark = markers.new(), markers.new()
    with kept(check, asker, storing, PLAIN.format(mark=plain_mark)) as now:
        if not now.answer.ok:
            check.evidence.append(f"{storing.tool} does not even take a plain text: {now.answer.text[:100]}")
            return None, False
        usual = _read(asker, readings(samples, now))
    with kept(check, asker, storing, HOSTILE.format(mark=mark)) as now:
        hostile = _read(asker, readings(samples, now))
        is_stored = now.answer.ok or any(mark in markers.found(seen.text) for _, seen in hostile.values())
    check.examined += len(usual)
    read_back = any(plain_mark in markers.found(seen.text) for name, seen in usual.values() if name != storing.tool)
    broken = {}
    for what, (name, before) in usual.items():
        _, after = hostile[what]
        said = None if database_error(before.text) else database_error(after.text)
        if said or (before.ok and not after.ok):
            broken[name] = said or "without saying why"
    for name, said in sorted(broken.items()):
        check.find(
            "sql-second-order",
            f"{name} succeeds after {storing.tool} has stored a plain text, and fails after it has stored one with a"
            f" quotation mark ({said}): what is stored is written into a statement",
            location=name,
            references=("CWE-89",),
            key=f"{storing.tool} {name}",
        )
    return mark if is_stored else None, read_back


def _read(asker: Asker, calls: Mapping[str, Call]) -> dict[str, tuple[str, Seen]]:
    """The tool of each call and what it came to; where that is no success, at the second try."""
    seen = {}
    for what, (name, arguments) in calls.items():
        first = asker.call(name, arguments)
        seen[what] = name, first if first.ok else asker.call(name, arguments)
    return seen
