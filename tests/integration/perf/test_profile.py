"""`./inv profile` on a real server with real k6 and py-spy: what it finds, and what must never look like a profile."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.targets import LocalTarget, start_local
from harness.verdict import CheckStatus
from perf.errors import PerfError
from perf.load.k6 import find_k6
from perf.profiling.job import profile
from perf.profiling.model import SamplingTable
from perf.profiling.sampling import SETTINGS, Programs, sample_under_load
from perf.profiling.spy import Look, find_py_spy, record
from perf.profiling.stacks import frames, parse

REAL = Programs(find_k6(), find_py_spy())
SHORT = SamplingTable(users=2, seconds=1, minimum_samples=20)
SMALL = """
[profile.sampling]
users = 4
seconds = 4
minimum_samples = 50
[profile.tools]
calls = 3
"""
EVERY_CALL = "Registry.call (server/tools/registry.py"

Sample = Callable[..., Mapping[str, Check]]


@pytest.fixture
def sample(tmp_path: Path, start_cached: LocalTarget) -> Sample:
    """Look into the server; returns the checks by id."""

    def look(table: SamplingTable = SHORT, programs: Programs = REAL) -> Mapping[str, Check]:
        run = Run(tmp_path, SilentProgress())
        sample_under_load(run, start_cached, table, programs, os.environ)
        return {check.id: check for check in run.checks}

    return look


@pytest.fixture(scope="module")
def start_cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    logs = tmp_path_factory.mktemp("profiled")
    with start_local(logs=logs, environ=os.environ, settings=SETTINGS) as target:
        yield target


def test_a_whole_profile_has_stacks_a_flame_graph_and_every_tool(tmp_path: Path) -> None:
    (tmp_path / "ops.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "waivers.toml").write_text("", encoding="utf-8")
    code = profile(repository=tmp_path, environ=os.environ)
    folder = tmp_path / "reports" / "latest-profile"
    written: Mapping[str, Any] = json.loads((folder / "record.json").read_text("utf-8"))
    checks = {check["id"]: check for check in written["checks"]}
    # So few calls of each tool, for the test to be quick, are told and not enough for a p95.
    told = {name: check["reason"] for name, check in checks.items() if check["status"] != "passed"}
    assert told == {"tools": "a p95 stands on 100 calls, not on 3: [profile.tools] calls"}
    assert list(checks) == ["stacks", "flame_graph", "traffic", "tools"]
    assert code == 3

    found = {frame.name: frame for frame in frames(parse((folder / "stacks.txt").read_text("utf-8")))}
    (every_call,) = (frame for name, frame in found.items() if name.startswith(EVERY_CALL))
    assert 0.05 < every_call.total < 1
    assert any("server/edge/layer.py" in line for line in checks["stacks"]["evidence"])

    graph = ET.fromstring((folder / "flame-graph.svg").read_text("utf-8"))  # a file that a browser takes
    namespace = "{http://www.w3.org/2000/svg}"
    titles = [title.text or "" for title in graph.iter(f"{namespace}title")]
    assert any(title.startswith(EVERY_CALL) for title in titles)
    reached = [value for each in graph.iter() for name, value in each.attrib.items() if name.endswith(("href", "src"))]
    assert [value for value in reached if value.startswith("http")] == []  # and that needs no other file

    ranked = [line for line in checks["tools"]["evidence"] if not line.startswith("why ")]
    assert len(ranked) == 36
    assert len(checks["tools"]["evidence"]) == 36 + 5
    assert checks["tools"]["examined"] == 36 * 3
    upstream = {
        each["labels"]["tool"]: each["value"]
        for each in written["measurements"]
        if each["name"] == "tool_upstream_calls"
    }
    # Nothing is cached: a read asks once, an update fetches and puts, and what is the server's own asks nobody.
    assert upstream["orders_get"] == 1
    assert upstream["orders_update"] >= 2
    assert upstream["stores_list"] == 0
    processor = [each["value"] for each in written["measurements"] if each["name"] == "tool_processor"]
    assert len(processor) == 36
    assert min(processor) > 0


def test_too_few_samples_are_no_profile(sample: Sample) -> None:
    checks = sample(SamplingTable(users=2, seconds=1, minimum_samples=100_000))
    assert {name: check.status for name, check in checks.items()} == {
        "stacks": CheckStatus.INCONCLUSIVE,
        "flame_graph": CheckStatus.INCONCLUSIVE,
        "traffic": CheckStatus.PASSED,
    }
    assert "100000 needed" in checks["stacks"].reason


def test_a_missing_py_spy_is_told_at_once(sample: Sample, tmp_path: Path) -> None:
    checks = sample(programs=Programs(find_k6(), tmp_path / "py-spy"))
    assert [(check.id, check.status) for check in checks.values()] == [("stacks", CheckStatus.INCONCLUSIVE)]
    assert "py-spy is missing" in checks["stacks"].reason


def test_a_missing_k6_is_told(sample: Sample, tmp_path: Path) -> None:
    checks = sample(programs=Programs(tmp_path / "k6", find_py_spy()))
    assert {check.status for check in checks.values()} == {CheckStatus.INCONCLUSIVE}
    assert "k6 is missing" in checks["stacks"].reason


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Permission Denied: Try running again with elevated permissions' >&2; exit 1", "yama.ptrace_scope"),
        ("printf 'Error: Failed to find it\\n\\nCaused by:\\n  0: this\\n' >&2; exit 1", "py-spy: Failed to find it"),
        ("exit 0", "py-spy left nothing"),
    ],
)
def test_a_py_spy_that_sees_nothing_says_why_in_a_line(tmp_path: Path, script: str, reason: str) -> None:
    program = tmp_path / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    look = Look(pid=os.getpid(), seconds=1, rate=10)
    with pytest.raises(PerfError, match=reason):
        record(program, look, tmp_path / "stacks.txt", "raw", logs=tmp_path / "logs", environ=os.environ)


def test_a_server_that_is_down_is_no_profile(tmp_path: Path) -> None:
    with start_local(logs=tmp_path / "logs", environ=os.environ, settings=SETTINGS) as target:
        target.server.stop()
        run = Run(tmp_path, SilentProgress())
        sample_under_load(run, target, SHORT, REAL, os.environ)
    assert {check.status for check in run.checks} == {CheckStatus.INCONCLUSIVE}
    assert [check.id for check in run.checks] == ["stacks", "flame_graph", "traffic"]
