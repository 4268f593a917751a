"""The comparison's own parts on real servers: a peer as quick as we are fails the bar, and a wrong answer is seen."""

import contextlib
import dataclasses
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.targets import LocalTarget
from harness.verdict import CheckStatus
from perf.peers.arms import Arm, new_tenant_arm
from perf.peers.compare import Bars, measure_peers
from perf.peers.generator import generate
from perf.peers.plan import Plan, ToolCall
from perf.peers.session import UnexpectedAnswerError
from perf.peers.wire import WireError
from tests.integration.parts import StartTarget

CALL = ToolCall("add", {"a": 2, "b": 3}, {"result": 5})
QUICK = Bars(
    ratio=8.0,
    memory_megabytes=1_000,
    ready_seconds=60,
    pairs=2,
    connections=4,
    warm_up_seconds=2.0,
    seconds=2.0,
    tokens_known_within=0.1,
)


class Stub(BaseHTTPRequestHandler):
    """An MCP server with sessions and event streams, as FastMCP has them; `answers` decides the results in turn."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[Iterator[str]]
    sessions: ClassVar[set[str]]

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
            self.reply(message["id"], next(self.answers), {})

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
        yield Plan("127.0.0.1", port, None, "2025-11-25", 2, 0.3, 0, os.getpid(), (CALL,)), handler
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


OpenPeer = Callable[[Path], AbstractContextManager[Arm]]


@pytest.fixture
def our_own(start_target: StartTarget) -> OpenPeer:
    """Another server of this checkout as the peer."""

    @contextlib.contextmanager
    def open_peer(_logs: Path) -> Iterator[Arm]:
        target: LocalTarget = start_target(
            settings={"RATE_LIMIT_RPM": "1000000000", "CACHE_TTL_ORDERS_SECONDS": "3600"}
        )
        yield dataclasses.replace(new_tenant_arm(target), name="peer")

    return open_peer


def statuses(run: Run) -> dict[str, CheckStatus]:
    return {check.id: check.status for check in run.checks}


def test_a_peer_as_quick_as_we_are_fails_the_bar_while_the_counts_agree(tmp_path: Path, our_own: OpenPeer) -> None:
    run = Run(tmp_path / "run", SilentProgress())
    measure_peers(run, our_own, environ=os.environ, bars=QUICK)

    assert statuses(run) == {
        "answers": CheckStatus.PASSED,
        "server.memory_after_load": CheckStatus.PASSED,
        "server.ready.lowest": CheckStatus.PASSED,
        "stop": CheckStatus.PASSED,
        "counts": CheckStatus.PASSED,
        "generator": CheckStatus.PASSED,
        "peers.ratio.median": CheckStatus.FAILED,
    }, "\n".join(f"{check.id}: {check.reason}; {check.evidence}" for check in run.checks)


def test_a_peer_that_answers_wrongly_fails_the_comparison_and_ends_it(tmp_path: Path, our_own: OpenPeer) -> None:
    @contextlib.contextmanager
    def wrong(logs: Path) -> Iterator[Arm]:
        with our_own(logs) as arm:
            yield dataclasses.replace(arm, calls=(dataclasses.replace(arm.calls[0], expected={"result": 5}),))

    run = Run(tmp_path / "run", SilentProgress())
    measure_peers(run, wrong, environ=os.environ, bars=dataclasses.replace(QUICK, pairs=1))

    assert statuses(run) == {"answers": CheckStatus.FAILED}
    assert run.checks[0].reason.startswith("peer: orders_get does not answer what it must")
