"""Secrets and personal data of nobody, drawn from a seed: what a leak is known by.

They are made when they are needed, the well-known beginnings of tokens put together here, so that no scanner takes
this repository for one that has leaked something. Every piece is a text found nowhere else, long enough to be found
by and, but for passwords and the like, of the shape of its kind: card numbers and IBANs have right check digits.
"""

import base64
import functools
import hashlib
import itertools
import json
import random
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SEED = 4
PART = 16
"""So many characters of a secret are a leak: more than the beginnings that secrets of a kind have in common."""
TOKEN_PART = 40
"""The same of a JSON web token, whose beginnings are longer."""
EACH = 14
"""Pieces of a kind."""
LEAST = 9
"""Characters that the shortest piece has."""
ALPHANUMERIC = string.ascii_letters + string.digits
CONSONANTS, VOWELS, ACCENTED = "bdfghjklmnprstvwxyz", "aeiou", "éüñøßłçåöš"


@dataclass(frozen=True)
class Piece:
    """One secret, or one datum of a person. `part` characters of it in a row are a leak as well: of data, all."""

    kind: str
    text: str
    part: int


def _drawn(dice: random.Random, length: int, letters: str = ALPHANUMERIC) -> str:
    return "".join(dice.choices(letters, k=length))


def _digits(dice: random.Random, length: int) -> str:
    return _drawn(dice, length, string.digits)


def _syllable(dice: random.Random) -> str:
    return dice.choice(CONSONANTS) + dice.choice(VOWELS) + dice.choice(CONSONANTS)


def _name(dice: random.Random, syllables: int = 4) -> str:
    """An invented name with an accent in it."""
    parts = [_syllable(dice) for _ in range(syllables)]
    place = dice.randrange(1, syllables)
    return "".join([*parts[:place], dice.choice(ACCENTED), *parts[place:]]).capitalize()


def _plain(dice: random.Random, syllables: int = 4) -> str:
    return "".join(_syllable(dice) for _ in range(syllables))


def _part(dice: random.Random, length: int) -> str:
    return base64.urlsafe_b64encode(dice.randbytes(length)).decode().rstrip("=")


def _json_part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _json_web_token(dice: random.Random) -> str:
    header = _json_part({"kid": _drawn(dice, 12), "alg": "HS256"})
    return f"{header}.{_json_part({'jti': _drawn(dice, 16), 'sub': _plain(dice)})}.{_part(dice, 32)}"


def _tenant_key(dice: random.Random) -> str:
    return f"qm_{_drawn(dice, 16, 'abcdefghijklmnopqrstuvwxyz234567')}.{_part(dice, 32)}"


def luhn(digits: str) -> int:
    """The check digit of a card number."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -sum(value - 9 if value > 9 else value for value in doubled) % 10


def _card(dice: random.Random) -> str:
    body = "4000" + _digits(dice, 11)
    return body + str(luhn(body))


def _iban(dice: random.Random) -> str:
    account = "99999" + _digits(dice, 13)  # a bank code that no bank has
    check = 98 - int(account + "131400") % 97  # D is 13, E is 14
    return f"DE{check:02}{account}"


def _address(dice: random.Random) -> str:
    return f"{dice.randrange(100, 999)} {_name(dice, 3)} {dice.choice(('Row', 'Mews', 'Straße'))}, {_plain(dice, 3)}"


def _note(dice: random.Random) -> str:
    return f'Leave it with {_name(dice)}, who doesn\'t {_plain(dice)} "{_plain(dice, 3)}" & <{_plain(dice, 3)}>'


def _database_url(dice: random.Random) -> str:
    return f"mysql://{_drawn(dice, 12)}:{_drawn(dice, 20)}@{_plain(dice)}.example/{_plain(dice)}"


Maker = Callable[[random.Random], str]
SECRETS: dict[str, Maker] = {
    "tenant key": _tenant_key,
    "OrderDesk API key": lambda dice: _drawn(dice, 40),
    "admin token": lambda dice: _part(dice, 32),
    "bearer token": lambda dice: _drawn(dice, 48, ALPHANUMERIC + "-._~+/"),
    "JSON web token": _json_web_token,
    "AWS access key id": lambda dice: "AK" + "IA" + _drawn(dice, 16, string.ascii_uppercase + "234567"),
    "AWS secret key": lambda dice: _drawn(dice, 40, ALPHANUMERIC + "+/"),
    "GitHub token": lambda dice: "gh" + "p_" + _drawn(dice, 36),
    "Slack token": lambda dice: "xo" + f"xb-{_digits(dice, 12)}-{_digits(dice, 12)}-{_drawn(dice, 24)}",
    "Stripe key": lambda dice: "sk" + "_live_" + _drawn(dice, 32),
    "password": lambda dice: _drawn(dice, 24, ALPHANUMERIC + "!%&*+=?@^~#"),
    "database address": _database_url,
    "signature": lambda dice: dice.randbytes(32).hex(),
}
PERSONAL: dict[str, Maker] = {
    "first name": _name,
    "last name": lambda dice: f"{_name(dice, 3)}-{_plain(dice, 3).capitalize()}",
    "company": lambda dice: f"{_name(dice)} & Søns GmbH",
    "e-mail": lambda dice: f"{_plain(dice)}.{_plain(dice, 3)}+{_digits(dice, 3)}@{_plain(dice)}.example",
    "telephone": lambda dice: f"+44 7700 9{_digits(dice, 5)[:2]} {_digits(dice, 6)}",
    "address": _address,
    "city": lambda dice: f"{_name(dice, 3)} {_digits(dice, 5)}",
    "card number": _card,
    "IBAN": _iban,
    "IPv6 address": lambda dice: "2001:db8:" + ":".join(_drawn(dice, 4, "123456789abcdef") for _ in range(6)),
    "customer number": lambda dice: f"cust-{_drawn(dice, 12)}",
    "order note": _note,
    "tracking number": lambda dice: f"1Z{_drawn(dice, 16, string.ascii_uppercase + string.digits)}",
    "engraving": lambda dice: f"For {_name(dice)} & {_name(dice)}",
    "identity card": lambda dice: f"ID-{_digits(dice, 4)}-{_drawn(dice, 8, string.ascii_uppercase)}",
}
STORE_NAME = "store name"
"""What tenants, stores and labels are called here: of all kinds the only one that the database holds in the clear."""
KINDS: dict[str, Maker] = {
    **SECRETS,
    **PERSONAL,
    STORE_NAME: lambda dice: f"{_plain(dice, 3).capitalize()} {_name(dice, 3)}",
}


@functools.cache
def corpus(seed: int = SEED) -> tuple[Piece, ...]:
    """At least 300 pieces, `EACH` of every kind; the same for the same seed."""
    pieces = []
    for kind, make in KINDS.items():
        dice = random.Random(hashlib.sha256(f"{seed} {kind}".encode()).digest())
        for text in (make(dice) for _ in range(EACH)):
            part = TOKEN_PART if kind == "JSON web token" else PART
            pieces.append(Piece(kind, text, part if kind in SECRETS else len(text)))
    return tuple(pieces)


class Hand:
    """Pieces that one party is dealt: `draw` gives the next of a kind, round and round; `used` holds those given."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        self.used: set[Piece] = set()
        self._turns: dict[str, Iterator[Piece]] = {
            kind: itertools.cycle([piece for piece in pieces if piece.kind == kind])
            for kind in {piece.kind for piece in pieces}
        }
        self._kinds = itertools.cycle(sorted(self._turns.keys() - {STORE_NAME}))

    def draw(self, kind: str) -> str:
        """The next text of this kind."""
        piece = next(self._turns[kind])
        self.used.add(piece)
        return piece.text

    def any(self) -> str:
        """The next text of the next kind, but for the names of stores."""
        return self.draw(next(self._kinds))

    def unused(self) -> list[Piece]:
        """Those that nobody was given yet."""
        return [piece for piece in self.pieces if piece not in self.used]


def deal(parties: int, seed: int = SEED) -> list[Hand]:
    """The corpus dealt out: each party has pieces of every kind, and none that another has."""
    return [Hand(corpus(seed)[number::parties]) for number in range(parties)]
