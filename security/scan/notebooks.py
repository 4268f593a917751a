"""The cells of a notebook as a module of Python, each line with its place in the notebook's file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import Inconclusive
from security.scan.python_files import parses

_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"')
# As Python has it: what else str.splitlines knows may stand within a line.
_END = re.compile(r"\r\n?|\n")
# What Jupyter takes for itself: commands of its own and of the shell, questions, and what they return.
_OWN = re.compile(r"(?P<indent>\s*)(?:[%!?].*|.*[^#\s]\?{1,2}\s*)")
_TAKEN = re.compile(r"(?P<name>\s*[A-Za-z_][\w, ]*=\s*)[%!].*")
# Cells whose first line leaves the rest Python.
_PYTHON_CELLS = ("capture", "prun", "python", "python3", "time", "timeit")
Line = tuple[int, str]
"""The number of a line in the notebook's file, and the line of code that stands there."""


@dataclass(frozen=True)
class Module:
    """The code of a notebook, with the line in the notebook of each of its lines; and how many cells are others'."""

    code: str
    lines: tuple[int, ...]
    foreign: int = 0
    """Cells in another language."""


def read_notebook(text: str, path: str) -> Module:
    """The code of a notebook of format 4. Raises Inconclusive, with the path, where it is none."""
    try:
        notebook = json.loads(_placed(text), object_pairs_hook=_without_places)
        cells = [_lines(cell["source"]) for cell in notebook["cells"] if _said(cell["cell_type"]) == "code"]
        metadata = notebook.get("metadata", {})
        language = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Inconclusive(f"{path} could not be examined: it is no notebook of format 4") from error
    if language is not None and _said(language).lower() not in {"python", "ipython"}:
        return Module("", (), len(cells))
    ours = [cell for cell in cells if not _is_foreign(cell)]
    lines = [line for cell in ours for line in _as_python(cell)]
    return Module(
        "".join(f"{code}\n" for _, code in lines), tuple(number for number, _ in lines), len(cells) - len(ours)
    )


def _placed(text: str) -> str:
    """The JSON with the number of its line at the begin of every string; none goes over an end of a line."""
    return "\n".join(_STRING.sub(rf'"{number}:\1"', line) for number, line in enumerate(text.split("\n"), 1))


def _without_places(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {_said(name): value for name, value in pairs}


def _said(placed: str) -> str:
    return placed.partition(":")[2]


def _lines(source: str | list[str]) -> list[Line]:
    """The lines of a cell; where they stand in one string of the file, all of them are at its place."""
    parts = [source] if isinstance(source, str) else source
    return [
        (int(number), line)
        for number, _, said in (part.partition(":") for part in parts)
        for line in _END.split(said.removesuffix("\n"))
    ]


def _is_foreign(cell: list[Line]) -> bool:
    first = next((code.strip() for _, code in cell if code.strip()), "")
    return first.startswith("%%") and first[2:].partition(" ")[0] not in _PYTHON_CELLS


def _as_python(cell: list[Line]) -> Iterator[Line]:
    """The cell as it stands where that is Python, else without what is Jupyter's."""
    if parses("\n".join(code for _, code in cell)):
        yield from cell
        return
    for number, code in cell:
        if own := _OWN.fullmatch(code):
            yield number, f"{own['indent']}pass"
        elif taken := _TAKEN.fullmatch(code):
            yield number, f"{taken['name']}None"
        else:
            yield number, code
