"""The comparison's own parts on real servers: a peer as quick as we are fails the bar, and a wrong answer is seen."""

import contextlib
import dataclasses
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.collector import Run
from harness.process import ProcessError, child_environment
from harness.progress import SilentProgress
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from harness.verdict import CheckStatus
from harness.virtual_environment import prepare
from perf.peers.arms import (
    BARE,
    BARE_PROGRAM,
    PEER,
    PEER_PROGRAM,
    SETTINGS,
    Arm,
    Row,
    new_tenant_arm,
    start_others,
    start_program,
)
from perf.peers.bars import Bars
from perf.peers.blocks import Stage
from perf.peers.blocks import generate as generate_block
from perf.peers.compare import measure_peers
from perf.peers.generator import generate
from perf.peers.noise import measure_noise
from perf.peers.open_loop import keep_rate
from perf.peers.plan import Call, Plan, tool_call
from perf.peers.session import UnexpectedAnswerError
from perf.peers.steady import load_steadily, measure_steady
from perf.peers.wire import WireError
from tests.integration.parts import StartTarget

CALL = tool_call("add", {"a": 2, "b": 3}, {"result": 5})
QUICK = Bars(
    ratio=8.0,
    p99_milliseconds=0.01,
    dropped=1.0,
    server_share=0.0,  # other tests use the processor, too
    memory_megabytes=1_000,
    ready_seconds=60,
    rounds=1,
    connections=4,
    warm_up_seconds=3.0,  # long enough to take more tokens than come in, however busy the machine
    seconds=1.0,
    tokens_known_within=0.1,
    steady_runs=1,
    steady_seconds=2,
    noise_refused=0.5,
    quiet_times=1_000.0,
    noise_seconds=6,
)


class Stub(BaseHTTPRequestHandler):
    """An MCP server with sessions and event streams, as FastMCP has them; `answers` decides the results in turn."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[Iterator[str]]
    sessions: ClassVar[set[str]]
    turn: ClassVar = threading.Lock()

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if message["method"] == "initialize":
            session = f"session-{len(self.sessions)}"
            self.sessions.add(session)
            self.reply(message["id"], '{"protocolVersion": "2025-11-25"}', {"Mcp-Session-Id": session})
        elif "id" not in message:
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.headers["Mcp-Session-Id"] not in self.sessions:
            self.reply(message["id"], '{"isError": true}', {})
        else:
            with self.turn:
                answer = next(self.answers)
            self.reply(message["id"], answer, {})

    def do_DELETE(self) -> None:
        self.sessions.remove(self.headers["Mcp-Session-Id"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def reply(self, identity: int, result: str, headers: dict[str, str]) -> None:
        data = f'event: message\r\ndata: {{"jsonrpc": "2.0", "id": {identity}, "result": {result}}}\r\n\r\n'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    def log_message(self, *_: Any) -> None: ...


@contextlib.contextmanager
def stub(answers: Iterator[str]) -> Iterator[tuple[Plan, type[Stub]]]:
    """A stub that answers like this, and a plan for loading it."""
    handler = type("Handler", (Stub,), {"answers": answers, "sessions": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        port = server.server_address[1]
        try:
            yield Plan("127.0.0.1", port, None, "2025-11-25", 2, 0.3, 0, os.getpid(), (CALL,)), handler
        finally:
            server.shutdown()
            thread.join()


def result(number: int) -> str:
    return json.dumps({"content": [], "structuredContent": {"result": number}, "isError": False})


def test_the_generator_counts_what_was_answered_in_sessions_that_it_ends() -> None:
    counter = itertools.count()

    with stub(result(5) for _ in counter) as (plan, handler):
        outcome = generate(plan)

    answered = next(counter)
    assert outcome.calls == answered
    assert outcome.loop_calls == answered - plan.connections
    assert outcome.limited == answered + plan.connections
    assert outcome.seconds >= plan.seconds
    assert 0 < outcome.generator_share < 1.5
    assert handler.sessions == set()


def test_one_wrong_answer_among_many_is_seen() -> None:
    answers = itertools.chain([result(5)] * 40, [result(6)], itertools.repeat(result(5)))

    with stub(answers) as (plan, _), pytest.raises(UnexpectedAnswerError, match="another answer"):
        generate(dataclasses.replace(plan, seconds=30))


@pytest.mark.parametrize("first", [result(6), '{"isError": true}', '{"content": []}'])
def test_a_wrong_first_answer_is_seen(first: str) -> None:
    with stub(itertools.repeat(first)) as (plan, _), pytest.raises(UnexpectedAnswerError, match="does not answer"):
        generate(plan)


def test_nobody_there_is_told() -> None:
    with stub(itertools.repeat(result(5))) as (plan, _):
        pass
    with pytest.raises(WireError, match="refused"):
        generate(plan)


Opened = Callable[[Path, Sequence[Call]], AbstractContextManager[Sequence[Arm]]]


@pytest.fixture
def our_own(start_target: StartTarget) -> Opened:
    """Another server of this checkout in place of both the peer and the bare dispatcher."""

    @contextlib.contextmanager
    def open_others(_logs: Path, _orders: Sequence[Call]) -> Iterator[list[Arm]]:
        target: LocalTarget = start_target(
            settings={"RATE_LIMIT_RPM": "1000000000", "CACHE_TTL_ORDERS_SECONDS": "3600"}
        )
        arm = new_tenant_arm(target)
        yield [dataclasses.replace(arm, row=row) for row in (PEER, BARE)]

    return open_others


def statuses(run: Run) -> dict[str, CheckStatus]:
    return {check.id: check.status for check in run.checks}


def explain(run: Run) -> str:
    return "\n".join(f"{check.id}: {check.reason}; {check.evidence}" for check in run.checks)


def test_a_peer_as_quick_as_we_are_fails_the_bar_while_the_counts_agree(tmp_path: Path, our_own: Opened) -> None:
    run = Run(tmp_path / "run", SilentProgress())
    measure_peers(run, our_own, environ=os.environ, bars=QUICK)

    assert statuses(run) == {
        "answers": CheckStatus.PASSED,
        "server.memory_after_load": CheckStatus.PASSED,
        "steady": CheckStatus.PASSED,
        "steady_generator": CheckStatus.PASSED,
        "steady.duration.p99": CheckStatus.FAILED,
        "steady.dropped.median": CheckStatus.PASSED,
        "noise": CheckStatus.PASSED,
        "noise.refused": CheckStatus.PASSED,
        "noise.quiet.p95": CheckStatus.PASSED,
        "server.ready.lowest": CheckStatus.PASSED,
        "stop": CheckStatus.PASSED,
        "counts": CheckStatus.PASSED,
        "table": CheckStatus.PASSED,
        "same_bytes": CheckStatus.PASSED,
        "peers.ratio.median": CheckStatus.FAILED,
        "peers.bare_share.median": CheckStatus.PASSED,
    }, explain(run)


def test_a_peer_that_answers_wrongly_fails_the_comparison_and_ends_it(tmp_path: Path, our_own: Opened) -> None:
    @contextlib.contextmanager
    def wrong(logs: Path, orders: Sequence[Call]) -> Iterator[list[Arm]]:
        with our_own(logs, orders) as (peer, bare):
            calls = (dataclasses.replace(peer.calls[0], expected={"result": 5}),)
            yield [dataclasses.replace(peer, calls=calls), bare]

    run = Run(tmp_path / "run", SilentProgress())
    bars = dataclasses.replace(QUICK, rounds=1)
    rounds = measure_peers(run, wrong, environ=os.environ, bars=bars)

    assert rounds == []
    assert statuses(run) == {"answers": CheckStatus.FAILED}
    assert run.checks[0].reason.startswith("fastmcp: orders_get does not answer what it must")


def test_a_peer_that_does_not_start_is_inconclusive(tmp_path: Path) -> None:
    def open_others(logs: Path, orders: Sequence[Call]) -> AbstractContextManager[list[Arm]]:
        return start_others(Path(sys.executable), tmp_path / "python", orders, logs=logs, environ=os.environ)

    with pytest.raises(ProcessError, match="fastmcp"):
        measure_peers(Run(tmp_path, SilentProgress()), open_others, environ=os.environ, bars=QUICK)


@pytest.fixture
def stage(start_target: StartTarget, tmp_path: Path) -> Stage:
    target = start_target(settings=SETTINGS)
    return Stage(target, (), 4, 0.2, 0.2, max(os.sched_getaffinity(0)), os.environ, tmp_path / "logs")


def test_the_bare_dispatcher_answers_with_the_very_bytes_of_the_server(stage: Stage) -> None:
    ours = new_tenant_arm(stage.target)
    program = (sys.executable, str(BARE_PROGRAM))
    environment = child_environment({"PYTHONPATH": str(REPOSITORY)}, os.environ)

    with start_program("bare", program, environment, ours.calls, logs=stage.logs) as (trivial, realistic):
        added, got = generate_block(trivial, stage, 0.2), generate_block(realistic, stage, 0.2)

    assert got.answers == generate_block(ours, stage, 0.2).answers != added.answers
    assert min(added.loop_calls, got.loop_calls) > 0


# The first run on a machine makes the peers' environment.
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", ["fastmcp", "sdk"])
def test_each_peer_answers_the_trivial_and_the_realistic_call(stage: Stage, name: str) -> None:
    python = prepare(REPOSITORY, "peers", logs=stage.logs, environ=os.environ)
    program = (str(python), "-P", str(PEER_PROGRAM), name)
    orders = new_tenant_arm(stage.target).calls

    with start_program(name, program, child_environment({}, os.environ), orders, logs=stage.logs) as arms:
        outcomes = {arm.row: generate_block(arm, stage, 0.2) for arm in arms}

    assert outcomes.keys() == {Row(name, "add"), Row(name, "orders_get")}
    assert min(outcome.loop_calls for outcome in outcomes.values()) > 0


def steadily(run: Run, stage: Stage, bars: Bars = QUICK) -> dict[str, CheckStatus]:
    measure_steady(run, stage, 200, dataclasses.replace(bars, steady_runs=1, steady_seconds=1), judged=True)
    return statuses(run)


def test_too_few_answers_for_a_percentile_are_inconclusive(stage: Stage, tmp_path: Path) -> None:
    found = steadily(Run(tmp_path, SilentProgress()), stage)

    assert found["steady"] is CheckStatus.PASSED
    assert found["steady.duration.p99"] is CheckStatus.INCONCLUSIVE


def test_a_steady_load_that_the_generator_was_too_busy_for_is_told_and_not_judged(stage: Stage, tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    found = steadily(run, stage, dataclasses.replace(QUICK, generator_share=0.001))

    assert found == {"steady": CheckStatus.PASSED, "steady_generator": CheckStatus.INCONCLUSIVE}
    assert {each.name: each.limit for each in run.measurements} == {"steady.duration": None, "steady.dropped": None}


def test_one_wrong_answer_to_a_steady_load_fails(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, SilentProgress())
    monkeypatch.setattr("perf.peers.steady.CONNECTIONS", 2)
    with stub(itertools.chain([result(5)] * 40, [result(6)], itertools.repeat(result(5)))) as (plan, _):
        arm = Arm(Row("stub", "add"), plan.host, plan.port, os.getpid(), (CALL,))
        monkeypatch.setattr("perf.peers.steady.new_tenant_arm", lambda _: arm)
        found = steadily(run, stage)

    assert found == {"steady": CheckStatus.FAILED}
    assert "another answer" in run.checks[0].reason


def slowly(answer: str, seconds: float) -> Iterator[str]:
    while True:
        time.sleep(seconds)
        yield answer


def test_what_finds_no_connection_free_is_dropped_and_what_waits_is_timed() -> None:
    # One call at a time, of 50 ms: at most 20 a second.
    with stub(slowly(result(5), 0.05)) as (plan, _):
        steady = keep_rate(dataclasses.replace(plan, connections=1, seconds=1.0), 100)

    assert steady.answers + steady.dropped == 100
    assert 0.75 < steady.dropped_share < 1
    assert steady.p99_milliseconds > 50
    assert steady.generator_share < 0.5


def test_a_steady_rate_is_kept() -> None:
    counter = itertools.count()
    with stub(result(5) for _ in counter) as (plan, handler):
        began = time.monotonic()
        steady = keep_rate(dataclasses.replace(plan, connections=20, seconds=1.0), 50)

    assert time.monotonic() - began >= 0.98
    assert (steady.answers, steady.dropped) == (50, 0)
    assert next(counter) == 50 + 20  # each connection rehearses its call
    assert handler.sessions == set()


def test_noise_that_is_not_refused_fails_and_a_few_calls_of_the_quiet_tenant_say_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    run = Run(tmp_path, SilentProgress())
    bars = dataclasses.replace(QUICK, noise_seconds=1)
    processor = min(os.sched_getaffinity(0))
    measure_noise(run, stage, 100, bars, processor=processor, python=None, judged=True)

    assert statuses(run) == {
        "noise": CheckStatus.PASSED,
        "noise.refused": CheckStatus.FAILED,
        "noise.quiet.p95": CheckStatus.INCONCLUSIVE,
    }, explain(run)


def test_under_a_steady_load_a_server_that_is_gone_is_inconclusive(stage: Stage, tmp_path: Path) -> None:
    arm = new_tenant_arm(stage.target)
    stage.target.server.stop()

    with pytest.raises(ProcessError, match="refused"):
        load_steadily(arm, 10, 1, stage)
