"""The alert rules are such that Sentry takes them, and docs/ERROR-TRACKING.md lists them."""

import re

import pytest

from harness.repository import REPOSITORY
from security.sentry.plan import Action, make_plan
from security.sentry.rules import RULES, AlertRule


def test_the_page_lists_the_rules() -> None:
    page = (REPOSITORY / "docs/ERROR-TRACKING.md").read_text(encoding="utf-8").partition("\n## Alerts\n")[2]
    assert re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE) == [rule.title for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title)
def test_a_rule_is_one_that_sentry_takes(rule: AlertRule) -> None:
    body = rule.body()
    assert 5 <= body["frequency"] <= 43_200
    assert body["conditions"]
    assert body["actions"]
    assert all(str(node["id"]).startswith("sentry.") for node in (*rule.conditions, *rule.filters))
    assert len(rule.name) <= 256
    assert rule.why


def test_no_two_rules_do_the_same() -> None:
    does = [{**rule.body(), "name": "", "frequency": 0} for rule in RULES]
    assert [other for other in does if does.count(other) > 1] == []


def test_what_goes_goes_before_what_comes() -> None:
    found = [{"id": "1", "name": "quartermaster: old"}, {**RULES[0].body(), "id": "2", "frequency": 6}]
    actions = [change.action for change in make_plan(RULES[:2], found).changes]
    assert actions == [Action.DELETE, Action.UPDATE, Action.CREATE]
