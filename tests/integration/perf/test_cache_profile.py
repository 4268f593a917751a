"""`./inv profile.cache` on real servers, small: the server as it is, and those that break a gate."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.repository import REPOSITORY
from harness.sandbox.client import SandboxClient
from harness.verdict import CheckStatus
from perf.caching.job import measure_staleness, profile_cache
from perf.caching.memory import measure_memory
from perf.caching.model import CacheTable, MemoryTable
from perf.caching.settings import living

SMALL = """
[profile.cache]
seconds_to_live = [2]
warm_up_seconds = 0
seconds = 5
reads_per_second = 40
writes_per_second = 3
changes_per_second = 8
minimum_answers = 3
[profile.cache.memory]
max_bytes = 2_000_000
times = 4
"""
TABLE = CacheTable(
    warm_up_seconds=0,
    seconds=4,
    reads_per_second=40,
    writes_per_second=3,
    changes_per_second=8,
    minimum_answers=1,
)
MEMORY = MemoryTable(max_bytes=2_000_000, times=4)
IGNORES_WRITES = "Cache.invalidate = lambda *_: None"
NEVER_EXPIRES = """
keep = Cache._keep
Cache._keep = lambda self, key, value, expires: keep(self, key, value, expires + 3600)
"""
NEVER_EVICTS = """
begin = Cache.__init__
Cache.__init__ = lambda self, _, metrics: begin(self, 1 << 40, metrics)
"""
Spoil = Callable[[str], Path]


@pytest.fixture
def spoil(tmp_path: Path) -> Spoil:
    """An interpreter whose servers have a cache that is broken on purpose."""

    def make(code: str) -> Path:
        (tmp_path / "sitecustomize.py").write_text(f"from server.cache import Cache\n{code}\n", encoding="utf-8")
        python = tmp_path / "python"
        path = f"{tmp_path}:{REPOSITORY}"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        return python

    return make


def staleness(folder: Path, python: Path | None = None) -> dict[str, tuple[CheckStatus, str]]:
    """The checks of the workload on small servers, with their reasons."""
    run = Run(folder, SilentProgress())
    measure_staleness(run, TABLE, {"1 s": living(1)}, os.environ, python)
    return {check.id: (check.status, check.reason) for check in run.checks}


def test_the_server_passes_and_its_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ops.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "waivers.toml").write_text("", encoding="utf-8")
    code = profile_cache(repository=tmp_path, environ=os.environ)
    record: Mapping[str, Any] = json.loads(
        (tmp_path / "reports" / "latest-profile.cache" / "record.json").read_text("utf-8")
    )
    statuses = {check["id"]: check["status"] for check in record["checks"]}
    assert statuses == dict.fromkeys(("answers", "age", "own_writes", "table", "memory"), "passed")
    assert code == 0
    figures = {
        (each["name"], each["labels"]["tool"], each["labels"]["seconds_to_live"]): each["value"]
        for each in record["measurements"]
        if "tool" in each["labels"]
    }
    for arm in ("default", "2 s"):
        assert 0.1 < figures["hit_rate", "orders_get", arm] < 0.9
        # What was not asked of OrderDesk came from the cache, or from a call that another one waited for.
        saved = 1 - figures["upstream_calls", "orders_get", arm]
        assert saved == pytest.approx(figures["hit_rate", "orders_get", arm], abs=0.1)
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("orders_get") for line in printed) == 2


def test_a_server_that_keeps_what_it_has_written_over_is_found(tmp_path: Path, spoil: Spoil) -> None:
    found = staleness(tmp_path, spoil(IGNORES_WRITES))
    assert found["own_writes"][0] is CheckStatus.FAILED
    assert "answered what a write before it had replaced" in found["own_writes"][1]
    assert found["age"][0] is CheckStatus.PASSED


def test_a_server_whose_entries_do_not_expire_is_found(tmp_path: Path, spoil: Spoil) -> None:
    found = staleness(tmp_path, spoil(NEVER_EXPIRES))
    assert found["age"][0] is CheckStatus.FAILED
    assert "1.00 allowed" in found["age"][1]
    assert found["own_writes"][0] is CheckStatus.PASSED


def test_a_journal_that_is_lost_leaves_it_inconclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = SandboxClient.journal

    def lose(self: SandboxClient, since: int = 0) -> list[dict[str, Any]]:
        self.clear_journal()
        return read(self, since)

    monkeypatch.setattr(SandboxClient, "journal", lose)
    found = staleness(tmp_path)
    assert list(found) == ["answers"]
    assert found["answers"][0] is CheckStatus.INCONCLUSIVE
    assert "journal entries after" in found["answers"][1]


def test_a_cache_without_a_bound_is_found(tmp_path: Path, spoil: Spoil) -> None:
    run = Run(tmp_path, SilentProgress())
    measure_memory(run, MEMORY, os.environ, spoil(NEVER_EVICTS))
    (check,) = run.checks
    assert check.status is CheckStatus.FAILED
    assert [reason.split(" ", 1)[1] for reason in check.failures] == [
        "bytes were held",
        "memory grew by more than the bound when the cache was full",
    ]
