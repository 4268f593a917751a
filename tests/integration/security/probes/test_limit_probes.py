"""A probe of the limit passes nothing that it could not tell."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.allowance import allowance
from security.probe.limits.caller import calling
from security.probe.limits.exhausted import LINES, required_limit, use_up
from security.probe.limits.invalid import invalid
from security.probe.limits.keys import keys
from security.probe.limits.methods import methods
from security.probe.limits.neighbour import neighbour
from security.probe.limits.pipelining import pipelining
from security.probe.limits.sending import in_turn, opened
from security.probe.limits.spoofed_address import spoofed_address
from security.probe.limits.variants import variants
from security.probe.probe import Probe
from security.probe.site import RateLimit, Site
from tests.integration.security.probes.vulnerable_site import LIMIT, open_vulnerable

Open = Callable[..., Site]
QUICK = RateLimit(per_minute=1200, burst=60)


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


def drain(site: Site) -> Site:
    with calling(site, site, site.owner) as caller, opened(site, LINES) as lines:
        use_up(caller, required_limit(site), lines)
    return site


@pytest.mark.parametrize("probe", [allowance, variants, neighbour, invalid, pipelining], ids=lambda probe: probe.id)
def test_a_target_whose_keys_are_given_is_probed_too(limited: Open, probe: Probe) -> None:
    check = ask(probe, limited())
    assert check.examined >= probe.at_least
    assert check.findings == []


def test_without_a_limit_nothing_is_said_of_ways_around_it(limited: Open) -> None:
    with pytest.raises(Inconclusive, match=r"see limits\.allowance"):
        ask(variants, limited("no-limit"))


def test_a_limit_that_is_not_reached_is_not_passed(limited: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.probe.limits.exhausted.FLOOD_SECONDS", 0.3)
    monkeypatch.setattr("security.probe.limits.allowance.LONGEST_REST_SECONDS", 0)
    with pytest.raises(Inconclusive, match="was not reached"):
        ask(allowance, limited(limit=RateLimit(per_minute=6_000_000, burst=1_000_000)))


def test_a_limit_that_is_smaller_than_was_said_is_told_by_its_refill(
    limited: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.probe.limits.allowance.LONGEST_REST_SECONDS", 0)
    check = ask(allowance, replace(limited(), limit=RateLimit(per_minute=600, burst=100)))
    assert [finding.rule for finding in check.findings] == ["too-little"]


def test_without_a_second_key_the_question_stays_open(limited: Open) -> None:
    with pytest.raises(Inconclusive):
        ask(keys, limited())


@pytest.mark.parametrize("burst", [30, 60], ids=["twice-what-was-said", "as-was-said"])
def test_of_a_bucket_that_was_not_full_nothing_is_passed(
    burst: int, limited: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.probe.limits.allowance.LONGEST_REST_SECONDS", 0)
    site = replace(drain(limited(limit=QUICK)), limit=replace(QUICK, burst=burst))
    with pytest.raises(Inconclusive, match=rf"for {burst / 16:.0f} s, then --only limits\.allowance"):
        ask(allowance, site)


@pytest.mark.parametrize(("burst", "rules"), [(30, ["too-much"]), (60, []), (75, ["too-little"])])
def test_a_bucket_that_can_fill_while_the_probe_waits_is_judged(burst: int, rules: list[str], limited: Open) -> None:
    site = replace(drain(limited(limit=QUICK)), limit=replace(QUICK, burst=burst))
    assert [finding.rule for finding in ask(allowance, site).findings] == rules


def test_an_allowance_of_its_own_is_told_also_where_it_had_been_used_up(
    limited: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.probe.limits.spoofed_address.ADDRESSES", {"X-Real-IP": "{address}"})
    monkeypatch.setattr("security.probe.limits.spoofed_address._hosts", lambda _site: [])
    site = limited("limit-by-address", limit=RateLimit(per_minute=120, burst=6))
    with calling(site, site, site.owner) as caller, opened(site, 1) as (line,):
        for number in range(10, 22):
            in_turn(line, [caller.request(headers={"X-Real-IP": f"203.0.113.{number}"})] * 7)
    assert [finding.rule for finding in ask(spoofed_address, site).findings] == ["bypass"]


@pytest.mark.parametrize(("probe", "why"), [(pipelining, "none is served"), (methods, "was never answered")])
def test_where_no_token_came_back_nothing_is_said(probe: Probe, why: str, limited: Open) -> None:
    site = limited(limit=RateLimit(per_minute=60, burst=20))
    with pytest.raises(Inconclusive, match=why):
        ask(probe, replace(site, limit=RateLimit(per_minute=1200, burst=20)))
