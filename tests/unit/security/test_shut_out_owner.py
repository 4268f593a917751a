"""An owner is shut out where wrong keys did it for certain; what may be its tenant's own limit is not told as that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.authentication.door import Door, Told
from security.probe.authentication.owner import REFUSALS, Owner
from security.probe.site import RateLimit, Tenant

Answer = tuple[Told, float]
LET_IN, REFUSED, BROKEN = (Told.IN, 0.0), (Told.OUT, 0.0), (Told.BROKEN, 0.0)


def later(seconds: float) -> Answer:
    return Told.LATER, seconds


@dataclass
class ScriptedDoor:
    """Says what the script says."""

    script: list[Answer]
    limit: RateLimit | None = None
    site: SimpleNamespace = field(init=False)

    def __post_init__(self) -> None:
        self.site = SimpleNamespace(owner=Tenant("id.secret"), limit=self.limit)

    def hear(self, _authorization: bytes | None, _headers: Mapping[str, str] | None = None) -> Answer:
        return self.script.pop(0)


def owner_of(script: list[Answer], limit: RateLimit | None, *, is_alone: bool = False) -> tuple[Owner, list[float]]:
    slept: list[float] = []
    check = OpenCheck("authentication.brute-force", at_least=1)
    door = cast("Door", ScriptedDoor(script, limit))
    return Owner(check, door, is_alone=is_alone, sleep=slept.append), slept


@pytest.mark.parametrize(
    ("script", "waits"),
    [
        ([REFUSED], []),
        ([later(60), later(60)], [60]),
        ([later(60), REFUSED], [60]),
        ([later(1)] * REFUSALS, [1, 1]),
    ],
)
def test_who_is_refused_still_when_it_comes_back_as_asked_is_shut_out(script: list[Answer], waits: list[float]) -> None:
    owner, slept = owner_of(script, RateLimit(120, 240))
    assert not owner.enters(tries=10)
    assert [finding.rule for finding in owner.check.findings] == ["lockout"]
    assert slept == waits


def test_who_has_allowance_left_for_certain_is_shut_out_at_once() -> None:
    owner, slept = owner_of([later(1)], RateLimit(120, 240), is_alone=True)
    assert not owner.enters(tries=10)
    assert (len(owner.check.findings), slept) == (1, [])


@pytest.mark.parametrize(
    ("limit", "is_alone"), [(RateLimit(120, 240), False), (RateLimit(120, 5), True), (None, False)]
)
def test_who_is_let_in_when_its_tenants_limit_said_so_is_not_shut_out(
    limit: RateLimit | None, *, is_alone: bool
) -> None:
    owner, slept = owner_of([later(1), LET_IN], limit, is_alone=is_alone)
    assert owner.enters(tries=10)
    assert (owner.check.findings, slept, owner.waited) == ([], [1], 1)


@pytest.mark.parametrize("script", [[later(30), LET_IN], [later(61)]], ids=["too long for that limit", "too long"])
@pytest.mark.parametrize("limit", [RateLimit(120, 240), None], ids=["known limit", "unknown limit"])
def test_what_cannot_be_told_from_a_tenants_limit_is_inconclusive(
    script: list[Answer], limit: RateLimit | None
) -> None:
    owner, _ = owner_of(list(script), limit)
    with pytest.raises(Inconclusive, match="rate_limit_rpm"):
        owner.enters(tries=10)
    assert owner.check.findings == []


def test_a_broken_server_shuts_nobody_out() -> None:
    owner, _ = owner_of([BROKEN], None)
    with pytest.raises(Inconclusive, match="error of its own"):
        owner.enters(tries=10)
