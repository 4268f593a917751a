"""Decides, request by request, which faults fire; counts them."""

from dataclasses import dataclass
from typing import Any

from harness.sandbox.dice import Dice
from harness.sandbox.faults import Delay, Fault, FaultPlan, ForeignWriter, Latency, LostResponse, Outcome, SlowBody


@dataclass(frozen=True, slots=True)
class Fired:
    """The faults of one request: seconds to wait before it and while its body is sent, what else happens, and names."""

    wait_seconds: float = 0.0
    body_seconds: float = 0.0
    foreign_writer: ForeignWriter | None = None
    outcome: Outcome | None = None
    kinds: tuple[str, ...] = ()


NOTHING = Fired()


class Faults:
    """The plan in force and how often each of its rules has fired."""

    def __init__(self) -> None:
        self.use(FaultPlan())

    def use(self, plan: FaultPlan) -> None:
        """Take over a plan, from the beginning of its draws."""
        self._plan = plan
        self._fired = [0] * len(plan.faults)
        # Dice of its own for each rule, so that one rule's draws do not depend on the others.
        self._dice = [Dice("fault", plan.seed, place) for place in range(len(plan.faults))]

    def fire(self, method: str, path: str, template: str, store_id: str) -> Fired:
        """Which faults happen to a request. `template` is its path with ids left out, blank for an unknown path."""
        if not self._plan.faults:
            return NOTHING
        wait = body = 0.0
        foreign_writer, outcome, kinds = None, None, []
        for place, rule in enumerate(self._plan.faults):
            if isinstance(rule, Outcome) and outcome is not None:
                continue
            if not _concerns(rule, method, path, template, store_id) or not self._happens(place, rule):
                continue
            kinds.append(rule.kind)
            match rule:
                case Latency():
                    wait += _seconds(rule, self._dice[place])
                case SlowBody():
                    body += _seconds(rule, self._dice[place])
                case ForeignWriter():
                    foreign_writer = rule
                case _:
                    outcome = rule
        return Fired(wait, body, foreign_writer, outcome, tuple(kinds))

    def state(self) -> dict[str, Any]:
        """The plan as it was given, each rule with how often it has `fired`."""
        rules = [rule.model_dump(mode="json") for rule in self._plan.faults]
        return {
            "seed": self._plan.seed,
            "faults": [{**rule, "fired": fired} for rule, fired in zip(rules, self._fired, strict=True)],
        }

    def _happens(self, place: int, rule: Fault) -> bool:
        if rule.count is not None and self._fired[place] >= rule.count:
            return False
        if not self._dice[place].happens(rule.probability):
            return False
        self._fired[place] += 1
        return True


def _concerns(rule: Fault, method: str, path: str, template: str, store_id: str) -> bool:
    if isinstance(rule, ForeignWriter) and (method, template) != ("GET", "/orders/{id}"):
        return False
    if isinstance(rule, LostResponse) and method == "GET":
        return False
    return rule.match.covers(method, path, store_id)


def _seconds(rule: Delay, dice: Dice) -> float:
    if isinstance(rule.milliseconds, int):
        return rule.milliseconds / 1_000
    low, high = rule.milliseconds
    return (low + dice.below(high - low + 1)) / 1_000
