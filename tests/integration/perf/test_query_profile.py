"""`./inv profile.queries` on a small database: it passes, and each gate finds what is planted for it."""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.repository import REPOSITORY
from perf.queries.job import profile_queries
from perf.queries.workload import Planting

SMALL = """
[profile.queries]
tenants = 20
stores = 200
audit_rows = 2_000
writes = 400
large_rows = 100
repeats = 5
"""
# What a server does that asks for each of a tenant's stores by itself, as often as there may be some.
REPEATING = """
import server.tenancy.stores as stores
load = stores.Stores._load
async def repeating(self, tenant_id):
    for _ in range(9):
        await load(self, tenant_id)
    return await load(self, tenant_id)
stores.Stores._load = repeating
"""

Profile = Callable[[Planting | None], tuple[int, Mapping[str, dict[str, Any]]]]


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Run the job; returns its exit code and its checks by id."""
    (tmp_path / "ops.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "waivers.toml").write_text("", encoding="utf-8")

    def run(planting: Planting | None) -> tuple[int, Mapping[str, dict[str, Any]]]:
        code = profile_queries(repository=tmp_path, environ=os.environ, planting=planting)
        record = json.loads((tmp_path / "reports" / "latest-profile.queries" / "record.json").read_text("utf-8"))
        return code, {check["id"]: check for check in record["checks"]}

    return run


def statuses(checks: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items()}


def altering(*statements: str) -> Planting:
    def alter(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return Planting(database=alter)


def test_the_server_passes(profile: Profile) -> None:
    code, checks = profile(None)
    assert statuses(checks) == {
        "workload": "passed",
        "whole_tables": "skipped",
        "scans": "passed",
        "repeated": "passed",
        "unused_indexes": "passed",
        "unindexed": "passed",
    }
    assert code == 0
    assert checks["workload"]["examined"] == 36


def test_a_missing_index_and_a_needless_one_are_found(profile: Profile) -> None:
    needless = "CREATE INDEX ix_audit_duration_ms ON audit (duration_ms)"
    code, checks = profile(altering("DROP INDEX ix_audit_write_id", needless))
    assert code == 1
    found = statuses(checks)
    assert (found["scans"], found["unindexed"], found["unused_indexes"]) == ("failed", "failed", "failed")
    assert [each["location"] for each in checks["unindexed"]["findings"]] == ["audit"]
    assert ["ix_audit_duration_ms" in each["message"] for each in checks["unused_indexes"]["findings"]] == [True]
    assert found["repeated"] == "passed"


def test_a_request_that_repeats_itself_is_found(profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REPEATING, encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}:{REPOSITORY} exec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    code, checks = profile(Planting(python=python))
    assert code == 1
    assert statuses(checks)["repeated"] == "failed"
    (found,) = checks["repeated"]["findings"]
    assert "FROM stores WHERE stores.tenant_id = ?" in found["message"]


def test_a_table_that_nobody_reaches_leaves_it_inconclusive(profile: Profile) -> None:
    code, checks = profile(altering("CREATE TABLE forgotten (id INTEGER PRIMARY KEY)"))
    assert code == 3
    assert statuses(checks)["unused_indexes"] == "inconclusive"
    assert "the table forgotten stayed empty" in checks["workload"]["reason"]
