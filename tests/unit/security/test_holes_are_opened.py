"""A hole that is listed is one that the vulnerable server can open, and stands in the list once."""

from pathlib import Path

from tests.vulnerable import holes
from tests.vulnerable.holes import HOLES

TABLE = Path(holes.__file__)


def test_every_hole_is_opened_somewhere() -> None:
    source = "".join(path.read_text("utf-8") for path in TABLE.parent.glob("*.py") if path != TABLE)
    assert [name for name in HOLES if f'"{name}"' not in source] == []


def test_no_hole_is_listed_twice() -> None:
    assert len(HOLES) == len(holes._TABLE)
