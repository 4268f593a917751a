"""Ratings of service units are believed only beside those of a bare and of a hardened unit."""

import pytest

from harness.errors import Inconclusive
from security.scan.scanner import Judgement, Output
from security.scan.unit_files import Unit
from security.scan.units import BARE, HARDENED, Given, judge

SHOP = Unit("shop.service", "[Service]\nExecStart=/shop\n", {})
ROW = "✗ PrivateNetwork=          Service has access to the host's network          0.5\n"


def total(number: int, exposure: float) -> str:
    """The line after a unit's table."""
    return f"\n→ Overall exposure level for unit{number}.service: {exposure} OK :-)\n"


def judged(stdout: str, exit_code: int = 0) -> Judgement:
    """What an output on one unit comes to, of which 3.0 is allowed."""
    return judge(Output(exit_code, stdout, ""), Given({0: BARE, 1: HARDENED, 2: SHOP}, {}), 3.0)


def test_each_table_is_its_own_units() -> None:
    judgement = judged(ROW + total(0, 9.6) + total(1, 0.4) + ROW + ROW + total(2, 3.1))
    assert judgement.canary_seen
    assert [found.message for found in judgement.findings] == [
        "systemd rates its exposure 3.1 of 10, allowed is 3.0; most of it by PrivateNetwork= (1.0)"
    ]


@pytest.mark.parametrize(
    "planted",
    [
        total(1, 0.4),
        ROW + total(0, 9.6),
        ROW + total(0, 3.0) + total(1, 0.4),
        total(0, 9.6) + total(1, 0.4),
        ROW + total(0, 9.6) + total(1, 2.4),
    ],
    ids=["no bare one", "no hardened one", "a mild bare one", "no row", "a bad hardened one"],
)
def test_without_both_planted_units_as_they_must_be_it_would_miss_others(planted: str) -> None:
    assert not judged(planted + total(2, 1.0)).canary_seen


@pytest.mark.parametrize("stdout", [total(3, 1.0), total(2, 1.0) + total(2, 1.0), ROW], ids=["other", "twice", "none"])
def test_ratings_that_were_not_asked_for_are_no_evidence(stdout: str) -> None:
    with pytest.raises(Inconclusive, match="has not the form it must have"):
        judged(stdout)
