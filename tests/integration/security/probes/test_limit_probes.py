"""A probe of the limit passes nothing that it could not tell."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.allowance import allowance
from security.probe.limits.keys import keys
from security.probe.limits.neighbour import neighbour
from security.probe.limits.variants import variants
from security.probe.probe import Probe
from security.probe.site import RateLimit, Site
from tests.integration.security.probes.vulnerable_site import LIMIT, open_vulnerable

Open = Callable[..., Site]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Open]:
    """A vulnerable server with a limit and no way to make keys, as an operator's target is."""
    with ExitStack() as stack:

        def start(*holes: str, limit: RateLimit = LIMIT) -> Site:
            site = stack.enter_context(open_vulnerable(*holes, logs=tmp_path, limit=limit))
            return replace(site, keys=None)

        yield start


def ask(probe: Probe, site: Site) -> OpenCheck:
    check = OpenCheck(probe.id, probe.at_least)
    probe.ask(check, site)
    return check


@pytest.mark.parametrize("probe", [allowance, variants, neighbour], ids=lambda probe: probe.id)
def test_a_target_whose_keys_are_given_is_probed_too(limited: Open, probe: Probe) -> None:
    check = ask(probe, limited())
    assert check.examined >= probe.at_least
    assert check.findings == []


def test_without_a_limit_nothing_is_said_of_ways_around_it(limited: Open) -> None:
    with pytest.raises(Inconclusive, match=r"see limits\.allowance"):
        ask(variants, limited("no-limit"))


def test_a_limit_that_is_not_reached_is_not_passed(limited: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.probe.limits.exhausted.FLOOD_SECONDS", 0.3)
    with pytest.raises(Inconclusive, match="was not reached"):
        ask(allowance, limited(limit=RateLimit(per_minute=6_000_000, burst=1_000_000)))


def test_a_limit_that_is_smaller_than_was_said_is_told_by_its_refill(limited: Open) -> None:
    check = ask(allowance, replace(limited(), limit=RateLimit(per_minute=600, burst=100)))
    assert [finding.rule for finding in check.findings] == ["too-little"]


def test_without_a_second_key_the_question_stays_open(limited: Open) -> None:
    with pytest.raises(Inconclusive):
        ask(keys, limited())
