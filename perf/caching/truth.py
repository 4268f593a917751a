"""What was true when, by the sandbox's journal; and how far from it an answer was that a cache may have given.

Times are seconds of the machine's monotonic clock, which all its processes share.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.sandbox.fields import Record
from perf.caching.questions import Question, State

HELD = {"order": "orders", "inventory_item": "products"}
"""Where a state holds what the journal calls so."""


@dataclass(frozen=True)
class Answer:
    """An answer to a question: when it was asked for and there, whether it is said to be cached, and what it showed."""

    question: Question
    began: float
    ended: float
    cached: bool
    shown: Any
    request_id: str


@dataclass(frozen=True)
class Span:
    """From `begin` until the next one, `value` was the true answer. `request_id` is of the request that changed it."""

    begin: float
    value: Any
    request_id: str | None = None


@dataclass(frozen=True)
class Judged:
    """How an answer stands to the truth.

    `age` are the seconds since it was last true when it was asked for (0 where it was true meanwhile, NaN where it
    never was); `tested` says that a write which had been acknowledged changed the truth within the time to live, so
    that a cache may have held what it replaced; `overlooked` that the answer was older than such a write.
    """

    answer: Answer
    age: float
    tested: bool
    overlooked: bool


class History:
    """The states of a store, one after the other."""

    def __init__(self, initial: State, journal: Iterable[Mapping[str, Any]]) -> None:
        self._states: list[tuple[float, State, str | None]] = [(-math.inf, initial, None)]
        self._spans: dict[Question, list[Span]] = {}
        for entry in journal:
            state = self._states[-1][1]
            for change in entry["changes"]:
                state = _changed(state, change)
            if state is not self._states[-1][1]:
                self._states.append((entry["monotonic"], state, entry["request_id"]))

    def __len__(self) -> int:
        return len(self._states) - 1

    def spans(self, question: Question) -> list[Span]:
        """The true answers to a question, in their order."""
        if question not in self._spans:
            spans: list[Span] = []
            for begin, state, request_id in self._states:
                value = question.expected(state)
                if not spans or value != spans[-1].value:
                    spans.append(Span(begin, value, request_id))
            self._spans[question] = spans
        return self._spans[question]

    def judge(self, answer: Answer, acknowledged: Mapping[str, float], ttl: float) -> Judged:
        """How an answer stands to the truth; `acknowledged` has when a write was known to be done, by its request."""
        spans = self.spans(answer.question)

        def acknowledged_at(span: Span) -> float:
            return acknowledged.get(span.request_id or "", math.inf)

        tested = any(answer.began - ttl < acknowledged_at(span) <= answer.began for span in spans)
        # The latest that it can have been: A, B and A again do it no wrong.
        last = max(
            (number for number, span in enumerate(spans) if span.begin <= answer.ended and span.value == answer.shown),
            default=None,
        )
        if last is None:
            return Judged(answer, math.nan, tested, overlooked=False)
        later = spans[last + 1 :]
        age = max(0.0, answer.began - later[0].begin) if later else 0.0
        return Judged(answer, age, tested, any(acknowledged_at(span) <= answer.began for span in later))


def _changed(state: State, change: Mapping[str, Any]) -> State:
    if change["resource"] not in HELD:
        return state
    held = HELD[change["resource"]]
    objects: Mapping[str, Record] = getattr(state, held)
    after = {name: field["after"] for name, field in change["fields"].items()}
    return replace(state, **{held: {**objects, change["id"]: {**objects[change["id"]], **after}}})
