"""How a request's body is read: within a time, but where our HTTP protocol says that it is there already."""

import asyncio
import io
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog

from server.edge import layer
from server.edge.guards import HostGuard
from server.edge.layer import WHOLE, Edge
from server.protocol.http import Reply, Request
from server.telemetry.logging import AccessLog
from server.telemetry.metrics import Metrics

Event = MutableMapping[str, Any]


class Echo:
    async def handle(self, request: Request) -> Reply:
        return Reply(200, request.body)


async def nobody(*_: Any) -> None:
    pytest.fail("the application behind is asked")


def make_edge() -> Edge:
    return Edge(
        Echo(),  # type: ignore[arg-type]
        nobody,
        endpoints=frozenset({"/mcp"}),
        guard=HostGuard(["localhost"], []),
        max_body_bytes=100,
        max_json_depth=4,
        metrics=Metrics("1", "development"),
        logger=structlog.get_logger(),
        access_log=AccessLog("info", io.BytesIO()),
    )


async def answer(*parts: bytes, then_wait: bool = False, **marks: bool) -> tuple[int, bytes]:
    """The status and body that a request with its body in these parts gets; perhaps one that never ends."""
    events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    events[-1]["more_body"] = then_wait
    arriving = iter(events)
    sent: list[Event] = []

    async def receive() -> Event:
        for event in arriving:
            return event
        await asyncio.Event().wait()
        raise AssertionError

    async def send(event: Event) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await make_edge()({**scope, **marks}, receive, send)
    return sent[0]["status"], b"".join(event.get("body", b"") for event in sent)


@pytest.mark.parametrize("marks", [{}, {WHOLE: True}], ids=["in time", "whole"])
async def test_a_body_in_parts_is_put_together(marks: dict[str, bool]) -> None:
    assert await answer(b'{"a":', b"1}", **marks) == (200, b'{"a":1}')


async def test_a_body_that_does_not_come_is_refused_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "BODY_SECONDS", 0.01)
    status, body = await answer(b'{"a":', then_wait=True)
    assert (status, json.loads(body)["error"]["code"]) == (408, "BODY_TOO_SLOW")


async def test_a_body_that_is_there_needs_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "timeout", lambda _: pytest.fail("a deadline is set"))
    assert await answer(b"{}", **{WHOLE: True}) == (200, b"{}")


@pytest.mark.parametrize("marks", [{}, {WHOLE: True}], ids=["in time", "whole"])
async def test_a_body_larger_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, marks: dict[str, bool]) -> None:
    monkeypatch.setattr(layer, "DISCARD_SECONDS", 0.01)
    status, body = await answer(b"x" * 101, **marks)
    assert (status, json.loads(body)["error"]["code"]) == (413, "BODY_TOO_LARGE")
