import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.process import Command, running
from harness.repository import REPOSITORY
from harness.sandbox.faults import Latency, Match, SlowBody
from tests.integration.server.bench import Bench, Shop, succeed

# No setting lets a call outlast the drain; what would is a fault of the server's own, made here.
IMPATIENT = """
import os, sys
from server.commands.serve import run
from server.settings import Settings
sys.exit(run(Settings.load(os.environ).model_copy(update={"drain_seconds": 1}), None))
"""


@contextlib.contextmanager
def impatient(bench: Bench, logs: Path) -> Iterator[Bench]:
    """The bench's server started again, to drain for one second whatever its calls may take."""
    assert bench.process.stop() == 0
    command = Command("server", (sys.executable, "-c", IMPATIENT), bench.environment, REPOSITORY)
    with running(command, logs=logs) as process:
        port = process.wait_for_event("server.listening", seconds=30)["port"]
        yield dataclasses.replace(bench, base_url=f"http://127.0.0.1:{port}", process=process)


def slow_calls(bench: Bench, shop: Shop, milliseconds: int) -> None:
    bench.upstream.control.set_faults(Latency(milliseconds=milliseconds, match=Match(store_id=shop.account.store_id)))


def wait_until_upstream(bench: Bench, calls: int) -> None:
    deadline = time.monotonic() + 15
    while bench.upstream.control.faults()[0]["fired"] < calls:
        assert time.monotonic() < deadline


def test_no_call_in_flight_is_lost_and_every_row_of_the_audit_is_written(start: Any) -> None:
    bench = start(CALL_DEADLINE_SECONDS="20", HTTP_TIMEOUT_SECONDS="20")
    shop = bench.open_shop()
    orders = shop.orders[:8]
    slow_calls(bench, shop, 700)
    with ThreadPoolExecutor(len(orders)) as pool:

        def update(order_id: str) -> dict[str, Any]:
            with bench.connect(shop.tenant) as client:
                return succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_notes": "Drained"}})

        calls = [pool.submit(update, order_id) for order_id in orders]
        wait_until_upstream(bench, len(orders))
        os.kill(bench.process.pid, 15)
        messages = [call.result()["message"] for call in calls]
    assert messages == [f"Order {order_id} updated successfully" for order_id in orders]
    assert bench.process.wait(seconds=15) == 0
    bench.upstream.control.clear_faults()
    for order_id in orders:
        notes = bench.upstream.order(shop.account, order_id)["order_notes"]
        assert notes[-1]["content"] == "Drained"
    audited = bench.query("SELECT count(*) FROM audit WHERE tool = 'orders_update' AND status = 'success'")
    assert audited == [(len(orders),)]
    assert [event["event"] for event in bench.events()][-1] == "server.stopped"


def test_an_idle_connection_is_told_to_close_and_does_not_hold_the_stop_up(start: Any) -> None:
    bench = start()
    with httpx.Client(base_url=bench.base_url, trust_env=False) as http:
        assert "close" not in http.get("/health").headers.get("connection", "")
        os.kill(bench.process.pid, 15)
        deadline = time.monotonic() + 5
        closing = False
        while not closing and time.monotonic() < deadline:
            try:
                closing = http.get("/health").headers.get("connection") == "close"
            except httpx.TransportError:
                pytest.fail("the connection was cut without notice")
    assert bench.process.wait(seconds=5) == 0


def test_a_call_that_outlasts_the_drain_is_cut_off_and_the_exit_says_so(start: Any, tmp_path: Path) -> None:
    started = start(CALL_DEADLINE_SECONDS="30", HTTP_TIMEOUT_SECONDS="30")
    shop = started.open_shop()
    slow_calls(started, shop, 20_000)
    with impatient(started, tmp_path) as bench, ThreadPoolExecutor(1) as pool:

        def read() -> int:
            with bench.connect(shop.tenant) as client:
                try:
                    client.call_tool("orders_get", {"order_id": shop.orders[0]})
                except Exception:  # noqa: BLE001 - however it ends, it must end
                    return 0
                return 1

        call = pool.submit(read)
        wait_until_upstream(bench, 1)
        os.kill(bench.process.pid, 15)
        began = time.monotonic()
        assert bench.process.wait(seconds=8) == 3
        assert time.monotonic() - began < 5
        assert call.result() == 0


def test_a_write_that_is_cut_off_is_left_as_an_intent(start: Any, tmp_path: Path) -> None:
    started = start(CALL_DEADLINE_SECONDS="30", HTTP_TIMEOUT_SECONDS="30")
    shop = started.open_shop()
    started.upstream.control.set_faults(
        Latency(milliseconds=20_000, match=Match(method="PUT", store_id=shop.account.store_id))
    )
    with (
        impatient(started, tmp_path) as bench,
        ThreadPoolExecutor(1) as pool,
        bench.connect(shop.tenant) as client,
    ):
        asked = {"order_id": shop.orders[0], "changes": {"email": "a@example.com"}}
        call = pool.submit(client.call_tool, "orders_update", asked)
        wait_until_upstream(bench, 1)
        os.kill(bench.process.pid, 15)
        assert bench.process.wait(seconds=8) == 3
        assert call.exception() is not None or call.result().is_error
    ((state,),) = started.query("SELECT state FROM writes WHERE tool = 'orders_update'")
    assert state in {"intent", "uncertain"}


def test_an_interrupt_stops_an_idle_server_with_code_0(start: Any) -> None:
    bench = start()
    os.kill(bench.process.pid, 2)
    assert bench.process.wait(seconds=8) == 0


def test_a_killed_server_loses_no_acknowledged_write_and_repeats_none_that_it_cannot_know_of(
    start: Any, tmp_path: Any
) -> None:
    from tests.integration.server.bench import start_bench

    bench = start()
    shop = bench.open_shop()
    asked = {"order_id": shop.orders[0], "changes": {"order_notes": "Once"}, "idempotency_key": "killed"}
    with bench.connect(shop.tenant) as client:
        first = succeed(client, "orders_update", asked)
    # A second write is killed after OrderDesk applied it and before its answer was read.
    cut_off = {**asked, "order_id": shop.orders[1], "idempotency_key": "cut-off"}
    bench.upstream.control.set_faults(
        SlowBody(milliseconds=20_000, match=Match(method="PUT", store_id=shop.account.store_id))
    )
    since = bench.upstream.control.last_sequence()
    with ThreadPoolExecutor(1) as pool, bench.connect(shop.tenant) as client:
        call = pool.submit(client.call_tool, "orders_update", cut_off)
        wait_until_upstream(bench, 1)
        os.kill(bench.process.pid, 9)
        assert bench.process.wait(seconds=5) == -9
        assert call.exception() is not None
    bench.upstream.control.clear_faults()
    with (
        start_bench(bench.upstream, bench.environment, tmp_path / "again") as again,
        again.connect(shop.tenant) as client,
    ):
        assert succeed(client, "orders_update", asked) == {**first, "replayed": True}
        assert succeed(client, "orders_update", cut_off)["replayed"] is True  # looked up, not sent again
        assert len(bench.upstream.calls(shop.account, since, "PUT")) == 1
        assert again.query("SELECT count(*) FROM audit WHERE tool = 'orders_update'")[0][0] >= 1
