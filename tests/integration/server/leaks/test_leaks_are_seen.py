"""A server that leaks into one place is caught there, whatever the place: the other tests of leaks could fail."""

import pytest

from tests.integration.server.leaks import leaky_server
from tests.integration.server.leaks.calls import may_repeat
from tests.integration.server.leaks.corpus import Piece
from tests.integration.server.leaks.places import HARMLESS, PAGES, Place, leaks, look
from tests.integration.server.leaks.watched import Answers, Watch, Watched

LEAKY = "tests.integration.server.leaks.leaky_server"


def ask(watched: Watched) -> tuple[list[Answers], Piece]:
    """Let both parties ask for what is not there, by an e-mail address; what they were told, and the first's."""
    told = []
    for party in watched.parties:
        answers, address = Answers(), party.scene.sent.draw("e-mail")
        with watched.bench.connect(party.scene.shop.tenant) as client:
            for tool, arguments in (("orders_find", {"source_id": address}), ("orders_get", {"order_id": address})):
                answers.add(tool, dict(client.call_tool(tool, arguments).structured or {}), may_repeat(arguments))
        told.append(answers)
    owner = watched.parties[0].scene.sent
    return told, next(piece for piece in owner.used if piece.kind == "e-mail")


@pytest.mark.parametrize("place", leaky_server.LEAKS)
def test_a_leak_is_named_with_its_place(place: str, watch: Watch) -> None:
    watched = watch(LEAKY, LEAK_INTO=place)
    told, piece = ask(watched)
    if place in {"an answer", "an error"}:
        # Of its own words an error may repeat what names something, and of another's an answer may hold nothing.
        listener = 1 if place == "an answer" else 0
        found = watched.in_answers(told[listener], watched.parties[listener])
    else:
        found = watched.leaks()
    assert [each for each in found if piece.text in each and f" in {place}" in each], found


def test_a_server_that_does_not_leak_is_not_accused(watch: Watch) -> None:
    watched = watch()
    told, _ = ask(watched)
    assert watched.leaks() == []
    for answers, party in zip(told, watched.parties, strict=True):
        assert watched.in_answers(answers, party) == []


def test_a_place_that_was_not_looked_at_is_an_error(watch: Watch) -> None:
    watched = watch()
    places = look(watched.bench, watched.owner.shop.tenant, watched.receiver, watched.folder)
    assert {name.partition(" for ")[0] for name in places if name.startswith("/")} == set(PAGES)
    assert set(leaky_server.LEAKS) - {"an answer", "an error"} <= set(places)
    for name, place in places.items():
        empty = Place("" if isinstance(place.text, str) else b"", place.marker)
        with pytest.raises(AssertionError, match="was not looked at"):
            leaks(watched.tracer, {**places, name: empty})
    assert HARMLESS in str(places["the log"].text)
