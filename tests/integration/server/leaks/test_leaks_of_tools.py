"""Every tool, called by two tenants at once with everything going well and with all that can go wrong."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.tools.registry import ALL as TOOLS
from tests.integration.server.bench import ERAS
from tests.integration.server.leaks.calls import CALLS
from tests.integration.server.leaks.corpus import STORE_NAME
from tests.integration.server.leaks.failures import Told, all_of, play
from tests.integration.server.leaks.places import HARMLESS, Place
from tests.integration.server.leaks.scene import Answering, Arguments, Scene
from tests.integration.server.leaks.watched import Party, Watch, Watched
from tests.integration.server.stdio_process import StdioServer, speaking

# What a client may meet: a play in which one was missing would show nothing of it.
MET = {
    *("VALIDATION_ERROR", "NOT_FOUND", "STORE_NOT_FOUND", "CONFLICT_ERROR", "AUTH_ERROR", "ORDERDESK_API_ERROR"),
    *("UPSTREAM_UNAVAILABLE", "WRITE_UNCERTAIN", "RATE_LIMIT_EXCEEDED"),
}


def test_every_tool_has_a_call_here() -> None:
    assert {tool.name for tool in TOOLS} == set(CALLS)


@contextmanager
def over_http(scene: Scene, era: str) -> Iterator[Scene]:
    with scene.bench.connect(scene.shop.tenant, era) as client:

        def call(tool: str, arguments: Arguments) -> dict[str, Any]:
            outcome = client.call_tool(tool, arguments)
            assert json.loads(outcome.text) == outcome.structured
            return dict(outcome.structured or {})

        yield replace(scene, call=call)


def through(server: StdioServer) -> Answering:
    def call(tool: str, arguments: Arguments) -> dict[str, Any]:
        identity = len(server.messages) + 1
        send = server.modern if identity % 2 else server.ask
        answer = send("tools/call", identity, name=tool, arguments=arguments)
        return dict(answer["result"]["structuredContent"])

    return call


def assert_all_was_told(watched: Watched, party: Party, told: Told) -> None:
    """The play went through every tool, every error and every piece, and its own data was told to its owner."""
    assert told.succeeded == set(CALLS)
    assert set(told.codes) >= MET
    assert sum(told.codes.values()) > 300
    assert [
        piece for hand in (party.scene.held, party.scene.sent) for piece in hand.unused() if piece.kind != STORE_NAME
    ] == []
    seen = {trace.piece for trace in watched.tracer.trace({"the answers": all_of(told)})}
    assert len(seen & set(party.scene.held.pieces)) > 50


@pytest.mark.timeout(300)
def test_whatever_tools_answer_two_tenants_each_hears_its_own_and_nothing_is_left_behind(watch: Watch) -> None:
    watched = watch(HTTP_TIMEOUT_SECONDS="3")

    def tell(party: Party, era: str) -> Told:
        told = Told()
        with over_http(party.scene, era) as scene:
            for tool in TOOLS:
                play(scene, tool, told)
        return told

    with ThreadPoolExecutor(len(ERAS)) as threads:
        tales = list(threads.map(tell, watched.parties, ERAS))
    assert watched.leaks() == []
    for party, told in zip(watched.parties, tales, strict=True):
        assert watched.in_answers(told, party) == []
        assert_all_was_told(watched, party, told)


@pytest.mark.timeout(300)
def test_over_the_standard_streams_nothing_is_left_behind_either(watch: Watch, tmp_path: Path) -> None:
    watched = watch()
    party, told, log = watched.parties[0], Told(), tmp_path / "stdio.log"
    environment = {**watched.bench.environment, "TENANT_KEY": party.scene.shop.tenant.key, "LOG_LEVEL": "info"}
    with speaking(environment, log) as server:
        for tool in TOOLS:
            play(replace(party.scene, call=through(server)), tool, told)
    assert watched.leaks({"the log of the streams": Place(log.read_text(), "stdio.")}) == []
    assert watched.in_answers(told, party) == []
    assert_all_was_told(watched, party, told)
    assert HARMLESS not in log.read_text()
