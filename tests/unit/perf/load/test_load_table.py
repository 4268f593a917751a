"""The [load] table of ops.toml: what a profile may say, and how a wrong one is told."""

from pathlib import Path

import pytest

from harness.config import ConfigurationError, load
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
    with pytest.raises(ConfigurationError, match="known: none"):
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


def test_a_profile_must_say_how_many_answers_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="minimum_answers: is missing"):
        read(tmp_path, NIGHTLY.replace("minimum_answers = 300", ""))
