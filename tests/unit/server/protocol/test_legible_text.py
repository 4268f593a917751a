import json

import orjson
import pytest

from server.protocol.legible import legible

HIDDEN = "\x80\x9b\u00ad\u200b\u2028\u202e\u2066\u2060\ufeff\U000e0001\U000e0069\U000e0100"
SEEN = "Käsekuchen, 東京, שלום\u200f, \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645, 👩\u200d💻\ufe0f"


@pytest.mark.parametrize("character", HIDDEN, ids=lambda character: f"U+{ord(character):04X}")
def test_a_hidden_character_is_spelled_out_and_still_means_itself(character: str) -> None:
    text = legible(orjson.dumps({"note": f"a{character}b"}))
    assert text.isascii()
    assert json.loads(text) == {"note": f"a{character}b"}


@pytest.mark.parametrize("text", [SEEN, "plain", "\x1b[2J", '"\\'])
def test_all_else_stays_as_it_was(text: str) -> None:
    encoded = orjson.dumps({"note": text})
    assert legible(encoded) == encoded.decode()


def test_a_hidden_character_is_found_among_others_that_are_not_ascii() -> None:
    encoded = orjson.dumps({"note": f"{SEEN}, plain \u200b and {SEEN}"})
    assert legible(encoded) == encoded.decode().replace("\u200b", "\\u200b")
