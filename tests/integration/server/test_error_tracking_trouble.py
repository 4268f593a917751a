"""A Sentry that is down, slow or hanging: no call and no stop waits for it, and what it did not get is counted."""

import contextlib
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.client import Client
from server.telemetry.tracking.tracker import CLOSE_SECONDS, QUEUE
from tests.integration.server.bench import Bench, Upstream, settings_of, start_bench
from tests.integration.server.sentry_receiver import TROUBLES, receiving

LEAKING = "tests.integration.server.leaking_server"
# More than the queue and the one that is being sent take.
CALLS = QUEUE + 60
# Every request is told, so that a Sentry in trouble is asked as often as can be.
SETTINGS = {"SENTRY_TRACES_SAMPLE_RATE": "1"}
REASONS = {"hangs": "queue", "refuses": "network", "slow": "queue", "429": "rate_limit", "500": "refused"}
# What machines that do other things as well make of two equal servers.
NOISE = 1.6
StartAt = Callable[..., Bench]


@pytest.fixture(scope="module")
def start_at(
    _sandbox: Upstream, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartAt]:
    """Start a broken server that reports to this DSN."""
    with contextlib.ExitStack() as stack:

        def start(dsn: str) -> Bench:
            folder = tmp_path_factory.mktemp("reporting")
            database = Path(shutil.copy(migrated_database, folder / "app.db"))
            environment = settings_of(_sandbox, database, SENTRY_DSN=dsn, **SETTINGS)
            return stack.enter_context(start_bench(_sandbox, environment, folder, LEAKING))

        yield start


@pytest.fixture(scope="module")
def healthy(start_at: StartAt) -> Iterator[Bench]:
    with receiving() as receiver:
        yield start_at(receiver.dsn)


def timed(client: Client, tool: str) -> float:
    began = time.perf_counter()
    assert client.call_tool(tool).is_error
    return time.perf_counter() - began


def stopped(bench: Bench) -> float:
    """Seconds that a stop takes. It must be a clean one."""
    began = time.perf_counter()
    assert bench.process.stop() == 0
    return time.perf_counter() - began


@pytest.mark.parametrize("trouble", TROUBLES)
def test_neither_calls_nor_the_stop_wait_for_a_sentry_in_trouble(
    trouble: str, healthy: Bench, start_at: StartAt
) -> None:
    with receiving(trouble) as receiver:
        bench = start_at(receiver.dsn)
        took: dict[str, list[float]] = {"healthy": [], "troubled": []}
        with healthy.connect(healthy.new_tenant()) as one, bench.connect(bench.new_tenant()) as other:
            for number in range(CALLS):
                tool = ("stores_list", "orders_list", "products_list")[number % 3]
                took["healthy"].append(timed(one, tool))
                took["troubled"].append(timed(other, tool))
        medians = {name: statistics.median(times) for name, times in took.items()}
        assert medians["troubled"] < medians["healthy"] * NOISE, medians
        # Waiting for an answer once would take the transport's five seconds, or the slow receiver's 0.3.
        assert statistics.quantiles(took["troubled"], n=100)[94] < 0.2

        dropped = until_dropped(bench, REASONS[trouble])
        assert 0 < dropped <= CALLS + 20
        line = bench.events("tool.crashed")[0]
        assert line["sentry_event"]
        seconds = stopped(bench)
    # NOTICE_SECONDS and SETTLE_SECONDS of the server's own stop, and its interpreter's end.
    assert seconds < CLOSE_SECONDS + 2.5, seconds


def until_dropped(bench: Bench, reason: str) -> float:
    """How many events the metric says were dropped for this reason, once there are any."""
    deadline = time.monotonic() + 15
    while not (dropped := bench.samples().total("error_events_dropped_total", reason=reason)):
        assert time.monotonic() < deadline, bench.get("/metrics").text
        time.sleep(0.05)
    return dropped


def test_a_stop_with_a_sentry_that_hangs_takes_no_longer_than_the_bound_beyond_one_without(
    start_at: StartAt, healthy: Bench
) -> None:
    def seconds(dsn: str) -> float:
        bench = start_at(dsn)
        with bench.connect(bench.new_tenant()) as client:
            timed(client, "stores_list")
        return stopped(bench)

    with receiving() as receiver, receiving("hangs") as hanging:
        without, waited = seconds(receiver.dsn), seconds(hanging.dsn)
    assert CLOSE_SECONDS - 0.2 < waited - without < CLOSE_SECONDS + 1


def test_the_same_fault_again_and_again_is_reported_a_few_times_and_counted_after_that(
    start_at: StartAt,
) -> None:
    with receiving() as receiver:
        bench = start_at(receiver.dsn)
        with bench.connect(bench.new_tenant()) as client:
            for _ in range(20):
                timed(client, "stores_list")
        assert until_dropped(bench, "throttle") == 15
        assert stopped(bench) < 5
        assert len(receiver.events("tool.crashed")) == 5
        assert sum("sentry_event" in line for line in bench.events("tool.crashed")) == 5


def test_a_redirect_is_not_followed_with_what_is_reported(start_at: StartAt) -> None:
    with receiving() as elsewhere, receiving("307") as receiver:
        receiver.elsewhere = elsewhere.dsn.replace("publickey@", "")
        bench = start_at(receiver.dsn)
        with bench.connect(bench.new_tenant()) as client:
            timed(client, "stores_list")
        until_dropped(bench, "refused")
        assert stopped(bench) < 5
    assert receiver.requests
    assert elsewhere.requests == []
