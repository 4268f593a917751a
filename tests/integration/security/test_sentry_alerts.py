"""Alert rules as code, against a Sentry that answers as the real one does and gets into trouble as it does."""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.config import ConfigurationError
from harness.errors import HarnessError, UsageError
from security.sentry.alerts import run_alerts
from security.sentry.rules import PREFIX, RULES, AlertRule
from tests.integration.security.sentry_stub import PAGE, ROOT, TOKEN, Stub, sentry

Run = Callable[..., int]
NAMES = [rule.name for rule in RULES]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with sentry() as stub:
        yield stub


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def alerts(stub: Stub, tmp_path: Path, said: list[str]) -> Run:
    def run(*, apply: bool = False, token: str = TOKEN, project: str = "quartermaster", wanted: object = RULES) -> int:
        file = tmp_path / "ops.toml"
        table = {"url": stub.url, "organization": "shop", "project": project, "token_env": "A_TOKEN"}
        file.write_text("[sentry]\n" + "".join(f'{name} = "{value}"\n' for name, value in table.items()))
        said.clear()
        rules: tuple[AlertRule, ...] = tuple(wanted)  # type: ignore[arg-type]
        return run_alerts(configuration=file, environ={"A_TOKEN": token}, say=said.append, apply=apply, wanted=rules)

    return run


def test_without_apply_nothing_is_written_and_what_would_be_is_shown(alerts: Run, stub: Stub, said: list[str]) -> None:
    assert alerts() == 1
    assert stub.writes == []
    assert [line.split(":")[1].strip() for line in said if line.startswith("  create")] == [
        name.removeprefix(PREFIX) for name in NAMES
    ]
    assert said[-1].startswith(f"{len(RULES)} to change; nothing was.")


def test_what_was_applied_is_found_to_be_right_and_is_not_written_again(alerts: Run, stub: Stub) -> None:
    assert alerts(apply=True) == 0
    assert [rule["name"] for rule in stub.rules] == NAMES
    written = len(stub.writes)
    assert alerts() == 0
    assert alerts(apply=True) == 0
    assert len(stub.writes) == written == len(RULES)


def test_numbers_that_come_back_as_texts_are_the_same_numbers(alerts: Run, stub: Stub) -> None:
    assert alerts(apply=True) == 0
    stub.numbers_as_text = True
    assert alerts() == 0


def test_a_rule_that_was_changed_by_hand_is_shown_by_what_differs_and_put_right(
    alerts: Run, stub: Stub, said: list[str]
) -> None:
    alerts(apply=True)
    before = dict(stub.named(NAMES[2]))
    for member, value in (
        ("frequency", 1440),
        ("actionMatch", "all"),
        ("environment", "staging"),
        ("conditions", [{**before["conditions"][0], "value": 100_000}]),
        ("conditions", [{**before["conditions"][0], "comparisonType": "percent"}]),
        ("conditions", []),
        ("filters", [{"id": "sentry.rules.filters.level.LevelFilter", "match": "eq", "level": "50"}]),
        ("actions", [{**before["actions"][0], "targetType": "Member", "targetIdentifier": 1}]),
    ):
        stub.named(NAMES[2])[member] = value
        assert alerts() == 1, member
        assert f"  update           {NAMES[2]}: differs in {member}" in said
        assert alerts(apply=True) == 0
        assert stub.named(NAMES[2]) == before


def test_rules_of_other_names_are_never_touched(alerts: Run, stub: Stub, said: list[str]) -> None:
    others = [dict(stub.add(name)) for name in ("Send a notification", "quartermaster", "our quartermaster: x", "")]
    assert alerts(apply=True) == 0
    assert [dict(rule) for rule in stub.rules[:4]] == others
    assert "  left alone       4 of other names" in said
    assert not any(f"{ROOT}{rule['id']}/" in line for rule in others for line in stub.asked)


def test_what_is_no_rule_any_more_and_what_is_there_twice_goes(alerts: Run, stub: Stub, said: list[str]) -> None:
    alerts(apply=True)
    stub.add(PREFIX + "of last year")
    stub.add(NAMES[0])
    assert alerts() == 1
    assert f"  delete           {PREFIX}of last year: is no rule any more" in said
    assert f"  delete           {NAMES[0]}: is there twice" in said
    assert alerts(apply=True) == 0
    assert [rule["name"] for rule in stub.rules] == NAMES


def test_a_rule_that_gets_another_title_takes_the_place_of_the_old_one(alerts: Run, stub: Stub) -> None:
    alerts(apply=True)
    renamed = (dataclasses.replace(RULES[0], title="something new"), *RULES[1:])
    assert alerts(apply=True, wanted=renamed) == 0
    assert sorted(rule["name"] for rule in stub.rules) == sorted(rule.name for rule in renamed)


def test_more_rules_than_a_page_holds_are_all_seen(alerts: Run, stub: Stub, said: list[str]) -> None:
    for number in range(PAGE * 2):
        stub.add(f"of somebody {number}", conditions=[{"id": str(number)}])
    alerts(apply=True)
    assert alerts() == 0
    assert f"  left alone       {PAGE * 2} of other names" in said
    pages = [line for line in stub.asked if line.startswith("GET") and "cursor" in line]
    assert pages


def test_pages_without_an_end_are_not_read_for_ever(alerts: Run, stub: Stub) -> None:
    stub.pages_without_end = True
    with pytest.raises(HarnessError, match="pages without an end"):
        alerts()


def test_a_rule_that_somebody_muted_is_no_pass(alerts: Run, stub: Stub, said: list[str]) -> None:
    alerts(apply=True)
    stub.named(NAMES[1])["status"] = "disabled"
    assert alerts() == 1
    assert f"  muted            {NAMES[1]}: by hand, in Sentry; let it speak there" in said
    stub.named(NAMES[1]).update(status="active", snoozeForEveryone=True)
    assert alerts(apply=True) == 1


def test_a_rule_that_sentry_refuses_is_told_and_the_others_are_made(alerts: Run, stub: Stub, said: list[str]) -> None:
    wanted = (dataclasses.replace(RULES[0], minutes=1), *RULES[1:])
    assert alerts(apply=True, wanted=wanted) == 1
    assert [rule["name"] for rule in stub.rules] == NAMES[1:]
    assert any(line.startswith(f"not done: create {NAMES[0]}: ") and "HTTP 400" in line for line in said)


def test_what_was_written_and_is_not_there_is_no_pass(alerts: Run, stub: Stub, said: list[str]) -> None:
    stub.forgets_what_is_written = True
    assert alerts(apply=True) == 1
    assert said[-1].startswith(f"{len(RULES)} still to change: ")


@pytest.mark.parametrize("header", ["Retry-After", "X-Sentry-Rate-Limit-Reset"])
def test_too_many_requests_are_waited_for_as_long_as_sentry_says(header: str, alerts: Run, stub: Stub) -> None:
    wait = "1" if header == "Retry-After" else str(time.time() + 1)
    stub.troubles += [("GET", 429, {header: wait}), ("POST", 429, {header: wait})]
    began = time.monotonic()
    assert alerts(apply=True) == 0
    assert time.monotonic() - began >= 0.9
    assert [rule["name"] for rule in stub.rules] == NAMES


@pytest.mark.parametrize(
    "troubles",
    [[("GET", 429, {"Retry-After": "3600"})], [("GET", 429, {"Retry-After": "0"})] * 4, [("GET", 500, {})]],
    ids=["for an hour", "again and again", "500"],
)
def test_a_sentry_that_cannot_answer_makes_no_verdict(troubles: list[object], alerts: Run, stub: Stub) -> None:
    stub.troubles += troubles  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match=r"429|500") as error:
        alerts(apply=True)
    assert not isinstance(error.value, UsageError)
    assert stub.rules == []


def test_a_write_that_fails_half_way_is_made_good_by_the_next_run(alerts: Run, stub: Stub, said: list[str]) -> None:
    stub.troubles.append(("POST", 500, {}))
    stub.add(PREFIX + "of last year")
    with pytest.raises(HarnessError, match="HTTP 500"):
        alerts(apply=True)
    assert f"done: delete {PREFIX}of last year" in said
    assert alerts(apply=True) == 0
    assert [rule["name"] for rule in stub.rules] == NAMES


@pytest.mark.parametrize(
    ("options", "trouble", "message"),
    [
        ({"token": "wrong"}, None, "does not know the token"),
        ({"project": "elsewhere"}, None, "does not have the project shop/elsewhere"),
        ({}, ("GET", 403, {}), "needs alerts:write"),
        ({"token": ""}, None, "A_TOKEN is not set"),
        ({"token": "two words"}, None, "A_TOKEN holds is no token"),
        ({"project": ""}, None, re.escape("sentry.project: is missing")),
    ],
)
def test_what_is_set_up_wrong_is_told_as_such(
    options: dict[str, str], trouble: tuple[str, int, dict[str, str]] | None, message: str, alerts: Run, stub: Stub
) -> None:
    stub.troubles += [trouble] if trouble else []
    with pytest.raises(UsageError, match=message):
        alerts(apply=True, **options)


def test_an_answer_that_is_none_is_no_verdict(alerts: Run, stub: Stub) -> None:
    stub.garbage = True
    with pytest.raises(HarnessError, match="no JSON"):
        alerts()


def test_a_redirect_does_not_take_the_token_elsewhere(alerts: Run, stub: Stub) -> None:
    with sentry() as elsewhere:
        stub.troubles.append(("GET", 302, {"Location": elsewhere.url + ROOT}))
        with pytest.raises(HarnessError, match="HTTP 302"):
            alerts()
        assert elsewhere.asked == []


def test_the_token_is_never_shown(alerts: Run, stub: Stub, said: list[str]) -> None:
    alerts(apply=True)
    stub.troubles.append(("GET", 500, {}))
    with pytest.raises(HarnessError) as error:
        alerts()
    assert TOKEN not in "\n".join([*said, str(error.value)])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('url = "http://sentry.example.com"', "url must be https"),
        ('url = "https://me:pass@sentry.example.com"', "must not carry credentials"),
        ('token_env = "sntryu-the-token"', "name of an environment variable"),
        ('project = "../other"', "sentry.project"),
        ('projet = "x"', "did you mean project"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(line: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "ops.toml"
    file.write_text(f"[sentry]\n{line}\n")
    with pytest.raises(ConfigurationError, match=problem) as error:
        run_alerts(configuration=file, environ={}, say=print)
    assert "pass@" not in str(error.value)
