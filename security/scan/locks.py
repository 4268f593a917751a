"""The hash-locked requirements: what is pinned, in which lock and on which line."""

import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Inconclusive

FOLDER = "requirements"
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[A-Za-z0-9._,-]+\])?==([A-Za-z0-9.!+_-]+)(?=\s|$)")


@dataclass(frozen=True)
class Pin:
    """One locked distribution, its name normalised; `path` from the repository, `line` from 1."""

    name: str
    version: str
    path: str
    line: int


def read_locks(repository: Path) -> list[Pin]:
    """Every pin of every requirements/*.txt, whatever machine it is for.

    Raises Inconclusive when there is no lock, one holds nothing, or a line is neither a pin with hashes nor a comment.
    """
    locks = sorted((repository / FOLDER).glob("*.txt"))
    if not locks:
        raise Inconclusive(f"there is no lock in {FOLDER}/*.txt")
    return [pin for path in locks for pin in _read(path)]


def _read(path: Path) -> list[Pin]:
    place = f"{FOLDER}/{path.name}"
    pins, entry, began = [], "", 0
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Inconclusive(f"{place} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        text = line.partition(" #")[0].strip()
        if not entry:
            began = number
        entry += f" {text.removesuffix(chr(92))}"
        if text.endswith("\\"):
            continue
        if entry.strip() and not entry.strip().startswith("#"):
            pins.append(_pin(entry.strip(), place, began))
        entry = ""
    if entry.strip():
        pins.append(_pin(entry.strip(), place, began))
    if not pins:
        raise Inconclusive(f"{place} locks nothing")
    return pins


def _pin(entry: str, place: str, line: int) -> Pin:
    found = _PIN.match(entry)
    if not found or "--hash=" not in entry:
        raise Inconclusive(f"{place}:{line} is no pinned requirement with hashes")
    return Pin(re.sub(r"[-_.]+", "-", found[1]).lower(), found[2], place, line)
