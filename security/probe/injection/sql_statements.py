"""SQL injection judged by what reached the database: a client's text belongs into parameters, never into a statement.

The texts of statements are not compared with those of harmless calls: the server answers others meanwhile, and a cache
decides which statements a call needs. A mark in a statement's text needs no comparison.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.injection.asking import Vector
from security.probe.injection.markers import Markers
from security.probe.site import Statement

PAYLOADS = (
    "{mark}' OR '1'='1'; SELECT 1; --",
    '{mark}" OR 1=1 AND (SELECT length(hex(randomblob(9)))) > 0 OR "a"="b',
)
"""Boolean and stacked, boolean and time-based; and harmless. Texts are cut at their end, so marks stand first."""
SECONDS = 5.0
"""How long the canary's statement is waited for: the server writes some in batches."""
SHOWN = 40

Statements = Callable[[], Sequence[Statement]]


def judge_by_statements(
    check: OpenCheck, statements: Statements, vectors: Sequence[Vector], canary: Callable[[str], object]
) -> None:
    """Find each vector whose text stands in a statement's text.

    `canary` sends a mark that is to arrive as a parameter. Raises Inconclusive where it does not arrive at all: then
    the log does not tell.
    """
    markers, sent = Markers(), dict[str, str]()
    before = len(statements())
    for vector in vectors:
        for payload in PAYLOADS:
            sent[mark := markers.new()] = vector.name
            vector.send(payload.format(mark=mark))
        check.examined += 1
    canary(last := markers.new())
    seen = wait_for(statements, before, last, markers)
    arrived = {sent[mark] for each in seen for mark in markers.found(each.parameters) if mark in sent}
    judge_texts(check, seen, sent, markers)
    check.evidence.append(
        f"{len(sent)} texts in {len(vectors)} places; {len(seen)} statements meanwhile; those of {len(arrived)} places"
        f" arrived as parameters{': ' + ', '.join(sorted(arrived)[:5]) if arrived else ''}"
    )


def judge_texts(check: OpenCheck, seen: Sequence[Statement], sent: Mapping[str, str], markers: Markers) -> None:
    """Find each way in of which a mark stands in a statement's text; `sent` tells the way by the mark."""
    guilty = {sent[mark]: each for each in seen for mark in markers.found(each.text) if mark in sent}
    for name, statement in sorted(guilty.items()):
        check.find(
            "sql-in-statement",
            f"{name}: what a client wrote there stands in the text of a statement ({statement.text[:SHOWN]!r}…), not"
            " among its parameters, so whoever calls writes SQL",
            location=name,
            references=("CWE-89",),
            key=name,
        )


def wait_for(statements: Statements, before: int, mark: str, markers: Markers) -> Sequence[Statement]:
    """The statements since `before`, once `mark` stands in one of them. Raises Inconclusive where it never does."""
    deadline = time.monotonic() + SECONDS
    while True:
        seen = statements()[before:]
        if any(mark in markers.found(f"{each.text} {each.parameters}") for each in seen):
            return seen
        if time.monotonic() > deadline:
            raise Inconclusive("a text that must reach the database is not in the log of statements: it does not tell")
        time.sleep(0.05)
