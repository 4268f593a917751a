"""A disk that is full: reads go on, writes are refused unsent, and nothing that happened is lost when there is room.

The database lies on a real disk of its own, small enough to fill.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from harness.client import Client
from harness.repository import REPOSITORY
from harness.sandbox.faults import Latency
from server.tools.declaration import WriteTool
from server.tools.registry import ALL
from tests.integration.server.bench import Bench, Shop, Upstream, fail, only, settings_of, start_bench, succeed
from tests.integration.server.operating import run_command, wait_until
from tests.integration.server.small_disk import AS_ROOT_OF_A_NAMESPACE, MIB, SmallDisk, small_disk
from tests.integration.server.stdio_process import speaking
from tests.integration.server.test_health_truth import listening, ready_of, wait_for
from tests.integration.server.test_webhook import change, deliver

RESERVE = 4 * MIB
STALE_SECONDS = 40.0
BACK_SECONDS = 5.0  # from the moment there is space until writes are taken: a second or two on an idle machine
PATIENCE = 15.0
WRITERS = 4
Start = Callable[..., Bench]

if os.geteuid():

    def test_all_of_this_file_as_root_of_a_namespace() -> None:
        """Whoever may not mount a disk may still be root of a namespace, where this file runs once more."""
        command = (*AS_ROOT_OF_A_NAMESPACE, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__)
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{' '.join(command[:4])} python -m pytest: {done.stdout}{done.stderr}", pytrace=False)


here = pytest.mark.skipif(  # nothing is left out: without root, the test above runs all of these, and fails with them
    bool(os.geteuid()), reason="runs inside test_all_of_this_file_as_root_of_a_namespace"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 16 * MIB) as disk:
        yield disk


@pytest.fixture
def start(upstream: Upstream, migrated_database: Path, disk: SmallDisk, tmp_path: Path) -> Iterator[Start]:
    """Start a server whose database is on the small disk."""
    with contextlib.ExitStack() as stack:

        def start_one(reserve: int, **settings: str) -> Bench:
            database = Path(shutil.copy(migrated_database, disk.path / "app.db"))
            environment = settings_of(upstream, database, DISK_RESERVE_BYTES=str(reserve), **settings)
            return stack.enter_context(start_bench(upstream, environment, tmp_path))

        yield start_one


def rename(number: int) -> dict[str, Any]:
    return {"customer": {"first_name": f"Ada {number}"}}


def check_clean(bench: Bench) -> None:
    """Nothing went wrong that no code expected."""
    samples = bench.samples()
    assert samples.total("unhandled_exceptions_total") == 0
    assert samples.total("errors_total", error_code="INTERNAL_ERROR") == 0
    assert [status for status in samples.labels("http_requests_total", "status") if status >= "5"] == []
    assert [event for event in bench.events() if "exception" in event or event["event"].endswith("crashed")] == []


def within(seconds: float, holds: Callable[[], bool], what: str) -> None:
    wait_until(holds, what, seconds)


def refused(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    error = fail(client, tool, arguments)
    assert error["code"] == "STORAGE_UNAVAILABLE", (tool, error)
    assert "nothing was changed" in error["message"]


def check_of(bench: Bench, what: str) -> str:
    answer = bench.get("/health/ready", admin=False)
    assert answer.status_code == 200  # reads go on: it stays in rotation
    return str(answer.json()["checks"][what])


def readiness(bench: Bench) -> str:
    return check_of(bench, "disk")


def check_reads(bench: Bench, shop: Shop, client: Client) -> None:
    """Orders are read from OrderDesk and from the cache, those who may call are let in, and webhooks are obeyed."""
    order_id = shop.orders[3]
    order = change(bench, shop.account, order_id, f"{time.time_ns()}@example.test")
    assert deliver(bench, shop.account, order).json() == {"status": "success", "duplicate": False}
    with bench.connect(shop.tenant) as newcomer:
        assert not succeed(newcomer, "orders_get", {"order_id": order_id})["cached"]
    assert succeed(client, "orders_get", {"order_id": order_id})["cached"]
    succeed(client, "orders_list", {"limit": 1})
    succeed(client, "products_list", {"limit": 1})
    succeed(client, "stores_list")
    preview = {"order_id": order_id, "changes": rename(0), "dry_run": True}
    assert succeed(client, "orders_update", preview)["changes"]
    denied = httpx.post(bench.url, json={}, headers={"Authorization": "Bearer k_0.secret"}, trust_env=False)
    assert denied.status_code == 401


def read_side_by_side(bench: Bench, shop: Shop) -> None:
    """Several clients ask for the stores, which are in the database."""

    def read(_number: int) -> None:
        with bench.connect(shop.tenant) as client:
            for _ in range(20):
                succeed(client, "stores_list")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(read, range(WRITERS)))


def rows_of(bench: Bench, shop: Shop, tool: str) -> int:
    ((count,),) = bench.query("SELECT count(*) FROM audit WHERE tenant_id = ? AND tool = ?", shop.tenant.id, tool)
    return int(count)


def back(client: Client, shop: Shop) -> bool:
    asked = {"order_id": shop.orders[0], "changes": rename(time.time_ns())}
    return not client.call_tool("orders_update", asked).is_error


def settled(bench: Bench) -> None:
    """Look up until nothing is uncertain: what may still be under way is left alone for a deadline and a margin."""
    within(
        STALE_SECONDS,
        lambda: run_command(bench, "writes", "uncertain", "--look-up").returncode == 0,
        "every write's outcome is known",
    )


@here
def test_below_the_reserve_every_write_is_refused_unsent_and_all_else_goes_on(start: Start, disk: SmallDisk) -> None:
    bench = start(RESERVE)
    shop, stranger = bench.open_shop(), bench.open_shop()
    with bench.connect(shop.tenant) as client:
        succeed(client, "orders_get", {"order_id": shop.orders[1]})
        assert readiness(bench) == "ok"
        disk.fill(leave=RESERVE // 2)
        within(BACK_SECONDS, lambda: readiness(bench).startswith("degraded"), "readiness says that writes are refused")
        assert re.fullmatch(r"degraded: writes are refused, [12] MiB are free", readiness(bench))

        since = bench.upstream.control.last_sequence()
        writes = {tool.name: tool.example for tool in ALL if isinstance(tool, WriteTool)} | {
            "stores_use_store": {"identifier": shop.label},
            "stores_delete": {"store_identifier": shop.label},
        }
        assert len(writes) > 15
        for tool, arguments in writes.items():
            refused(client, tool, dict(arguments))
        assert [call for call in bench.upstream.calls(shop.account, since) if call["method"] != "GET"] == []
        assert bench.query("SELECT count(*) FROM writes WHERE tool <> 'stores_register'") == [(0,)]

        assert succeed(client, "orders_get", {"order_id": shop.orders[1]})["cached"]
        check_reads(bench, shop, client)
        with bench.connect(stranger.tenant) as another:
            check_reads(bench, stranger, another)
        detailed = bench.get("/health/detailed").json()
        assert detailed["status"] != "healthy"
        assert detailed["checks"]["disk"]["writes"] == "refused"
        assert detailed["checks"]["disk"]["free_bytes"] <= detailed["checks"]["disk"]["reserve_bytes"] == RESERVE
        samples = bench.samples()
        assert 0 < samples.total("disk_free_bytes") < samples.total("disk_reserve_bytes") == RESERVE
        assert samples.total("errors_total", error_code="STORAGE_UNAVAILABLE") == len(writes)

        disk.clear()
        within(BACK_SECONDS, lambda: back(client, shop), "writes are taken again")
        within(BACK_SECONDS, lambda: readiness(bench) == "ok", "readiness says so")
        within(PATIENCE, lambda: rows_of(bench, shop, "orders_delete") == 1, "the refusals' audit rows are written")
    check_clean(bench)


@here
def test_on_a_disk_without_one_free_byte_reads_go_on_and_their_audit_rows_wait(start: Start, disk: SmallDisk) -> None:
    bench = start(0)
    shop = bench.open_shop()
    with bench.connect(shop.tenant) as client:
        disk.fill()
        since = bench.upstream.control.last_sequence()
        update = {"order_id": shop.orders[0], "changes": rename(1)}
        for tool, arguments in (("orders_update", update), ("stores_delete", {"store_identifier": shop.label})):
            refused(client, tool, arguments)
        assert bench.upstream.applied(shop.account, since) == []
        check_reads(bench, shop, client)
        within(BACK_SECONDS, lambda: readiness(bench).startswith("degraded"), "readiness says that writes are refused")
        database = "degraded: writes are refused: database or disk is full"
        within(BACK_SECONDS, lambda: check_of(bench, "database") == database, "readiness says what the database says")
        samples = bench.samples()
        assert samples.total("disk_free_bytes") == 0
        assert samples.total("audit_rows_waiting") > 5
        within(PATIENCE, lambda: bool(bench.events("audit.flush_failed")), "the log says that rows wait")
        assert rows_of(bench, shop, "orders_list") == 0

        disk.clear()
        within(BACK_SECONDS, lambda: back(client, shop), "writes are taken again")
        within(BACK_SECONDS, lambda: bench.samples().total("audit_rows_waiting") == 0, "the rows are written")
        within(BACK_SECONDS, lambda: check_of(bench, "database") == "ok", "readiness says so")
    assert rows_of(bench, shop, "orders_list") == 1
    assert bench.samples().total("audit_rows_dropped_total") == 0
    check_clean(bench)


@here
def test_whatever_clients_were_told_while_the_disk_filled_is_what_happened(start: Start, disk: SmallDisk) -> None:
    bench = start(0)
    shops = [bench.open_shop() for _ in range(WRITERS)]
    since = bench.upstream.control.last_sequence()
    stop = Event()

    def work(shop: Shop) -> list[str]:
        told: list[str] = []
        with bench.connect(shop.tenant) as client:
            while not stop.is_set():
                number = len(told)
                asked = {"order_id": shop.orders[number % 5], "changes": {"order_notes": f"Note {number}"}}
                outcome = client.call_tool("orders_update", asked)
                told.append(dict(outcome.structured or {})["error"]["code"] if outcome.is_error else "done")
                succeed(client, "orders_get", {"order_id": shop.orders[6]})
        return told

    def until_more(name: str, **labels: str) -> None:
        enough = bench.samples().total(name, **labels) + 5 * WRITERS
        within(PATIENCE, lambda: bench.samples().total(name, **labels) >= enough, f"more of {name} {labels}")

    with ThreadPoolExecutor(WRITERS) as pool:
        working: list[Future[list[str]]] = [pool.submit(work, shop) for shop in shops]
        try:
            for _ in range(2):
                until_more("mcp_tool_calls_total", tool_name="orders_update", status="success")
                disk.fill()
                until_more("errors_total", error_code="STORAGE_UNAVAILABLE")
                disk.clear()
            until_more("mcp_tool_calls_total", tool_name="orders_update", status="success")
        finally:
            stop.set()
    for shop, told in zip(shops, (work.result() for work in working), strict=True):
        assert set(told) == {"done", "STORAGE_UNAVAILABLE"}
        assert len(bench.upstream.applied(shop.account, since)) == told.count("done")
        notes = [bench.upstream.order(shop.account, order_id)["order_notes"] for order_id in shop.orders[:5]]
        held = {note["content"] for each in notes for note in each if note["content"].startswith("Note ")}
        assert held == {f"Note {number}" for number, outcome in enumerate(told) if outcome == "done"}
    settled(bench)
    check_clean(bench)


@here
def test_a_write_whose_outcome_finds_no_room_is_told_and_settled_when_there_is(start: Start, disk: SmallDisk) -> None:
    bench = start(0)
    shop = bench.open_shop()
    asked = {"order_id": shop.orders[0], "changes": rename(1), "idempotency_key": "no-room"}
    since = bench.upstream.control.last_sequence()
    bench.upstream.control.set_faults(Latency(milliseconds=1_000, match=only(shop, "PUT")))
    with bench.connect(shop.tenant) as client, ThreadPoolExecutor(1) as pool:
        call = pool.submit(succeed, client, "orders_update", asked)
        within(PATIENCE, lambda: bool(bench.upstream.control.faults()[0]["fired"]), "the write is sent")
        disk.fill()
        told = call.result()
        bench.upstream.control.clear_faults()
        assert told["order"]["customer"]["first_name"] == "Ada 1"
        assert [event["write_id"] for event in bench.events("writes.outcome_not_kept")] == [told["write_id"]]
        refused(client, "orders_update", asked)
        assert len(bench.upstream.applied(shop.account, since)) == 1

        disk.clear()
        ((state,),) = bench.query("SELECT state FROM writes WHERE id = ?", told["write_id"])
        assert state == "intent"
        settled(bench)
        ((state,),) = bench.query("SELECT state FROM writes WHERE id = ?", told["write_id"])
        assert state == "done"
        within(BACK_SECONDS, lambda: not client.call_tool("orders_update", asked).is_error, "writes are taken again")
        assert succeed(client, "orders_update", asked)["replayed"] is True
    assert len(bench.upstream.applied(shop.account, since)) == 1
    audited = bench.query("SELECT status FROM audit WHERE write_id = ?", told["write_id"])
    assert audited == [("success",)]
    check_clean(bench)


@here
@pytest.mark.parametrize("room_again", [False, True], ids=["for good", "until the stop is under way"])
def test_a_stop_tells_of_the_audit_rows_that_it_cannot_write(
    *, room_again: bool, start: Start, disk: SmallDisk
) -> None:
    bench = start(0, CALL_DEADLINE_SECONDS="2", DRAIN_SECONDS="4")
    shop = bench.open_shop()
    with bench.connect(shop.tenant) as client:
        disk.fill()
        for order_id in shop.orders[:3]:
            succeed(client, "orders_get", {"order_id": order_id})
    waiting = bench.samples().total("audit_rows_waiting")
    assert waiting >= 3
    began = time.monotonic()
    os.kill(bench.process.pid, 15)
    if room_again:
        within(PATIENCE, lambda: bool(bench.events("server.draining")), "the stop is under way")
        disk.clear()
    code = bench.process.wait(seconds=PATIENCE)
    assert time.monotonic() - began < 4 + 1.5
    (stopped,) = bench.events("server.stopped")
    if room_again:
        assert (code, stopped["audit_rows_lost"]) == (0, 0)
        assert rows_of(bench, shop, "orders_get") == 3
        return
    assert (code, stopped["audit_rows_lost"]) == (3, waiting)
    (lost,) = bench.events("audit.rows_lost")
    assert (lost["rows"], lost["error"]) == (waiting, "database or disk is full")
    assert not any("exception" in event for event in bench.events())


@here
def test_stdio_tells_of_the_audit_rows_that_it_cannot_write(start: Start, disk: SmallDisk, tmp_path: Path) -> None:
    bench = start(0, CALL_DEADLINE_SECONDS="2", DRAIN_SECONDS="3")
    shop = bench.open_shop()
    with speaking({**bench.environment, "TENANT_KEY": shop.tenant.key}, tmp_path / "stdio.log") as server:
        server.call("orders_get", order_id=shop.orders[0])
        disk.fill()
        server.call("orders_get", 2, order_id=shop.orders[1])
        assert server.end() == 3
        (lost,) = server.events("audit.rows_lost")
        assert lost["rows"] >= 1


@here
def test_a_disk_that_came_back_read_only_serves_reads_and_takes_writes_once_it_does(
    start: Start, disk: SmallDisk, tmp_path: Path
) -> None:
    bench = start(0)
    shop = bench.open_shop()
    os.kill(bench.process.pid, 9)  # as a power cut does: the log of the database stays beside it
    bench.process.wait(seconds=PATIENCE)
    disk.remount("ro")
    with listening(dict(bench.environment), tmp_path / "again") as base_url:
        again = Bench(base_url, bench.process, bench.environment, bench.database, bench.upstream)
        body = wait_for(ready_of(base_url), 503)
        assert body["checks"]["database"] == "fails: attempt to write a readonly database"
        since = again.upstream.control.last_sequence()
        update = {"order_id": shop.orders[0], "changes": rename(1)}
        with again.connect(shop.tenant) as client:
            began = time.monotonic()
            refused(client, "orders_update", update)
            refused(client, "stores_delete", {"store_identifier": shop.label})
            assert time.monotonic() - began < 2
            check_reads(again, shop, client)
            read_side_by_side(again, shop)  # so that the database has as many connections as it may
            disk.remount("rw")
            within(BACK_SECONDS, lambda: back(client, shop), "writes are taken again")
            assert len(again.upstream.calls(shop.account, since, "PUT")) == 2  # another integration's is the first
        within(BACK_SECONDS, lambda: ready_of(base_url)().status_code == 200, "it is ready")
        assert again.samples().total("unhandled_exceptions_total") == 0
