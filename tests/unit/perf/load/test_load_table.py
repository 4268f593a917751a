"""The [load] table of ops.toml: what a profile may say, and how a wrong one is told."""

from pathlib import Path
from typing import Any

import pytest

from harness.config import ConfigurationError, load
from harness.errors import UsageError
from harness.record import COMMAND
from harness.repository import REPOSITORY
from perf.load.job import Options, choose_profile, spell_load
from perf.load.model import LoadTable, Profile

NIGHTLY = """
[load.profiles.nightly]
users = 10
seconds = 15
minimum_answers = 300
"""


def read(path: Path, text: str) -> LoadTable:
    ops = path / "ops.toml"
    ops.write_text(text, encoding="utf-8")
    return load(ops, {"load": LoadTable}).table("load", LoadTable)


def test_a_profile_is_found_by_its_name(tmp_path: Path) -> None:
    profile = read(tmp_path, NIGHTLY).find("nightly")

    assert profile == Profile(users=10, seconds=15, minimum_answers=300)
    assert profile.passed_rate == 1.0
    assert profile.failed_rate == 0.0


def test_an_unknown_profile_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"profile nightl is not .*did you mean nightly"):
        read(tmp_path, NIGHTLY).find("nightl")


def test_without_a_table_no_profile_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is none"):
        read(tmp_path, "").find("nightly")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("minimum_answers = 0", "minimum_answers: Input should be greater than or equal to 1"),
        ("mix = { guesses = 1 }", "mix"),
        ("mix = { tool = 1 }", "belong together"),
        ("stages = [{ users = 3, seconds = 4 }]", "the stages last 4 s"),
        ('scenario = "limits"', "needs arrivals_per_second"),
        ('scenario = "cache"', "needs server.CACHE_TTL_ORDERS_SECONDS"),
        ("p95_milliseconds = { cached = 50 }", "p95_milliseconds"),
        ("passed_rat = 0.9", "passed_rat: unknown key"),
        ("failed_rate = 2", "less than or equal to 1"),
        ("users = 0", "users"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    name = line.split(" ", maxsplit=1)[0]
    kept = [each for each in NIGHTLY.splitlines() if not each.startswith(f"{name} ")]

    with pytest.raises(ConfigurationError, match=complaint):
        read(tmp_path, "\n".join([*kept, line]))


@pytest.mark.parametrize(
    ("changed", "senders"),
    [
        ({}, "10 users"),
        ({"stages": [{"users": 20, "seconds": 3}, {"users": 5, "seconds": 3}], "seconds": 6}, "5 to 20 users"),
        ({"arrivals_per_second": 50}, "50 arrivals/s"),
    ],
)
def test_a_profile_says_who_sends(changed: dict[str, Any], senders: str) -> None:
    profile = Profile.model_validate({"users": 10, "seconds": 15, "minimum_answers": 1, **changed})

    assert profile.senders == senders


def test_every_profile_of_the_repository_can_be_meant() -> None:
    table = load(REPOSITORY / "ops.toml", {"load": LoadTable}).table("load", LoadTable)

    assert {"smoke", "nightly", "basic", "stress", "spike", "soak"} <= set(table.profiles)
    assert {name for name, profile in table.profiles.items() if profile.fault} == {
        "concurrent",
        "limits",
        "cache",
        "pool",
    }
    assert table.find("basic").seconds == 540
    assert max(stage.users for stage in table.find("stress").stages) == 150
    assert table.find("soak").minimum_answers >= 300_000


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (Options("nightly", faults=True), "has no fault"),
        (Options("limits", target="staging"), "leave out --target staging"),
        (Options("concurrent", target="staging", faults=True), "leave out --target staging"),
    ],
)
def test_a_profile_that_the_target_cannot_have_is_refused(options: Options, complaint: str) -> None:
    table = load(REPOSITORY / "ops.toml", {"load": LoadTable}).table("load", LoadTable)

    with pytest.raises(UsageError, match=complaint):
        choose_profile(options, table)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("p95_milliseconds = { update = 5 }", "update is not in the mix"),
        ('scenario = "limits"\nserver = { RATE_LIMIT_RPM = "many" }\narrivals_per_second = 9', "a number"),
        ('scenario = "cache"\nserver = { CACHE_TTL_ORDERS_SECONDS = "long" }', "a number"),
        (
            "fault = { from_seconds = 2, until_seconds = 9, settle_seconds = 6, rules = [{ kind = 'server_error' }] }",
            "leave time after it has settled",
        ),
    ],
)
def test_a_profile_that_could_come_to_no_verdict_is_refused(tmp_path: Path, table: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read(tmp_path, NIGHTLY + table)


def test_without_faults_a_profile_has_none() -> None:
    table = load(REPOSITORY / "ops.toml", {"load": LoadTable}).table("load", LoadTable)

    assert choose_profile(Options("cache"), table).fault is None
    assert choose_profile(Options("cache", faults=True), table).fault is not None


def test_a_load_is_sent_again_with_the_same_words() -> None:
    assert spell_load("load", Options("cache", faults=True), ["leaks"]) == {
        COMMAND: ["load", "--profile", "cache", "--allow-inconclusive", "leaks", "--faults"]
    }


def test_a_profile_must_say_how_many_answers_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="minimum_answers: is missing"):
        read(tmp_path, NIGHTLY.replace("minimum_answers = 300", ""))
