"""The alert rules: what of the errors that arrive wakes somebody, and why. Sentry is made to agree with this file.

The ids and members are those of Sentry's "Create an Issue Alert Rule for a Project".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "quartermaster: "
"""What the name of each rule of ours begins with. Rules of any other name are somebody else's."""
ROOT: Final = "sentry.rules"
Node = Mapping[str, str | int]
"""A condition, a filter or an action."""

NEW: Final[Node] = {"id": f"{ROOT}.conditions.first_seen_event.FirstSeenEventCondition"}
BACK: Final[Node] = {"id": f"{ROOT}.conditions.regression_event.RegressionEventCondition"}
MAIL: Final[Node] = {
    "id": "sentry.mail.actions.NotifyEmailAction",
    "targetType": "IssueOwners",
    "fallthroughType": "ActiveMembers",
}


def often(times: int) -> Node:
    """More events than so many in an hour."""
    return {
        "id": f"{ROOT}.conditions.event_frequency.EventFrequencyCondition",
        "value": times,
        "interval": "1h",
        "comparisonType": "count",
    }


def users(count: int) -> Node:
    """More users than so many in an hour: to Sentry, a tenant's pseudonym is a user."""
    return {
        "id": f"{ROOT}.conditions.event_frequency.EventUniqueUserFrequencyCondition",
        "value": count,
        "interval": "1h",
        "comparisonType": "count",
    }


def tagged(key: str, value: str) -> Node:
    """Only events with this tag."""
    return {"id": f"{ROOT}.filters.tagged_event.TaggedEventFilter", "key": key, "match": "eq", "value": value}


def level(number: int) -> Node:
    """Only events of this level: 50 is fatal."""
    return {"id": f"{ROOT}.filters.level.LevelFilter", "match": "eq", "level": str(number)}


@dataclass(frozen=True)
class AlertRule:
    """Any of the conditions, all of the filters: then a mail, once in `minutes` (5 to 43200) for an issue."""

    title: str
    why: str
    conditions: tuple[Node, ...]
    filters: tuple[Node, ...] = ()
    minutes: int = 60
    environment: str | None = "production"
    """The environment whose events count; None for any."""

    @property
    def name(self) -> str:
        """The name that it has in Sentry."""
        return PREFIX + self.title

    def body(self) -> dict[str, Any]:
        """The rule as Sentry takes it."""
        return {
            "name": self.name,
            "actionMatch": "any",
            "filterMatch": "all",
            "conditions": [dict(node) for node in self.conditions],
            "filters": [dict(node) for node in self.filters],
            "actions": [dict(MAIL)],
            "frequency": self.minutes,
            "environment": self.environment,
        }


RULES: Final = (
    AlertRule("a new error in production", "What nobody has seen is what nobody has judged.", (NEW,), minutes=5),
    AlertRule("a resolved error is back", "A fix that does not hold, in any environment.", (BACK,), environment=None),
    AlertRule(
        "an error comes often",
        "A spike. A server reports the same fault five times a minute at most, so it can send 300 in an hour.",
        (often(100),),
    ),
    AlertRule("an error meets several tenants", "Ours, not one client's.", (users(3),)),
    AlertRule(
        "a server ended by an error",
        "It was meant to run.",
        (NEW, BACK, often(1)),
        (level(50),),
        minutes=5,
    ),
    AlertRule(
        "rows of the audit were lost",
        "Nobody can say any more who did what.",
        (NEW, BACK, often(1)),
        (tagged("event", "audit.rows_lost"),),
        minutes=5,
    ),
)
