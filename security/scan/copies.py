"""Copies of files with something planted below their last line: a scanner that finds it has read the whole file."""

from collections.abc import Mapping
from pathlib import Path

MARKED = "marked"


def plant_below(scratch: Path, texts: Mapping[str, str], planted: str) -> dict[Path, int]:
    """Write each text under `scratch`/marked with `planted` below it. Returns the line on which that begins, by copy.

    In the order of `texts`; their keys are paths from the repository.
    """
    lines = {}
    for path, text in texts.items():
        copy = scratch / MARKED / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        ended = text if text.endswith("\n") or not text else f"{text}\n"
        copy.write_text(ended + planted, encoding="utf-8", newline="")
        lines[copy] = ended.count("\n") + 1
    return lines
