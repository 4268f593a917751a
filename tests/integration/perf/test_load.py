"""`./inv load` against real servers with the real k6: what passes, what fails, and what must never look green."""

import dataclasses
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from harness.collector import Run
from harness.errors import UsageError
from harness.progress import SilentProgress
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from harness.verdict import CheckStatus
from perf.load.job import Options, Tool, measure_load, run_load
from perf.load.k6 import MIX, find_k6
from perf.load.model import Profile
from tests.integration.parts import StartTarget, start_unlimited
from tests.integration.security.foreign.foreign_servers import Foreign, start_foreign

TOKEN = "LOAD_TARGET_TOKEN"
PROFILE = {
    "users": "4",
    "seconds": "2",
    "think_milliseconds": "20",
    "mix": "{ cached_read = 59, protocol = 40, update = 1 }",
    "minimum_answers": "100",
}

Load = Callable[..., int]


@pytest.fixture(scope="module")
def local_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    """A server of its own: load changes orders."""
    with start_unlimited(tmp_path_factory.mktemp("loaded")) as target:
        yield target


@pytest.fixture
def load(tmp_path: Path, local_target: LocalTarget) -> Load:
    """Run a load on the shared server as if it were a remote one; keywords change lines of its profile."""

    def run(
        target: str = "here",
        *,
        url: str = "",
        production: bool = False,
        allow_production: str = "",
        script: Path = MIX,
        **changed: str,
    ) -> int:
        lines = [f"{name} = {value}" for name, value in {**PROFILE, **changed}.items()]
        place = [f'url = "{url or local_target.url}"', f'token_env = "{TOKEN}"', f'store = "{local_target.store}"']
        table = ["[load.profiles.small]", *lines, "[targets.here]", *place]
        table.append(f"production = {str(production).lower()}")
        (tmp_path / "ops.toml").write_text("\n".join(table), encoding="utf-8")
        return run_load(
            Options("small", target, allow_production),
            repository=tmp_path,
            environ={**os.environ, TOKEN: str(local_target.token)},
            tool=Tool(find_k6(), script),
        )

    return run


def record(folder: Path) -> dict[str, dict[str, str]]:
    """The checks of the run that was recorded, by id."""
    (path,) = folder.glob("reports/2*/record.json")
    return {check["id"]: check for check in json.loads(path.read_bytes())["checks"]}


def test_a_load_that_is_answered_passes_and_keeps_no_token(
    load: Load, tmp_path: Path, local_target: LocalTarget
) -> None:
    assert load(p95_milliseconds="{ cached_read = 5000, protocol = 5000 }") == 0

    checks = record(tmp_path)
    assert {check["status"] for check in checks.values()} == {"passed", "not_applicable"}  # its /metrics are closed
    assert {"traffic", "content", "requests_failed", "duration.p95.kind=cached_read", "thresholds"} <= set(checks)
    kept = [path for path in tmp_path.rglob("reports/**/*") if path.is_file()]
    assert any(path.name == "k6-summary.json" for path in kept)
    assert [path for path in kept if str(local_target.token).encode() in path.read_bytes()] == []


def test_an_impossible_limit_fails(load: Load, tmp_path: Path) -> None:
    assert load(p95_milliseconds="{ cached_read = 0 }") == 1
    assert record(tmp_path)["duration.p95.kind=cached_read"]["status"] == "failed"


def test_too_few_answers_are_inconclusive(load: Load, tmp_path: Path) -> None:
    assert load(minimum_answers="100000") == 3
    assert record(tmp_path)["traffic"]["status"] == "inconclusive"


def test_a_limit_on_what_hardly_ever_happened_is_inconclusive(load: Load, tmp_path: Path) -> None:
    assert load(mix="{ cached_read = 1 }", p95_milliseconds="{ uncached_read = 5000 }") == 3
    assert record(tmp_path)["duration.p95.kind=uncached_read"]["status"] == "inconclusive"


def test_a_script_whose_every_iteration_throws_is_inconclusive(load: Load, tmp_path: Path) -> None:
    script = tmp_path / "throwing.js"
    script.write_text(
        f"export {{ options, handleSummary }} from '{MIX}';\n"
        "export default function () { throw new Error('on purpose'); }\n",
        encoding="utf-8",
    )

    assert load(script=script, seconds="1") == 3
    assert record(tmp_path)["traffic"]["reason"] == "examined 0, at least 100 needed"


def test_a_server_that_is_down_is_inconclusive(load: Load, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert load(url=f"http://127.0.0.1:{unused.getsockname()[1]}/mcp") == 3
    assert "cannot be reached" in record(tmp_path)["run"]["reason"]


def test_a_server_that_went_down_before_the_load_is_inconclusive(local_target: LocalTarget, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = local_target.target.model_copy(update={"url": f"http://127.0.0.1:{unused.getsockname()[1]}/mcp"})
        run = Run(tmp_path, SilentProgress())
        profile = Profile(users=2, seconds=1, minimum_answers=10)
        target = dataclasses.replace(local_target, target=gone)
        measure_load(run, target, profile, environ=os.environ, tool=Tool(find_k6()))

    assert [(check.id, check.status) for check in run.checks] == [("traffic", CheckStatus.INCONCLUSIVE)]
    assert "no orders or no products" in run.checks[0].reason


def signal_amid_load(target: LocalTarget, number: signal.Signals) -> None:
    """Send the server a signal once 200 requests were answered."""
    log = target.server.stderr
    deadline = time.monotonic() + 20
    while log.read_bytes().count(b'"http.request"') < 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(target.server.pid, number)


def test_a_server_that_dies_under_load_fails(start_target: StartTarget, tmp_path: Path) -> None:
    target = start_target(settings={"RATE_LIMIT_RPM": "1000000"})
    run = Run(tmp_path / "run", SilentProgress())
    profile = Profile(users=4, seconds=4, think_milliseconds=5, minimum_answers=50)

    thread = threading.Thread(target=signal_amid_load, args=(target, signal.SIGKILL))
    thread.start()
    measure_load(run, target, profile, environ=os.environ, tool=Tool(find_k6()))
    thread.join()

    assert {check.id: check.status for check in run.checks}["requests_failed"] is CheckStatus.FAILED


def test_a_load_that_nobody_answers_any_more_ends_early_and_fails(start_target: StartTarget, tmp_path: Path) -> None:
    target = start_target(settings={"RATE_LIMIT_RPM": "1000000"})
    run = Run(tmp_path / "run", SilentProgress())
    profile = Profile(users=4, seconds=120, think_milliseconds=5, minimum_answers=50)

    thread = threading.Thread(target=signal_amid_load, args=(target, signal.SIGSTOP))
    began = time.monotonic()
    thread.start()
    try:
        measure_load(run, target, profile, environ=os.environ, tool=Tool(find_k6()))
    finally:
        thread.join()
        os.kill(target.server.pid, signal.SIGCONT)

    assert time.monotonic() - began < 60
    (early,) = [check for check in run.checks if check.id == "comes_to_its_end"]
    assert early.status is CheckStatus.FAILED
    assert "nobody answered for" in early.reason


def test_metrics_that_cannot_be_read_are_inconclusive(local_target: LocalTarget, tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    profile = Profile(users=2, seconds=3, think_milliseconds=20, minimum_answers=50)
    closed = dataclasses.replace(local_target, admin_token="not the operator's")
    measure_load(run, closed, profile, environ=os.environ, tool=Tool(find_k6()))

    (samples,) = [check for check in run.checks if check.id == "samples"]
    assert samples.status is CheckStatus.INCONCLUSIVE
    assert "db_pool_waiting" in samples.reason


def test_server_and_generator_are_seen_on_one_axis_of_time(local_target: LocalTarget, tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    profile = Profile(users=2, seconds=6, think_milliseconds=20, minimum_answers=50)
    measure_load(run, local_target, profile, environ=os.environ, tool=Tool(find_k6()))

    names = {each.name for each in run.series}
    assert {"requests", "users", "p95", "server CPU", "k6 CPU", "server memory", "cache hits"} <= names
    windows = json.loads((tmp_path / "series.json").read_bytes())["windows"]
    assert len(windows) >= 3
    answers = sum(after["requests"] * (after["at"] - before["at"]) for before, after in pairwise(windows))
    assert answers > 50
    (bottleneck,) = [check for check in run.checks if check.id == "bottleneck"]
    assert any("server CPU" in line for line in bottleneck.evidence)


@pytest.mark.parametrize(
    "changed",
    [
        {"stages": "[{ users = 6, seconds = 2 }, { users = 1, seconds = 1 }]", "seconds": "3"},
        {"arrivals_per_second": "60", "users": "20"},
        {
            "mix": "{ tool = 9, protocol = 1 }",
            "tool": '{ name = "orders_list", arguments = { limit = 3 }, expects = "pagination" }',
            "p95_milliseconds": "{ tool = 5000 }",
        },
    ],
    ids=["stages", "arrivals", "tool"],
)
def test_a_profile_says_who_sends_what(load: Load, tmp_path: Path, changed: dict[str, str]) -> None:
    assert load(**changed) == 0
    assert {check["status"] for check in record(tmp_path).values()} <= {"passed", "not_applicable"}


@pytest.mark.parametrize("stateless", [True, False], ids=["without-sessions", "with-sessions"])
def test_any_server_is_loaded_with_the_tool_that_the_profile_names(tmp_path: Path, *, stateless: bool) -> None:
    profile = ["[load.profiles.notes]", "users = 3", "seconds = 2", "think_milliseconds = 20", "minimum_answers = 30"]
    profile += ["mix = { tool = 2, protocol = 1 }", 'tool = { name = "notes_summary", expects = "letters" }']
    foreign = Foreign("sdk", keys=False, stateless=stateless, legacy=True)
    with start_foreign(foreign, logs=tmp_path / "logs") as url:
        lines = [*profile, "[targets.here]", f'url = "{url}"']
        (tmp_path / "ops.toml").write_text("\n".join(lines), encoding="utf-8")
        (tmp_path / "waivers.toml").write_text("", encoding="utf-8")
        assert run_load(Options("notes", "here"), repository=tmp_path, environ=os.environ) == 0

    assert record(tmp_path)["samples"]["status"] == "not_applicable"


def test_a_tool_whose_answers_are_not_what_is_expected_fails(load: Load, tmp_path: Path) -> None:
    tool = '{ name = "orders_list", arguments = { limit = 3 }, expects = "no order says this" }'

    assert load(mix="{ tool = 1 }", tool=tool) == 1
    assert record(tmp_path)["content"]["status"] == "failed"


def test_arrivals_that_nobody_is_free_for_fail(load: Load, tmp_path: Path) -> None:
    assert load(arrivals_per_second="400", users="1", dropped_rate="0.001", minimum_answers="10") == 1
    assert record(tmp_path)["arrivals_dropped"]["status"] == "failed"


def test_a_missing_k6_is_inconclusive(local_target: LocalTarget, tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    profile = Profile(users=1, seconds=1, minimum_answers=1)
    measure_load(run, local_target, profile, environ=os.environ, tool=Tool(tmp_path / "k6"))

    assert [check.status for check in run.checks] == [CheckStatus.INCONCLUSIVE]
    assert "k6 is missing" in run.checks[0].reason


def test_a_production_target_is_refused_unasked(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--allow-production here"):
        load(production=True)
    with pytest.raises(UsageError, match="--allow-production here"):
        load(production=True, allow_production="elsewhere")

    assert not (tmp_path / "reports").exists()


def test_a_production_target_that_is_named_twice_is_loaded_but_not_changed(
    load: Load, tmp_path: Path, sandbox: SandboxClient
) -> None:
    before = sandbox.last_sequence()

    assert load(production=True, allow_production="here", mix="{ cached_read = 1, update = 1 }") == 0
    assert record(tmp_path)["updates"]["status"] == "skipped"
    assert {entry["method"] for entry in sandbox.journal(since=before)} <= {"GET"}


def test_updates_leave_one_key_of_metadata_however_many_there_are(
    load: Load, tmp_path: Path, sandbox: SandboxClient
) -> None:
    before = sandbox.last_sequence()

    assert load(mix="{ update = 1 }", minimum_answers="20") == 0
    assert record(tmp_path)["content"]["status"] == "passed"
    written = [entry for entry in sandbox.journal(since=before) if entry["method"] == "PUT" and entry["applied"]]
    assert len(written) >= 20
    changes = [change["fields"] for entry in written for change in entry["changes"]]
    assert {field for fields in changes for field in fields} == {"order_metadata", "date_updated"}
    assert {key for fields in changes for key in fields["order_metadata"]["after"]} <= {"channel", "load_test"}


def test_an_unknown_target_is_wrong_usage(load: Load) -> None:
    with pytest.raises(UsageError, match=r"target there is not in ops\.toml"):
        load("there")
