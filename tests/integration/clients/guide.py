"""The blocks of docs/CLIENTS.md: what it shows is what the tests parse, and what they run."""

import re
from dataclasses import dataclass

from harness.repository import REPOSITORY

GUIDE = REPOSITORY / "docs" / "CLIENTS.md"
BLOCK = re.compile(r"^## (?P<section>[^\n]+)$|^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code, and the heading that it stands under."""

    section: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.section}-{self.language}"


def blocks() -> list[Block]:
    """Every block of the guide, in its order."""
    found, section = [], ""
    for match in BLOCK.finditer(GUIDE.read_text("utf-8")):
        if match["section"]:
            section = match["section"]
        else:
            found.append(Block(section, match["language"], match["text"]))
    return found


def the_block(section: str, language: str) -> str:
    """The text of a section's first block in a language."""
    return next(block.text for block in blocks() if (block.section, block.language) == (section, language))
