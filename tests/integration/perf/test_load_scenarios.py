"""The scenarios of `./inv load` on real servers, small here and whole with --full, and servers that break them."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.collector import Run
from harness.config import load
from harness.progress import SilentProgress
from harness.repository import REPOSITORY
from harness.targets import start_local
from harness.verdict import CheckStatus
from perf.load.job import Options, Tool, choose_profile, measure_load
from perf.load.k6 import find_k6
from perf.load.model import LoadTable, Profile

FULL = "QUARTERMASTER_FULL" in os.environ
SMALL: dict[str, dict[str, Any]] = {
    "concurrent": {"users": 8, "seconds": 4, "think_milliseconds": 20, "minimum_answers": 100},
    "limits": {
        "minimum_answers": 250,
        "seconds": 15,
        "quiet_per_second": 22.0,
        "arrivals_per_second": 200.0,
        "refused_rate": None,
        "users": 20,
    },
    "cache": {"users": 4, "seconds": 4, "think_milliseconds": 10, "minimum_answers": 100},
    "pool": {"seconds": 3, "minimum_answers": 100},
}
OFTEN_ON_A_BUSY_MACHINE = {"bottleneck", "quiet.p95.beside=noise", "arrivals_dropped"}
"""What a machine that is busy with other tests decides: told by the full size alone."""


def profile_of(name: str, *, faults: bool = False) -> Profile:
    """The profile of the repository's ops.toml, small unless the run is a full one."""
    table = load(REPOSITORY / "ops.toml", {"load": LoadTable}).table("load", LoadTable)
    profile = choose_profile(Options(name, faults=faults), table)
    if FULL:
        return profile
    return profile.model_copy(update={**({} if faults else SMALL[name]), "p95_milliseconds": {}})


def checks_of(profile: Profile, folder: Path, python: Path | None = None, **settings: str) -> dict[str, CheckStatus]:
    """The checks of a run on a server of its own; `settings` or the interpreter that serves spoil the server."""
    run = Run(folder, SilentProgress())
    given = {"RATE_LIMIT_RPM": "1000000", **profile.server, **settings}
    stores = 2 if profile.scenario == "limits" else 1
    with start_local(logs=folder / "logs", environ=os.environ, settings=given, stores=stores, python=python) as target:
        measure_load(run, target, profile, environ=os.environ, tool=Tool(find_k6()))
    return {check.id: check.status for check in run.checks}


def not_passed(checks: dict[str, CheckStatus]) -> set[str]:
    """The checks that did not pass, but those that a busy machine decides."""
    return {
        check
        for check, status in checks.items()
        if status is not CheckStatus.PASSED and (FULL or check not in OFTEN_ON_A_BUSY_MACHINE)
    }


# The scenario concurrent is a mix, which other tests send: whole it shows more.
@pytest.mark.parametrize("name", SMALL if FULL else [name for name in SMALL if name != "concurrent"])
def test_a_scenario_holds(name: str, tmp_path: Path) -> None:
    assert not_passed(checks_of(profile_of(name), tmp_path)) == set()


def test_a_limit_that_is_none_is_found(tmp_path: Path) -> None:
    checks = checks_of(profile_of("limits"), tmp_path, RATE_LIMIT_RPM="1000000")

    assert checks["limit_holds"] is CheckStatus.INCONCLUSIVE  # nothing was refused: the limit was not reached


@pytest.mark.parametrize(("told", "broken"), [("0", "wait_is_true"), ("math.ceil(seconds) + 5", "content")])
def test_a_refusal_that_tells_a_wrong_time_to_wait_is_found(told: str, broken: str, tmp_path: Path) -> None:
    spoilt = f"import math, server.limits\nserver.limits.retry_after = lambda seconds: {told}\n"
    (tmp_path / "sitecustomize.py").write_text(spoilt, encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}:{REPOSITORY} exec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)

    checks = checks_of(profile_of("limits"), tmp_path, python)

    assert (checks[broken], checks["content"]) == (CheckStatus.FAILED, CheckStatus.FAILED)
    assert checks["limit_holds"] is CheckStatus.PASSED


def test_a_cache_that_keeps_too_long_is_found(tmp_path: Path) -> None:
    checks = checks_of(profile_of("cache"), tmp_path, CACHE_TTL_ORDERS_SECONDS="60")

    assert checks["content_is_true"] is CheckStatus.FAILED


def test_a_cache_that_keeps_nothing_is_found(tmp_path: Path) -> None:
    checks = checks_of(
        profile_of("cache").model_copy(update={"minimum_answers": 10}), tmp_path, CACHE_TTL_ORDERS_SECONDS="0"
    )

    assert checks["stampede"] is CheckStatus.FAILED
    assert checks["cache_hits"] is CheckStatus.FAILED


# Half a minute each: the shortest stands for the others.
@pytest.mark.parametrize("name", SMALL if FULL else ["pool"])
def test_a_fault_degrades_a_scenario_and_is_recovered_from(name: str, tmp_path: Path) -> None:
    assert not_passed(checks_of(profile_of(name, faults=True), tmp_path)) == set()
