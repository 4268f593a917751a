import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.sandbox.client import SandboxClient
from harness.sandbox.faults import Fault, ForeignWriter, Match, ServerError
from harness.story import tell_story
from harness.targets import LocalTarget, RunningTarget
from tests.integration.parts import start_unlimited

STEPS = {"connect", "register", "orders", "products", "update", "strangers"}


@pytest.fixture(scope="module")
def local_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    """A server of these tests alone: a shared one may still look up writes of others, and meet a fault meant here."""
    with start_unlimited(tmp_path_factory.mktemp("story")) as target:
        yield target


def tell(folder: Path, target: RunningTarget) -> dict[str, Check]:
    run = Run(folder, SilentProgress(), target.target)
    tell_story(run, target)
    return {check.id: check for check in run.checks}


def failed(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.reason for name, check in checks.items() if check.status == "failed"}


def tell_with(folder: Path, target: LocalTarget, sandbox: SandboxClient, *faults: Fault) -> dict[str, str]:
    sandbox.set_faults(*faults)
    return failed(tell(folder, target))


def test_every_step_passes_in_both_eras(tmp_path: Path, local_target: LocalTarget) -> None:
    checks = tell(tmp_path, local_target)
    assert set(checks) == {f"story.{era}.{step}" for era in ("legacy", "modern") for step in STEPS}
    assert {check.status for check in checks.values()} == {"passed"}


def test_a_remote_target_is_only_read(tmp_path: Path, local_target: LocalTarget, sandbox: SandboxClient) -> None:
    remote = RunningTarget(target=local_target.target, token=local_target.token, store=local_target.store)
    since = sandbox.last_sequence()
    checks = tell(tmp_path, remote)
    writing = {"register", "update", "strangers"}
    assert {check.status for name, check in checks.items() if name.split(".")[2] in writing} == {"not_applicable"}
    assert {check.status for name, check in checks.items() if name.split(".")[2] not in writing} == {"passed"}
    assert {entry["method"] for entry in sandbox.journal(since)} <= {"GET"}


def test_an_upstream_that_fails_fails_the_step(
    tmp_path: Path, local_target: LocalTarget, sandbox: SandboxClient
) -> None:
    fault = ServerError(match=Match(path_prefix="/inventory-items"))
    reasons = tell_with(tmp_path, local_target, sandbox, fault)
    assert set(reasons) == {"story.legacy.products", "story.modern.products"}, str(reasons)
    assert "UPSTREAM_UNAVAILABLE" in reasons["story.modern.products"]


def test_a_change_that_nobody_asked_for_fails_the_update(
    tmp_path: Path, local_target: LocalTarget, sandbox: SandboxClient
) -> None:
    # Once while the order is read, once while it is updated.
    reasons = tell_with(tmp_path, local_target, sandbox, ForeignWriter(count=2))
    assert set(reasons) == {"story.legacy.update"}, str(reasons)
    assert "the upstream applied 2 changes, 1 was asked for" in reasons["story.legacy.update"]


def test_a_stranger_who_gets_in_fails_the_story(tmp_path: Path, local_target: LocalTarget) -> None:
    key = local_target.new_tenant("everybody")
    leaky = dataclasses.replace(local_target, new_tenant=lambda _: key)
    reasons = failed(tell(tmp_path, leaky))
    assert "another tenant got" in reasons["story.legacy.strangers"]
    assert "has stores" in reasons["story.modern.register"]


def test_an_order_that_cannot_be_read_leaves_later_steps_inconclusive(
    tmp_path: Path, local_target: LocalTarget, sandbox: SandboxClient
) -> None:
    sandbox.set_faults(ServerError(match=Match(path_prefix="/orders")))
    checks = tell(tmp_path, local_target)
    assert checks["story.modern.orders"].status == "failed"
    assert checks["story.modern.update"].status == "inconclusive"
    assert checks["story.modern.strangers"].status == "inconclusive"
