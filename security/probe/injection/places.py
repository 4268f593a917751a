"""Every place in a tool's arguments where a client may write text: declared, nested, and the names of members."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from security.probe.calls import SampleCall, Samples, string_arguments

Step = str | int


@dataclass(frozen=True)
class Place:
    """One place: the call that it is a part of, and the way to it. With `member`, a further member's name there."""

    call: SampleCall
    path: tuple[Step, ...]
    member: bool = False

    @property
    def name(self) -> str:
        """The tool and the way, as findings tell it."""
        way = ".".join(str(step) for step in self.path)
        return f"{self.call.name} {way}{' (the name of a member)' if self.member else ''}".replace("  ", " ")

    def fill(self, text: str) -> dict[str, Any]:
        """The sample's arguments with `text` in this place."""
        arguments = deepcopy(dict(self.call.arguments))
        inner: Any = arguments
        for step in self.path if self.member else self.path[:-1]:
            inner = inner[step]
        inner[text if self.member else self.path[-1]] = "probe" if self.member else text
        return arguments


def places(samples: Samples) -> list[Place]:
    """The places of every call that succeeded."""
    return [place for call in samples.calls.values() for place in _places_of(call)]


def _places_of(call: SampleCall) -> Iterator[Place]:
    declared = [(name,) for name in string_arguments(call.tool)]
    nested = [path for path in _texts(call.arguments) if path not in declared]
    yield from (Place(call, path) for path in [*declared, *nested])
    yield from (Place(call, path, member=True) for path in _objects(call.arguments))


def _texts(value: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    if isinstance(value, str):
        yield path
    for step, inner in _inner(value):
        yield from _texts(inner, (*path, step))


def _objects(value: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    if isinstance(value, Mapping):
        yield path
    for step, inner in _inner(value):
        yield from _objects(inner, (*path, step))


def _inner(value: Any) -> Iterator[tuple[Step, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from enumerate(value)
