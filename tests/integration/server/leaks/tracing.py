"""Finds pieces of a corpus in anything, in every form in which a program may have written them down.

A text is looked at every few bytes: what stands there is looked up among the beginnings of all forms, and of secrets
at any place in them, so that a log of megabytes takes seconds however large the corpus. ASCII letters are compared
without their case.
"""

import base64
import html
import json
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.integration.server.leaks.corpus import LEAST, Piece

WIDTH = 6
STEP = LEAST - WIDTH + 1
"""A form of at least LEAST bytes covers one of the places that are looked at, wherever it begins."""


@dataclass(frozen=True)
class Form:
    """How a piece may look: `content` is what is compared, `least` how many bytes of it in a row are a leak."""

    piece: Piece
    name: str
    content: bytes
    least: int


@dataclass(frozen=True)
class Trace:
    """A piece that was found, and where."""

    place: str
    piece: Piece
    form: str
    around: str

    def __str__(self) -> str:
        return f"{self.piece.kind} {self.piece.text!r} as {self.form} in {self.place}: {self.around}"


def spellings(text: str) -> dict[str, bytes]:
    """A text as programs write it, by the name of the writing; those that come to the same stand once."""
    coded = text.encode()
    ascii_json, plain_json = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
    found = {
        "plain text": coded,
        "upper case": text.upper().encode(),
        "lower case": text.lower().encode(),
        "JSON": ascii_json.encode(),
        "JSON in JSON": json.dumps(ascii_json)[1:-1].encode(),
        "JSON in UTF-8": plain_json.encode(),
        "JSON in UTF-8 in JSON": json.dumps(plain_json, ensure_ascii=False)[1:-1].encode(),
        "a URL": urllib.parse.quote(text, safe="").encode(),
        "a path": urllib.parse.quote(text).encode(),
        "a form": urllib.parse.quote_plus(text).encode(),
        "repr": repr(text)[1:-1].encode(),
        "ascii": ascii(text)[1:-1].encode(),
        "repr of bytes": repr(coded)[2:-1].encode(),
        "HTML": html.escape(text).encode(),
        "Latin-1": text.encode("latin-1", "ignore"),
        "UTF-8 read as Latin-1": coded.decode("latin-1").encode(),
        "UTF-16": text.encode("utf-16-le"),
        "hexadecimal": coded.hex().encode(),
        "digits alone": text.replace(" ", "").replace("-", "").encode(),
        **{f"base64 at {offset}": content for offset, content in _base64(coded).items()},
    }
    found |= {
        f"URL-safe {name}": content.translate(bytes.maketrans(b"+/", b"-_"))
        for name, content in found.items()
        if name.startswith("base64")
    }
    by_content: dict[bytes, str] = {}
    for name, content in found.items():
        by_content.setdefault(content.lower(), name)
    return {name: content for content, name in by_content.items() if len(content) >= LEAST}


def _base64(coded: bytes) -> dict[int, bytes]:
    """Base64 of a text that begins at each of the three places of a group, without what its neighbours decide."""
    found = {}
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + coded)
        begin = (0, 2, 3)[offset]
        rest = (offset + len(coded)) % 3
        end = len(encoded) - (0, 3, 2)[rest]
        found[offset] = encoded[begin:end]
    return found


class Tracer:
    """The forms of all pieces, and the way to find them. Made once, used for any number of texts."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._at: dict[bytes, list[tuple[Form, int]]] = {}
        for piece in pieces:
            for name, content in spellings(piece.text).items():
                self._add(piece, name, content)

    def _add(self, piece: Piece, name: str, content: bytes) -> None:
        whole = len(content)
        least = min(whole, -(-piece.part * whole // len(piece.text)))
        form = Form(piece, name, content, least)
        # Whole, it covers one of its first STEP places; a part of it may cover any.
        for place in range(whole - WIDTH + 1 if least < whole else STEP):
            self._at.setdefault(content[place : place + WIDTH], []).append((form, place))

    def trace(self, places: Mapping[str, str | bytes]) -> list[Trace]:
        """Every piece that is in a place, once for each place and form."""
        return [trace for place, text in places.items() for trace in self._in(place, text)]

    def _in(self, place: str, text: str | bytes) -> Iterator[Trace]:
        content = (text.encode("utf-8", "replace") if isinstance(text, str) else text).lower()
        known, told, end = self._at, set(), 0
        for at in [at for at in range(0, len(content), STEP) if content[at : at + WIDTH] in known]:
            if at < end:  # inside one that was found
                continue
            runs = [(form, *_run(content, at, form, where)) for form, where in known[content[at : at + WIDTH]]]
            leaks = [(ended - began, form, began, ended) for form, began, ended in runs if ended - began >= form.least]
            if not leaks:
                continue
            _, form, began, end = max(leaks, key=lambda leak: leak[0])
            if (form.piece, form.name) not in told:
                told.add((form.piece, form.name))
                around = content[max(0, began - 60) : end + 20].decode("utf-8", "replace")
                yield Trace(place, form.piece, form.name, around)


def _run(content: bytes, at: int, form: Form, where: int) -> tuple[int, int]:
    """From where to where the content goes on as the form does, around a place where both agree."""
    began, ended, until = at, at + WIDTH, min(len(content), at + len(form.content) - where)
    while began > max(0, at - where) and content[began - 1] == form.content[where - (at - began) - 1]:
        began -= 1
    while ended < until and content[ended] == form.content[where + ended - at]:
        ended += 1
    return began, ended
