"""Whether what a cache answered was true at some time within its age, told from answers and the upstream's journal."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

LINE = re.compile(r'msg="READ (\d+) (\d+) (\d+) (\S+)"')
NOTHING = "-"
"""What an order shows that nobody changed yet."""
SLACK_SECONDS = 0.05
"""Between the clocks' readings here and there: one machine, whole milliseconds, and a log line's own time."""


@dataclass(frozen=True)
class Answer:
    """A read of an order: when it was asked for and answered (seconds since 1970), and the value it showed."""

    order: str
    began: float
    ended: float
    value: str


@dataclass(frozen=True)
class Change:
    """From `at` (seconds since 1970) on the order's value is this."""

    order: str
    at: float
    value: str


def read_answers(log: str) -> list[Answer]:
    """The answers that the script wrote to k6's log."""
    return [
        Answer(order, int(began) / 1000, int(ended) / 1000, value) for order, began, ended, value in LINE.findall(log)
    ]


def find_lies(answers: Iterable[Answer], changes: Sequence[Change], ttl: float) -> list[str]:
    """Each answer whose value was not true at any time between `ttl` seconds before it was asked for and its end."""
    spans: dict[str, list[tuple[str, float, float]]] = {}
    for order in {each.order for each in changes}:
        own = [each for each in changes if each.order == order]
        spans[order] = [(NOTHING, float("-inf"), own[0].at)]
        spans[order] += [(one.value, one.at, following.at) for one, following in pairwise(own)]
        spans[order].append((own[-1].value, own[-1].at, float("inf")))
    return [lie for answer in answers if (lie := _lie(answer, spans.get(answer.order, []), ttl))]


def _lie(answer: Answer, spans: list[tuple[str, float, float]], ttl: float) -> str:
    earliest, latest = answer.began - ttl - SLACK_SECONDS, answer.ended + SLACK_SECONDS
    if not spans and answer.value == NOTHING:
        return ""
    true = [(begin, end) for value, begin, end in spans if value == answer.value]
    if any(begin <= latest and end >= earliest for begin, end in true):
        return ""
    if true and true[0][0] > latest:
        return f"order {answer.order} showed {answer.value}, which was true only later"
    if true:
        return f"order {answer.order} showed {answer.value}, which was over {answer.began - true[-1][1]:.2f} s before"
    return f"order {answer.order} showed {answer.value}, which was never true"
