import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from server.errors import ReadOnlyError, ToolError, UpstreamUnavailableError, WriteUncertainError
from server.orderdesk.breaker import FAILURES, PROBE_SECONDS
from server.orderdesk.client import Account, NotAppliedError, OrderDeskClient, Request
from server.orderdesk.places import EXTRA_SECONDS, PLACES
from server.telemetry.metrics import Metrics
from tests.unit.server.parts import Recorded, in_virtual_time, sample

Clock = Callable[[], float]
SUCCESS = {"status": "success"}
DEADLINE = 45.0
TIMEOUT = 30.0


class Desk:
    """OrderDesk that hangs, fails or answers as it is told, and a client of it with the usual limits."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.began = clock()
        self.hangs = False
        self.answer: httpx.Response | Exception = httpx.Response(200, json=SUCCESS)
        self.asked = Counter[str]()
        self.in_flight = self.most_in_flight = 0
        self.metrics = Metrics("0", "test")
        self.recorded = Recorded()
        self.client = OrderDeskClient(
            "http://upstream.test/api/v2",
            timeout=TIMEOUT,
            retries=3,
            metrics=self.metrics,
            logger=self.recorded.logger,
            clock=clock,
            jitter=lambda: 0.5,
        )
        self.client._http._transport = httpx.MockTransport(self._handle)

    @property
    def now(self) -> float:
        return self.clock() - self.began

    async def call(self, method: str = "GET", upstream: str = "u", **given: Any) -> tuple[float, str, dict[str, Any]]:
        """How long the call took, how it ended and the error's details."""
        began = self.clock()
        deadline = began + given.pop("seconds", DEADLINE)
        account = Account("100", upstream, "key")
        request = Request(account, method, "/orders/{id}", "/orders/1", "r", deadline, "t", **given)
        try:
            await self.client.send(request)
        except ToolError as error:
            return self.clock() - began, error.code, error.details
        except NotAppliedError:
            return self.clock() - began, "not applied", {}
        return self.clock() - began, "success", {}

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.method] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.hangs:
                await asyncio.sleep(1e6)  # whatever happens to OrderDesk later, this request is lost
            if isinstance(self.answer, Exception):
                raise self.answer
            return httpx.Response(self.answer.status_code, content=self.answer.content, headers=self.answer.headers)
        finally:
            self.in_flight -= 1


async def open_breaker(desk: Desk) -> None:
    desk.answer = httpx.Response(503)
    while not desk.client._upstreams.open_breakers():
        await desk.call()
    desk.answer = httpx.Response(200, json=SUCCESS)


def test_while_open_a_call_fails_at_once_says_when_to_come_back_and_sends_nothing() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        await open_breaker(desk)
        sent = desk.asked.total()
        for method in ("GET", "PUT"):
            seconds, code, details = await desk.call(method, body={} if method == "PUT" else None)
            assert (code, details["reason"]) == ("UPSTREAM_UNAVAILABLE", "circuit_open")
            assert 1 <= details["retry_after_seconds"] <= PROBE_SECONDS
            assert seconds < 0.001
        assert desk.asked.total() == sent
        assert (await desk.call(upstream="another"))[1] == "success"
        assert sample(desk.metrics, "orderdesk_breakers_open") == 1
        assert sample(desk.metrics, "orderdesk_breaker_openings_total") == 1
        await asyncio.sleep(PROBE_SECONDS)
        assert (await desk.call())[1] == "success"
        assert sample(desk.metrics, "orderdesk_breakers_open") == 0
        assert [event for event in desk.recorded.events if event.startswith("breaker")] == [
            "breaker.opened",
            "breaker.closed",
        ]

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        (httpx.Response(500), True),
        (httpx.Response(503), True),
        (httpx.ConnectError("refused"), True),
        (httpx.ConnectTimeout("late"), True),
        (httpx.ReadTimeout("late"), True),
        (httpx.ReadError("reset"), True),
        (httpx.PoolTimeout("ours"), False),
        (httpx.Response(429, headers={"X-Retry-After": "1"}), False),
        (httpx.Response(401), False),
        (httpx.Response(404), False),
        (httpx.Response(200, json={"status": "error", "message": "no"}), False),
        (httpx.Response(200, text="<html>"), False),
    ],
    ids=repr,
)
def test_only_what_says_that_orderdesk_is_not_there_opens_the_breaker(
    *, answer: httpx.Response | Exception, counts: bool
) -> None:
    async def scenario(clock: Clock) -> int:
        desk = Desk(clock)
        desk.answer = answer
        for _ in range(FAILURES + 1):
            await desk.call()
        return desk.client._upstreams.open_breakers()

    assert in_virtual_time(scenario) == counts


def test_a_time_out_that_left_orderdesk_hardly_any_time_does_not_count() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        desk.hangs = True
        for _ in range(3 * FAILURES):
            await desk.call(seconds=1.0)
        assert desk.asked.total() >= FAILURES
        assert desk.client._upstreams.open_breakers() == 0

    in_virtual_time(scenario)


def test_failed_writes_count_and_what_was_sent_stays_uncertain() -> None:
    async def scenario(clock: Clock) -> list[str]:
        desk = Desk(clock)
        desk.answer = httpx.Response(502)
        ends = [(await desk.call("PUT", body={}))[1] for _ in range(FAILURES + 2)]
        assert desk.asked.total() == FAILURES
        return ends

    assert in_virtual_time(scenario) == [WriteUncertainError.code] * FAILURES + [UpstreamUnavailableError.code] * 2


@pytest.mark.parametrize("hang_seconds", [12, 29, 33, 61, 118])
def test_an_upstream_that_hangs_holds_nobody_beyond_the_deadline_and_is_back_within_ten_seconds(
    hang_seconds: int,
) -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        desk.hangs = True
        calls: list[asyncio.Task[tuple[float, str, dict[str, Any]]]] = []

        async def callers(seconds: float) -> None:
            until = desk.now + seconds
            while desk.now < until:
                calls.append(asyncio.create_task(desk.call()))
                await asyncio.sleep(1)  # what OrderDesk allows leaves room to catch up with those who waited

        await callers(hang_seconds)
        assert desk.most_in_flight <= PLACES * (TIMEOUT / EXTRA_SECONDS + 1)
        desk.hangs = False
        await callers(10)
        seconds, code, _ = await desk.call()
        assert code == "success"
        assert seconds < 1
        ends = await asyncio.gather(*calls)
        assert max(seconds for seconds, _, _ in ends) <= DEADLINE + 0.01
        await desk.client.close()

    in_virtual_time(scenario)


def test_what_still_hangs_when_orderdesk_is_back_is_not_taken_for_tokens_about_to_be_spent() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        desk.hangs = True
        hanging = [asyncio.create_task(desk.call()) for _ in range(PLACES * 4)]
        await asyncio.sleep(TIMEOUT + 1)
        assert desk.in_flight >= PLACES - 1
        desk.hangs = False
        desk.answer = httpx.Response(200, json=SUCCESS, headers={"X-Tokens-Remaining": "5"})
        await asyncio.sleep(PROBE_SECONDS)
        for _ in range(5):
            seconds, code, _ = await desk.call()
            assert code == "success"
            assert seconds < 0.01
        await asyncio.gather(*hanging)

    in_virtual_time(scenario)


def test_a_store_that_hangs_soon_fails_at_once_also_for_those_who_wait_already() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        desk.hangs = True
        first = [asyncio.create_task(desk.call()) for _ in range(PLACES * 4)]
        await asyncio.sleep(TIMEOUT + 1)
        assert desk.client._upstreams.open_breakers() == 1
        ends = [task.result() for task in first if task.done()]
        # Those who took the places of the first few, before all of these had failed, still wait for an answer.
        assert len(ends) >= PLACES * 2
        assert {code for _, code, _ in ends} == {"UPSTREAM_UNAVAILABLE"}
        assert (await desk.call())[0] < 0.001
        await asyncio.gather(*first)

    in_virtual_time(scenario)


def test_a_probe_is_sent_though_every_place_is_held() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        desk.hangs = True
        held = [asyncio.create_task(desk.call()) for _ in range(PLACES)]
        await asyncio.sleep(1)
        upstream = desk.client._upstreams.of("u")
        for _ in range(FAILURES):
            passage = upstream.breaker.enter()
            upstream.breaker.send(passage)
            upstream.breaker.failed(passage)
        desk.hangs = False
        await asyncio.sleep(PROBE_SECONDS)
        ends = await asyncio.gather(*(desk.call() for _ in range(3)))
        assert {code for _, code, _ in ends} == {"success"}  # the first answer closed it
        seconds, code, _ = await desk.call()
        assert code == "success"
        assert seconds < 0.01
        await asyncio.gather(*held)

    in_virtual_time(scenario)


async def refuse() -> None:
    raise ReadOnlyError("A brake was pulled.")


def test_what_the_caller_does_not_admit_is_not_sent_and_costs_no_place() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        for _ in range(PLACES + 1):
            assert (await desk.call("PUT", body={}, admit=refuse))[1] == "READ_ONLY"
        assert desk.asked.total() == 0
        assert (await desk.call("PUT", body={}))[1] == "success"

    in_virtual_time(scenario)


def test_leave_is_asked_for_when_place_and_token_are_there() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        asked: list[float] = []

        async def admit() -> None:
            asked.append(round(desk.now, 2))

        await asyncio.gather(*(desk.call("PUT", body={}, admit=admit) for _ in range(23)))
        assert asked == [0.0] * 20 + [0.33, 0.67, 1.0]

    in_virtual_time(scenario)


def test_a_write_whose_leave_took_too_long_is_not_sent() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        _, code, details = await desk.call("PUT", body={}, admit=lambda: asyncio.sleep(DEADLINE - 1))
        assert (code, details) == ("UPSTREAM_UNAVAILABLE", {"reason": "deadline"})
        assert desk.asked.total() == 0

    in_virtual_time(scenario)


def test_a_probe_that_was_not_admitted_leaves_its_turn_to_the_next_call() -> None:
    async def scenario(clock: Clock) -> None:
        desk = Desk(clock)
        await open_breaker(desk)
        await asyncio.sleep(PROBE_SECONDS)
        assert (await desk.call("PUT", body={}, admit=refuse))[1] == "READ_ONLY"
        assert (await desk.call())[1] == "success"

    in_virtual_time(scenario)
