import asyncio
import contextlib
import io
import json
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from server.protocol.stdio import Session
from server.stdio import IN_FLIGHT, Conversation, LogStream
from server.telemetry.logging import AccessLog
from server.telemetry.metrics import Metrics
from tests.unit.server.parts import Recorded, sample
from tests.unit.server.protocol.smallest import Keys, Smallest, call, notification, request


async def happened(condition: Callable[[], bool]) -> None:
    """Return when something is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)


class Talk:
    """A conversation whose lines a test feeds, and what came of it."""

    def __init__(self, key: str | None = "acme-key") -> None:
        self.smallest, self.recorded, self.metrics = Smallest(), Recorded(), Metrics("0", "development")
        self.answers: list[Any] = []
        self.log = io.BytesIO()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        session = Session(self.smallest.dispatcher, Keys().authenticate, key, max_bytes=10_000, max_depth=8)
        self.conversation = Conversation(
            session,
            self._write,
            writing=frozenset({"slow_write"}),
            metrics=self.metrics,
            logger=self.recorded.logger,
            access_log=AccessLog("info", self.log),
        )

    def say(self, *items: Any) -> None:
        for item in items:
            self._lines.put_nowait(item if isinstance(item, bytes) else json.dumps(item).encode())

    async def listen(self, *, until: Callable[[], bool]) -> None:
        """Let the conversation go on until something is so, and leave what is under way."""
        listening = asyncio.create_task(self.conversation.listen(self._source()))
        await happened(until)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    async def _source(self) -> AsyncIterator[bytes | None]:
        while True:
            yield await self._lines.get()

    async def _write(self, line: bytes) -> None:
        self.answers.append(json.loads(line))


async def test_a_quick_answer_overtakes_a_slow_one() -> None:
    talk = Talk()
    talk.say(call("slow", 1), request("ping", 2))
    await talk.listen(until=lambda: len(talk.answers) == 1)
    assert talk.answers[0]["id"] == 2
    talk.smallest.release.set()
    await talk.conversation.drain(5)
    assert talk.answers[1]["result"]["tool"] == "slow"
    assert talk.conversation.cut_off == 0


async def test_so_many_calls_run_at_once_and_no_more() -> None:
    talk = Talk()
    talk.say(*(call("slow", number) for number in range(IN_FLIGHT + 5)))
    await talk.listen(until=lambda: len(talk.smallest.running) == IN_FLIGHT)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(talk.smallest.running) == IN_FLIGHT
    talk.smallest.release.set()
    await talk.conversation.drain(5)
    assert len(talk.answers) == IN_FLIGHT


async def test_waiting_calls_begin_when_others_end() -> None:
    talk = Talk()
    talk.say(*(call("slow", number) for number in range(IN_FLIGHT + 5)))
    listening = asyncio.create_task(talk.listen(until=lambda: len(talk.answers) == IN_FLIGHT + 5))
    await happened(lambda: len(talk.smallest.running) == IN_FLIGHT)
    talk.smallest.release.set()
    await listening


async def test_a_read_that_is_cancelled_stops_and_is_not_answered() -> None:
    talk = Talk()
    talk.say(call("slow", "a"), call("slow", 1))
    await talk.listen(until=lambda: len(talk.smallest.running) == 2)
    talk.say(notification("notifications/cancelled", requestId="a"), request("ping", "b"))
    await talk.listen(until=lambda: len(talk.answers) == 1 and talk.smallest.stopped == ["slow"])
    talk.smallest.release.set()
    await talk.conversation.drain(5)
    assert [answer["id"] for answer in talk.answers] == ["b", 1]
    assert [line["error_code"] for line in talk.logged if line["tool"] == "slow"] == ["CANCELLED", None]


async def test_a_write_that_is_cancelled_is_carried_out_and_answered() -> None:
    talk = Talk()
    talk.say(call("slow_write", 1))
    await talk.listen(until=lambda: bool(talk.smallest.running))
    talk.say(notification("notifications/cancelled", requestId=1), request("ping", 2))
    await talk.listen(until=lambda: len(talk.answers) == 1)
    talk.smallest.release.set()
    await talk.conversation.drain(5)
    assert talk.answers[1] == {"jsonrpc": "2.0", "id": 1, "result": {"tool": "slow_write", "tenant": "t_acme"}}
    assert talk.smallest.stopped == []


async def test_a_cancellation_that_names_nothing_known_is_ignored() -> None:
    talk = Talk()
    names: tuple[Any, ...] = (7, "x", None, [1], {}, 1.5, True)
    talk.say(*(notification("notifications/cancelled", requestId=name) for name in names))
    talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled"})
    talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": [1]}, request("ping", 1))
    await talk.listen(until=lambda: len(talk.answers) == 1)
    assert talk.answers[0]["result"] == {}


async def test_a_fault_is_answered_with_its_id_and_nothing_else_of_it() -> None:
    talk = Talk()
    talk.say(request("boom", 4))
    await talk.listen(until=lambda: len(talk.answers) == 1)
    error = talk.answers[0]["error"]
    assert (talk.answers[0]["id"], error["code"]) == (4, -32603)
    assert "secret detail" not in str(error)
    assert error["data"]["request_id"] == talk.logged[0]["request_id"]
    assert talk.recorded.events == ["stdio.crashed"]
    assert sample(talk.metrics, "unhandled_exceptions_total", exception_type="RuntimeError") == 1


async def test_a_line_that_cannot_be_read_is_answered_without_an_id_and_counted() -> None:
    talk = Talk()
    talk.say(b"{", b"  ", b"", request("ping", 1))
    await talk.listen(until=lambda: len(talk.answers) == 2)
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in talk.answers] == [
        (None, -32700),
        (1, None),
    ]
    labels = {"error_type": "protocol", "error_code": "-32700", "endpoint": "stdio"}
    assert sample(talk.metrics, "errors_total", **labels) == 1


async def test_what_follows_the_key_that_is_shown_can_count_on_it() -> None:
    talk = Talk(None)
    talk.say(call("a", 1), call("tenant_use_master_key", 2, master_key="acme-key"), call("b", 3))
    await talk.listen(until=lambda: len(talk.answers) == 3)
    assert [answer["id"] for answer in talk.answers if "error" in answer] == [1]


async def test_calls_that_outlast_the_drain_are_given_up_and_counted() -> None:
    talk = Talk()
    talk.say(call("slow", 1), call("slow_write", 2))
    await talk.listen(until=lambda: len(talk.smallest.running) == 2)
    await talk.conversation.drain(0)
    assert talk.conversation.cut_off == 2
    assert talk.answers == []


def test_the_log_never_waits_for_a_reader_nor_minds_that_it_is_gone() -> None:
    source, sink = os.pipe()
    log = io.BufferedWriter(LogStream(sink))
    for _ in range(100):
        log.write(b"x" * 10_000)
        log.flush()
    assert os.read(source, 10_000)
    os.close(source)
    log.write(b"more")
    log.flush()
    log.close()
    os.close(sink)
