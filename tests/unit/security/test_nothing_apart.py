"""Tenants are called apart, or having nothing to keep apart, only where that can be told."""

import random
from typing import cast

import pytest

from harness.client import Client
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import SampleCall, Samples
from security.probe.isolation.judging import require_refusal
from security.probe.isolation.neighbours import Neighbours, Party, nothing_apart
from security.probe.isolation.private import Private
from security.probe.site import Tenant

NONE = Private(frozenset())


def told(answer: str) -> Neighbours:
    """Two tenants of whom the owner was told this, and nothing that only it may see."""
    samples = Samples({"things_list": SampleCall({"name": "things_list"}, {}, answer)})
    party = Party(Tenant("an-id.a-secret"), cast("Client", None), samples)
    return Neighbours(party, party, NONE, NONE, (), random.Random(1))


def test_who_is_told_nothing_of_its_own_has_nothing_to_keep_apart() -> None:
    assert "nothing to keep apart" in nothing_apart(told('{"time": "12:00", "count": 3}'))


@pytest.mark.parametrize("identity", ["7", '"7"', '"a-1"'])
def test_ids_that_are_too_short_to_be_told_apart_leave_the_question_open(identity: str) -> None:
    with pytest.raises(Inconclusive, match="so short"):
        nothing_apart(told(f'{{"things": [{{"id": {identity}}}]}}'))


def test_ids_that_both_are_told_leave_it_open_too() -> None:
    with pytest.raises(Inconclusive, match="the same ids"):
        nothing_apart(told('{"things": [{"id": "10000039"}]}'))


def test_without_a_refusal_nobody_is_kept_out() -> None:
    check = OpenCheck("isolation.tools", 1)
    require_refusal(check, 1)
    with pytest.raises(Inconclusive, match="refused to the stranger"):
        require_refusal(check, 0)
