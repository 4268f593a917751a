"""What the tests of leaks are known by: enough pieces, each of its kind, found in every form that it may take."""

import base64
import random
import time

import pytest

from tests.integration.server.leaks.corpus import KINDS, LEAST, STORE_NAME, corpus, deal, luhn
from tests.integration.server.leaks.tracing import STEP, Tracer, spellings

PIECES = corpus()


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    return Tracer(PIECES)


@pytest.fixture(scope="module")
def noise() -> str:
    """What a log looks like, made of the same alphabet and with nothing in it."""
    dice = random.Random(1)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyzABC0123456789+/=-%:.", k=9)) for _ in range(2_000)]
    return "\n".join(f'{{"event":"{word}","at":"{index}"}}' for index, word in enumerate(words))


def test_there_are_three_hundred_pieces_of_many_kinds_all_different() -> None:
    assert len(PIECES) == len({piece.text.lower() for piece in PIECES}) >= 300
    assert len(KINDS) >= 25
    assert min(len(piece.text) for piece in PIECES) >= LEAST
    assert not [(one, other) for one in PIECES for other in PIECES if one != other and one.text in other.text]


def test_a_seed_makes_the_same_pieces_and_another_makes_others() -> None:
    assert corpus.__wrapped__(4) == PIECES
    assert not {piece.text for piece in corpus(5)} & {piece.text for piece in PIECES}


def test_card_numbers_and_ibans_have_right_check_digits() -> None:
    for piece in PIECES:
        if piece.kind == "card number":
            assert luhn(piece.text[:-1]) == int(piece.text[-1])
        if piece.kind == "IBAN":
            assert int(piece.text[4:] + "1314" + piece.text[2:4]) % 97 == 1
    assert luhn("7992739871") == 3  # the example of the standard's textbooks


def test_names_have_accents_and_notes_have_what_is_escaped() -> None:
    assert all(not piece.text.isascii() for piece in PIECES if piece.kind == "first name")
    assert all(set("\"&<>'") <= set(piece.text) for piece in PIECES if piece.kind == "order note")


def test_each_piece_is_found_in_each_form_wherever_it_begins(tracer: Tracer, noise: str) -> None:
    planted = 0
    for piece in PIECES:
        for name, content in spellings(piece.text).items():
            places = {shift: noise[: 60 + shift].encode() + content + b'"}' for shift in range(STEP)}
            assert {trace.piece for shift in places for trace in tracer.trace({"here": places[shift]})} == {piece}, name
            planted += 1
    assert planted > 300 * 8


@pytest.mark.parametrize("before", ["", "a", "ab"])
@pytest.mark.parametrize("after", ["", "c", "cd"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_hides_no_piece_whatever_stands_around_it(
    before: str, after: str, encode: object, tracer: Tracer
) -> None:
    assert callable(encode)
    for piece in PIECES:
        text = encode(f"{before}{piece.text}{after}".encode())
        assert piece in {trace.piece for trace in tracer.trace({"here": text})}, piece


def test_a_part_of_a_secret_is_found_and_named(tracer: Tracer, noise: str) -> None:
    for piece in PIECES:
        if piece.part < len(piece.text):
            text = noise[:300] + piece.text[-piece.part :] + noise[300:400]
            assert piece in {trace.piece for trace in tracer.trace({"here": text})}, piece


def test_nothing_is_found_where_nothing_is(tracer: Tracer, noise: str) -> None:
    assert (
        tracer.trace({"noise": noise, "empty": "", "other pieces": "\n".join(piece.text for piece in corpus(5))}) == []
    )


def test_a_trace_says_which_piece_in_which_form_and_where(tracer: Tracer) -> None:
    piece = next(piece for piece in PIECES if piece.kind == "e-mail")
    (trace,) = tracer.trace({"an empty one": "", "the log": f"mail to {piece.text.encode().hex()} failed"})
    assert (trace.place, trace.piece, trace.form) == ("the log", piece, "hexadecimal")
    assert piece.text in str(trace)


def test_megabytes_take_seconds(tracer: Tracer, noise: str) -> None:
    large = noise * (3_000_000 // len(noise) + 1)
    began = time.process_time()
    assert tracer.trace({"large": large}) == []
    assert time.process_time() - began < 3


def test_parties_are_dealt_pieces_of_every_kind_and_none_twice() -> None:
    hands = deal(2)
    assert not set(hands[0].pieces) & set(hands[1].pieces)
    for hand in hands:
        assert {piece.kind for piece in hand.pieces} == set(KINDS)
        for _ in hand.pieces:
            hand.any()
        assert {piece.kind for piece in hand.unused()} == {STORE_NAME}
