"""Which files are Python: by their ending, by their first line, or because a shell that begins them runs it."""

import ast
import warnings
from pathlib import Path

ENDINGS = (".py", ".pyw", ".pyi")
NOTEBOOK = ".ipynb"
HEAD = 2_000
"""Bytes in which a shell that hands a file on to Python does so."""


def is_python(repository: Path, path: str) -> bool:
    """Whether a file is Python. What cannot be read is not: that another scanner tells."""
    if path.lower().endswith(ENDINGS):
        return True
    try:
        with (repository / path).open("rb") as file:
            if file.read(2) != b"#!":
                return False
            content = file.read()
    except OSError:
        return False
    if b"python" in content.partition(b"\n")[0]:
        return True
    # Of two languages: a shell runs `exec python3 "$0"`, to which that is a text. Scripts that merely call Python do
    # not parse as it.
    return b"python" in content[:HEAD] and parses(b"#!" + content)


def is_notebook(path: str) -> bool:
    """Whether a file is a notebook of Jupyter."""
    return path.lower().endswith(NOTEBOOK)


def parses(code: str | bytes) -> bool:
    """Whether it is Python, by its grammar."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
