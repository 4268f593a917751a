"""Ids that are drawn are told from those that count, are short, or hold a time."""

import secrets
import uuid

import pytest

from security.probe.authentication.session import LEAST_BITS
from security.probe.authentication.session_ids import look_at

DRAWN = {
    "hexadecimal UUIDs": lambda: uuid.uuid4().hex,
    "UUIDs": lambda: str(uuid.uuid4()),
    "128 bits in hexadecimal": lambda: secrets.token_hex(16),
    "128 bits in base 64": lambda: secrets.token_urlsafe(16),
    "256 bits behind a prefix": lambda: f"session-{secrets.token_urlsafe(32)}",
    "39 digits": lambda: "".join(secrets.choice("0123456789") for _ in range(39)),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_ids_of_enough_random_bits_look_so(kind: str) -> None:
    for _ in range(50):
        looks = look_at([DRAWN[kind]() for _ in range(20)])
        assert looks.bits >= LEAST_BITS, str(looks)
        assert (looks.different, looks.rising) == (20, False)


def test_a_uuid_counts_for_what_varies_in_it() -> None:
    assert 118 < look_at([uuid.uuid4().hex for _ in range(20)]).bits <= 122


@pytest.mark.parametrize(
    "ids",
    [
        [str(number) for number in range(95, 115)],
        [f"{'f' * 28}{number:04x}" for number in range(20)],
        [secrets.token_hex(8) for _ in range(20)],
        [str(uuid.UUID(int=(1 << 120) + number * 7919)) for number in range(20)],
    ],
    ids=["counted", "counted behind much that stays", "64 bits", "times of one machine"],
)
def test_ids_that_can_be_guessed_look_so(ids: list[str]) -> None:
    assert look_at(ids).bits < LEAST_BITS


def test_a_counter_rises_and_what_is_drawn_does_not() -> None:
    assert look_at([str(number) for number in range(95, 115)]).rising
    assert not look_at([secrets.token_hex(16) for _ in range(20)]).rising


def test_what_it_looks_like_is_told_without_any_of_them() -> None:
    ids = [f"session-{secrets.token_hex(16)}" for _ in range(20)]
    told = str(look_at(ids))
    assert told.startswith("20 ids, 20 of them different, of 40 characters, the first 8 the same in all")
    assert not any(each[8:16] in told for each in ids)


def test_one_id_says_nothing() -> None:
    with pytest.raises(ValueError, match="nothing of the next"):
        look_at(["only"])
