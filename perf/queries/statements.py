"""The server's statement log, read: each statement with what was bound to it and the request that it was made for."""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perf.errors import PerfError

EXPLAINABLE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
PLACES = re.compile(r"\(\?(?:, \?)+\)")


@dataclass(frozen=True)
class Statement:
    """One execution. `parameters` are those of its first row; `request` is empty in the server's background."""

    text: str
    parameters: tuple[Any, ...]
    request: str

    @property
    def shape(self) -> str:
        """Its text on one line, the same however long its lists are."""
        return shape(self.text)


def shape(text: str) -> str:
    """A statement on one line; lists of several places count as one."""
    return PLACES.sub("(?, ...)", " ".join(text.split()))


def read_statements(path: Path) -> list[Statement]:
    """Return what was read, written or deleted, in order: transactions and pragmas have no plan, and are left out.

    Raises PerfError where the log is missing, or is not what the server writes.
    """
    try:
        # Not splitlines(): to that a client's U+2028 inside a line ends it.
        *lines, _unfinished = path.read_bytes().split(b"\n")
        read = [json.loads(line) for line in lines]
        return [
            Statement(each["statement"], _first(ast.literal_eval(each["parameters"])), each["request_id"])
            for each in read
            if each["statement"].split(None, 1)[0].upper() in EXPLAINABLE
        ]
    except (OSError, ValueError, KeyError, SyntaxError, IndexError) as error:
        raise PerfError(f"the server's statement log cannot be read: {type(error).__name__}: {error}") from error


def _first(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """What was bound; of a statement that was executed once for each of many rows, to the first."""
    return tuple(parameters[0] if isinstance(parameters, list) else parameters)
