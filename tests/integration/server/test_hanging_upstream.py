"""One store's OrderDesk hangs: what that costs its own clients, the other stores, the server's memory, and after."""

import logging
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import pytest

from harness.client import connect
from harness.sandbox.faults import Fault, Latency
from tests.integration.server.bench import Bench, Shop, only

FULL = "QUARTERMASTER_FULL" in os.environ
HANG_SECONDS = 120 if FULL else 12
HTTP_TIMEOUT, DEADLINE = (30, 45) if FULL else (3, 5)
BASELINE_SECONDS = 20 if FULL else 8
RECOVERY_SECONDS = 10
# What the client and this process add to the server's own deadline.
SLACK_SECONDS = 0.5
GROWTH_BYTES = 32 * 1024 * 1024
OTHERS = 4
# An OrderDesk that answers like the real one, so that a scheduler's hiccup of some milliseconds is not the 95th part.
USUAL_MILLISECONDS = 100
# Each store is called about as often as OrderDesk allows (3 a second): by few clients in turn, or by more clients than
# an account has places.
PACES = {"other": (1, 0.3), "hanging": (12, 4.0)}
ENOUGH = 20


@dataclass(frozen=True)
class Outcome:
    """One call: when it began and ended on the monotonic clock, and how."""

    began: float
    ended: float
    code: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Traffic:
    """Clients that go on calling a shop; every read of theirs needs OrderDesk."""

    bench: Bench
    shop: Shop
    pace: float
    outcomes: list[Outcome] = field(default_factory=list)

    def call_until(self, stop: threading.Event, number: int, clients: int) -> None:
        stop.wait(self.pace * number / clients)
        # An order of its own: calls for the same one would share one request.
        order_id = self.shop.orders[number]
        with connect(self.bench.url, self.shop.tenant.key, timeout_seconds=2 * DEADLINE) as client:
            while not stop.wait(self.pace):
                began = time.monotonic()
                outcome = client.call_tool("orders_get", {"order_id": order_id})
                code = (outcome.structured or {})["error"]["code"] if outcome.is_error else "success"
                self.outcomes.append(Outcome(began, time.monotonic(), code))

    def during(self, first: float, last: float) -> list[Outcome]:
        return [outcome for outcome in list(self.outcomes) if first <= outcome.began and outcome.ended <= last]


@contextmanager
def traffic(bench: Bench, hanging: Shop, others: list[Shop]) -> Iterator[tuple[Traffic, list[Traffic]]]:
    stop = threading.Event()
    flows = [
        Traffic(bench, hanging, PACES["hanging"][1]),
        *(Traffic(bench, shop, PACES["other"][1]) for shop in others),
    ]
    clients = [PACES["hanging"][0], *[PACES["other"][0]] * len(others)]
    with ThreadPoolExecutor(sum(clients)) as pool:
        running = [
            pool.submit(flow.call_until, stop, number, count)
            for flow, count in zip(flows, clients, strict=True)
            for number in range(count)
        ]
        try:
            yield flows[0], flows[1:]
        finally:
            stop.set()
            bench.upstream.control.clear_faults()
        for end in running:
            end.result()


def percentile_95(flows: list[Traffic], first: float, last: float) -> float:
    outcomes = [outcome for flow in flows for outcome in flow.during(first, last)]
    assert {outcome.code for outcome in outcomes} == {"success"}
    assert len(outcomes) >= ENOUGH * 3
    return statistics.quantiles([outcome.seconds for outcome in outcomes], n=20)[-1]


def wait_and_watch(seconds: float, watch: Callable[[], int]) -> int:
    """The highest value of `watch` in so many seconds."""
    highest, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        highest = max(highest, watch())
        time.sleep(0.1)
    return highest


def recovery_seconds(flow: Traffic, since: float) -> float:
    """When the first of ENOUGH calls in a row, all begun since then, that all succeeded began."""
    deadline = time.monotonic() + 3 * RECOVERY_SECONDS
    while time.monotonic() < deadline:
        outcomes = sorted((outcome for outcome in list(flow.outcomes) if outcome.began >= since), key=lambda o: o.began)
        failed = [place for place, outcome in enumerate(outcomes) if outcome.code != "success"]
        good = outcomes[failed[-1] + 1 :] if failed else outcomes
        if len(good) >= ENOUGH:
            return good[0].began - since
        time.sleep(0.1)
    pytest.fail(f"no {ENOUGH} calls in a row succeeded after OrderDesk was back")


@pytest.mark.timeout(HANG_SECONDS + 120)
def test_a_store_whose_upstream_hangs_costs_the_others_nothing_and_is_back_soon(
    start: Callable[..., Bench],
) -> None:
    bench = start(
        HTTP_TIMEOUT_SECONDS=str(HTTP_TIMEOUT), CALL_DEADLINE_SECONDS=str(DEADLINE), CACHE_TTL_ORDERS_SECONDS="0"
    )
    hanging, others = bench.open_shop("hanging"), [bench.open_shop("other") for _ in range(OTHERS)]
    usual: list[Fault] = [Latency(milliseconds=USUAL_MILLISECONDS, match=only(shop)) for shop in others]
    server = psutil.Process(bench.process.pid)
    control = bench.upstream.control
    control.set_faults(*usual, Latency(milliseconds=USUAL_MILLISECONDS, match=only(hanging)))
    with traffic(bench, hanging, others) as (victim, bystanders):
        time.sleep(PACES["hanging"][1] + 1)  # until every client is connected and has asked once
        began = time.monotonic()
        usual_bytes = wait_and_watch(BASELINE_SECONDS, lambda: server.memory_info().rss)
        hung = time.monotonic()
        control.set_faults(*usual, Latency(milliseconds=HANG_SECONDS * 1000, match=only(hanging)))
        most_bytes = wait_and_watch(HANG_SECONDS, lambda: server.memory_info().rss)
        openings = bench.samples().total("orderdesk_breaker_openings_total")
        back = time.monotonic()
        control.set_faults(*usual)
        recovered = recovery_seconds(victim, back)
        ended = time.monotonic()
    before, during = percentile_95(bystanders, began, hung), percentile_95(bystanders, hung, ended)
    longest = max(outcome.seconds for outcome in victim.outcomes)
    figures = {
        "p95 of the others before, s": round(before, 3),
        "p95 of the others during, s": round(during, 3),
        "longest wait, s": round(longest, 2),
        "recovery, s": round(recovered, 2),
        "growth, MiB": round((most_bytes - usual_bytes) / 2**20, 1),
        "calls of the hanging store": len(victim.during(hung, back)),
    }
    logging.getLogger(__name__).info("measured: %s", figures)
    assert {outcome.code for outcome in victim.during(began, hung)} == {"success"}
    assert victim.during(hung + SLACK_SECONDS, back)
    assert {outcome.code for outcome in victim.during(hung + SLACK_SECONDS, back)} == {"UPSTREAM_UNAVAILABLE"}
    assert openings >= 1
    assert longest <= DEADLINE + SLACK_SECONDS, figures
    assert during <= 1.5 * before, figures
    assert recovered <= RECOVERY_SECONDS, figures
    assert most_bytes - usual_bytes <= GROWTH_BYTES, figures
    events = [event["event"] for event in bench.events() if event["event"].startswith("breaker.")]
    assert events[0] == "breaker.opened"
    assert events[-1] == "breaker.closed"
