"""What both foreign servers serve: the notes of whoever calls, in SQLite, and where they are told to listen."""

import argparse
import json
import socket
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

NOBODY = "nobody"
"""Whose the notes are where nobody asks who calls."""


class Note(BaseModel):
    """A note as tools give it."""

    id: str
    title: str
    text: str


class Found(BaseModel):
    """What a search gives."""

    notes: list[Note]


class Summary(BaseModel):
    """How much there is."""

    notes: int
    letters: int


@dataclass(frozen=True)
class Options:
    """How a server is started: `tokens` are the keys and whose they are; none: nobody asks for one.

    `legacy`: revisions after 2025-11-25 are refused, as the first releases of the SDK do.
    """

    database: Path
    stateless: bool
    legacy: bool
    careless: bool
    tokens: dict[str, str]


class Notes:
    """Everybody's notes. Statements take their values as parameters, and each names whose the notes must be.

    `careless` ones write a search's text into their statement, and give a note to whoever knows its id.
    """

    def __init__(self, path: Path, owners: Sequence[str], *, careless: bool = False) -> None:
        self._careless = careless
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, owner TEXT, title TEXT, text TEXT)")
        for owner in owners:
            self.add(owner, "First", f"a note of {owner}")

    def search(self, owner: str, text: str, title: str) -> Found:
        """The notes that hold the text, with this title if one is given."""
        statement = "SELECT id, title, text FROM notes WHERE owner = ? AND instr(text, ?) > 0 AND ? IN ('', title)"
        if self._careless:
            rows = self._database.execute(statement.replace("(text, ?)", f"(text, '{text}')"), (owner, title))
        else:
            rows = self._database.execute(statement, (owner, text, title))
        return Found(notes=[_note(*row) for row in rows])

    def get(self, owner: str, note_id: str) -> Note:
        """One note. Raises LookupError."""
        statement = "SELECT id, title, text FROM notes WHERE owner = ? AND 'note-' || (100000 + id) = ?"
        if self._careless:
            statement = statement.replace("owner = ?", "? != ''")
        row = self._database.execute(statement, (owner, note_id)).fetchone()
        if row is None:
            raise LookupError("there is no such note")
        return _note(*row)

    def add(self, owner: str, title: str, text: str) -> Note:
        """Keep a note."""
        row = self._database.execute(
            "INSERT INTO notes (owner, title, text) VALUES (?, ?, ?) RETURNING id, title, text", (owner, title, text)
        ).fetchone()
        return _note(*row)

    def summarise(self, owner: str) -> Summary:
        """How many notes there are, and how long they are together."""
        statement = "SELECT count(*), coalesce(sum(length(text)), 0) FROM notes WHERE owner = ?"
        count, letters = self._database.execute(statement, (owner,)).fetchone()
        return Summary(notes=count, letters=letters)


def read_options() -> Options:
    """What the command line says; a token is OWNER=TOKEN."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--careless", action="store_true")
    parser.add_argument("--token", action="append", default=[])
    given = parser.parse_args()
    pairs = (each.partition("=") for each in given.token)
    return Options(
        given.database, given.stateless, given.legacy, given.careless, {token: owner for owner, _, token in pairs}
    )


def listen() -> socket.socket:
    """A socket on loopback, at a port that the system chooses, which is told in one JSON line."""
    # The protocol is named: asyncio turns Nagle's algorithm off only on sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    sys.stdout.write(json.dumps({"event": "foreign.listening", "port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    return listener


def _note(number: int, title: str, text: str) -> Note:
    return Note(id=f"note-{100000 + number}", title=title, text=text)
