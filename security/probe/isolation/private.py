"""Which texts only one tenant may see: ids and e-mail addresses in its answers that another's do not hold."""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
IDENTIFYING = re.compile(r"(?:^|_)(?:id|identifier|number|tenant|store|account|key)$", re.IGNORECASE)
"""Names of members that hold what is one's own."""
SHAPE = re.compile(r"(?=[^0-9]*[0-9])[\w.:/+-]{5,200}")
"""What stands there: with a digit, so that it is no word."""
TIME = re.compile(r"\d{4}-\d\d-\d\d.*|\d\d?/\d{2,4}|\d{1,3}(?:\.\d{1,3}){3}|\d+\.\d+")
"""Times, dates, addresses and prices are everybody's."""
WORD = r"[\w-]"


@dataclass(frozen=True)
class Private:
    """Texts that only one tenant may see."""

    texts: frozenset[str]

    def told(self, text: str, sent: Any) -> list[str]:
        """Those that stand in `text`, and are no part of what the caller itself sent."""
        sent_texts = [each.casefold() for each in texts_of(sent)]
        return sorted(each for each in self.standing_in(text) if not any(each.casefold() in own for own in sent_texts))

    def holds(self, value: object) -> bool:
        """Whether a value is one of them."""
        return str(value) in self.texts

    def standing_in(self, text: str) -> set[str]:
        """Those that stand in `text`, each by itself and not as a part of a longer word."""
        return set(self._pattern.findall(text)) if self.texts else set()

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        alternatives = "|".join(map(re.escape, sorted(self.texts, key=len, reverse=True)))
        return re.compile(f"(?<!{WORD})(?:{alternatives})(?!{WORD})")


def private(own: Iterable[str], others: Iterable[str], *, always: Iterable[str | None] = ()) -> Private:
    """What answers of one's own tell and no text of `others` holds; and `always`, where it is known anyhow."""
    mine = Private(frozenset(text for answer in own for text in identifying(answer)))
    return Private(mine.texts - mine.standing_in("\n".join(others)) | frozenset(filter(None, always)))


def identifying(answer: str) -> Iterator[str]:
    """The e-mail addresses in an answer, and what stands in it as an id."""
    yield from EMAIL.findall(answer)
    for name, value in members(read(answer), ""):
        if IDENTIFYING.search(name) and SHAPE.fullmatch(value) and not TIME.fullmatch(value):
            yield value


def tells_ids(answer: str) -> bool:
    """Whether an answer has members that hold ids, such short ones among them as may stand anywhere."""
    return any(is_id(name) for name, _ in members(read(answer), ""))


def is_id(name: str) -> bool:
    """Whether a member of this name holds what is one's own."""
    return IDENTIFYING.search(name) is not None


def texts_of(value: Any) -> list[str]:
    """Every single value in some data, as text."""
    return [text for _, text in members(value, "")]


def members(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every single value in some data, as text, after the name of the member that it is; `name` is the whole's."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from members(each, str(key))
    elif isinstance(value, list):
        for each in value:
            yield from members(each, name)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)


def read(answer: str) -> Any:
    """An answer's data where it is JSON; None where it is not."""
    try:
        return json.loads(answer)
    except ValueError:
        return None
