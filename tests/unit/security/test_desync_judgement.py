"""What counts as a desync: proof by itself, or trouble that comes again with the shape; the rest stays open."""

from collections.abc import Iterator
from typing import Any, Self

import pytest

from harness.collector import OpenCheck
from harness.record import Target
from harness.verdict import CheckStatus
from security.probe.protocol import desync as module
from security.probe.protocol.desync import Sign, Trouble, desync
from security.probe.protocol.shapes import SHAPES
from security.probe.site import Site, Tenant

PROOF = Trouble(Sign.PROOF, "with what was for another")
REFUSED = Trouble(Sign.IF_AGAIN, "with HTTP 404")
HUNG = Trouble(Sign.IF_AGAIN, "with nothing for 5 s", hung=True)
GATEWAY = Trouble(Sign.NONE, "with HTTP 502")


class Closed:
    """A client that nobody asks anything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def judged(
    monkeypatch: pytest.MonkeyPatch, after: list[Trouble | None], asked: list[Trouble | None]
) -> tuple[CheckStatus, int, int]:
    """Status, findings and shapes sent, where clients meet this after shapes, and this when they ask between them."""
    shapes: Iterator[Trouble | None] = iter(after)
    answers: Iterator[Trouble | None] = iter([None] * module.CLIENTS + asked)
    monkeypatch.setattr(Site, "connect", lambda *_: Closed())
    monkeypatch.setattr(module.Clients, "ask", lambda _: next(answers, None))
    monkeypatch.setattr(module, "_trouble_after", lambda *_: next(shapes, None))
    check, error = OpenCheck("protocol.desync", 1), None
    try:
        desync.ask(check, Site(Target(name="toy", url="http://127.0.0.1:1/mcp"), Tenant(None)))
    except Exception as raised:  # noqa: BLE001 - as a run does
        error = raised
    return check.outcome(error)[0], len(check.findings), check.examined


ALL = len(SHAPES)
ROWS: dict[str, tuple[list[Any], list[Any], tuple[CheckStatus, int, int]]] = {
    "nothing": ([], [], (CheckStatus.PASSED, 0, ALL)),
    "proof": ([PROOF], [], (CheckStatus.FAILED, 1, ALL)),
    "refused again": ([REFUSED, REFUSED], [], (CheckStatus.FAILED, 1, ALL)),
    "refused once": ([REFUSED, None], [], (CheckStatus.INCONCLUSIVE, 0, ALL)),
    "refused from then on": ([REFUSED], [REFUSED] * 9, (CheckStatus.INCONCLUSIVE, 0, 1)),
    "refused, and then proof": ([REFUSED], [REFUSED, PROOF, PROOF], (CheckStatus.FAILED, 1, 1)),
    "no answer, twice": ([HUNG, HUNG], [], (CheckStatus.FAILED, 1, 1)),
    "no answer, once": ([HUNG, None], [], (CheckStatus.INCONCLUSIVE, 0, ALL)),
    "a gateway's error, twice": ([GATEWAY, GATEWAY], [], (CheckStatus.INCONCLUSIVE, 0, ALL)),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_clients_meet_is_judged(
    row: tuple[list[Any], list[Any], tuple[CheckStatus, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    after, asked, wanted = row
    assert judged(monkeypatch, after, asked) == wanted
