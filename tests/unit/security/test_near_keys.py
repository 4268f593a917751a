import random

import pytest

from security.probe.authentication.door import Told, read
from security.probe.authentication.shapes import parts, shuffled, wrong_secrets

KEYS = (
    "qm_abcdefgh234567ab.Zx9-aB3_kLmNoPqRsTuVwXyZ0123456789abcdefgh",
    "0123456789abcdef.Zx9-aB3_kLmNoPqRsTuVwXyZ0123456789abcdefgh",
    "name:S3cret",
    "sk-Zx9aB3kLmNoPqRsTuVwXyZ",
    "0f0e0d0c0b0a",
)


@pytest.mark.parametrize(
    ("key", "head", "secret"),
    [
        (KEYS[0], "qm_abcdefgh234567ab.", "Zx9-aB3_kLmNoPqRsTuVwXyZ0123456789abcdefgh"),
        (KEYS[2], "name:", "S3cret"),
        (KEYS[4], "0f0e0d", "0c0b0a"),
        ("ends.", "en", "ds."),
    ],
)
def test_a_key_is_what_names_it_and_what_proves_it(key: str, head: str, secret: str) -> None:
    assert parts(key) == (head, secret)


@pytest.mark.parametrize("key", KEYS)
def test_what_is_nearly_the_key_is_never_the_key(key: str) -> None:
    wrong = dict(wrong_secrets(key))
    assert key not in wrong.values()
    # What HTTP takes off a header's value is no part of the key.
    assert key not in {text.strip(" \t") for text in wrong.values()}
    assert len(wrong) >= 16


def test_the_case_of_hexadecimal_digits_says_nothing() -> None:
    assert not [how for how, _ in wrong_secrets("0a1b.0c0d0e") if "case" in how or "letters" in how]
    assert len([how for how, _ in wrong_secrets("0a1b.0c0g0e") if "case" in how or "letters" in how]) == 3


@pytest.mark.parametrize("text", ["qm_abcdefgh234567ab.", "Zx9-aB3_kLmNoPqRs", "0f0e0d0c"])
def test_a_shuffled_text_has_the_same_characters_and_the_same_shape(text: str) -> None:
    chance = random.Random(1)
    others = {shuffled(text, chance) for _ in range(20)}
    assert len(others - {text}) > 10
    for other in others:
        assert sorted(other) == sorted(text)
        assert [not character.isalnum() for character in other] == [not character.isalnum() for character in text]
    if text.startswith("qm_"):
        assert all(other.startswith("qm_") for other in others)


@pytest.mark.parametrize(
    ("status", "data", "told"),
    [
        (200, b'{"result":{"protocolVersion":"2025-11-25"}}', (Told.IN, 0)),
        (200, b'data: {"result":{"supportedVersions":[]}}', (Told.IN, 0)),
        (200, b'{"error":{"code":-32001,"message":"no key"}}', (Told.OUT, 0)),
        (401, b"", (Told.OUT, 0)),
        (404, b"", (Told.OUT, 0)),
        (302, b'{"protocolVersion":1}', (Told.OUT, 0)),
        (None, b"", (Told.OUT, 0)),
        (429, b"HTTP/1.1 429 Too Many\r\nretry-After:  7\r\n\r\n", (Told.LATER, 7)),
        (429, b"HTTP/1.1 429 Too Many\r\n\r\nRetry-After: 9", (Told.LATER, 1)),
        (500, b"", (Told.BROKEN, 0)),
        (503, b'{"result":{"protocolVersion":1}}', (Told.BROKEN, 0)),
    ],
)
def test_an_outage_or_a_limit_is_no_refusal(status: int | None, data: bytes, told: tuple[Told, float]) -> None:
    assert read(status, data) == told
