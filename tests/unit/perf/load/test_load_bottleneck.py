"""What limited a load, told from its samples."""

import math
from typing import Any

import pytest

from perf.load.bottleneck import find_bottleneck
from perf.load.windows import Window

QUIET: dict[str, Any] = {
    "requests": 100.0,
    "failed": 0.0,
    "dropped": 0.0,
    "users": 10.0,
    "p95_milliseconds": 10.0,
    "generator_cpu": 0.2,
    "machine_cpu": 0.6,
    "server_cpu": 0.3,
    "probe_milliseconds": 2.0,
    "loop_lag_milliseconds": 1.0,
    "pool_in_use": 1.0,
    "pool_waiting": 0.0,
    "upstream_calls": 1.0,
    "upstream_refusals": 0.0,
}


def windows(count: int = 10, /, **changed: float) -> list[Window]:
    return [Window(at=float(second), **{**QUIET, **changed}) for second in range(1, count + 1)]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "none"),
        ({"server_cpu": 0.95}, "server CPU"),
        ({"generator_cpu": 1.6}, "generator"),
        ({"pool_waiting": 3.0, "pool_in_use": 5.0}, "database pool"),
        ({"upstream_calls": 4.9}, "upstream bucket"),  # 20 and 3 a second: 50 within ten seconds
        ({"upstream_calls": 4.0}, "none"),
        ({"upstream_refusals": 1.0}, "upstream bucket"),
        ({"machine_cpu": 1.95}, "other processes"),
        ({"machine_cpu": 1.95, "generator_cpu": 0.9, "server_cpu": 0.95}, "server CPU"),
        ({"probe_milliseconds": 80.0}, "event loop"),
        ({"loop_lag_milliseconds": 100.0}, "event loop"),
        ({"loop_lag_milliseconds": 100.0, "probe_milliseconds": math.nan}, "event loop"),
        ({"dropped": 10.0}, "generator"),
    ],
)
def test_what_is_used_up_is_named(changed: dict[str, float], name: str) -> None:
    found = find_bottleneck(windows(**changed), cores=2)

    assert found
    assert found.name == name


def test_who_waits_for_a_cpu_that_is_used_up_is_not_the_cause() -> None:
    found = find_bottleneck(windows(server_cpu=0.97, pool_waiting=9.0, probe_milliseconds=300.0), cores=4)

    assert found
    assert found.name == "server CPU"
    assert "0.97" in found.evidence


def test_arrivals_that_a_busy_server_let_wait_are_no_fault_of_the_generator() -> None:
    found = find_bottleneck(windows(server_cpu=0.95, dropped=10.0), cores=4)

    assert found
    assert found.name == "server CPU"


def test_the_evidence_of_no_bottleneck_is_of_what_was_closest() -> None:
    found = find_bottleneck(windows(server_cpu=0.8), cores=2)

    assert found
    assert found.name == "none"
    assert "the server took 0.80" in found.evidence


def test_a_ramp_is_judged_by_its_busier_half() -> None:
    ramp = [Window(at=float(second), **{**QUIET, "server_cpu": second / 10}) for second in range(11)]
    found = find_bottleneck([*ramp, *windows(10, server_cpu=0.96)], cores=4)

    assert found
    assert found.name == "server CPU"


def test_one_busy_second_is_no_rule() -> None:
    found = find_bottleneck([*windows(9), *windows(1, server_cpu=1.0)], cores=2)

    assert found
    assert found.name == "none"


def test_a_server_elsewhere_is_told_by_what_the_generator_shows() -> None:
    unknown = dict.fromkeys(
        ("server_cpu", "pool_waiting", "upstream_calls", "upstream_refusals", "pool_in_use", "loop_lag_milliseconds"),
        math.nan,
    )
    found = find_bottleneck(windows(**unknown), cores=2)

    assert found
    assert [each.name for each in found.resources] == ["other processes", "generator", "event loop"]


def test_arrivals_that_are_gone_when_users_are_counted_were_a_load_all_the_same() -> None:
    found = find_bottleneck(windows(users=0.0, iterations=100.0, server_cpu=0.95), cores=4)

    assert found
    assert found.name == "server CPU"
    assert find_bottleneck(windows(users=0.0, server_cpu=0.95), cores=4) is None


def test_too_few_seconds_tell_nothing() -> None:
    assert find_bottleneck(windows(2), cores=2) is None
