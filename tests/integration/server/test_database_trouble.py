"""A database that refuses rows: reads go on, writes are refused before OrderDesk is asked, and nothing is lost."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import Bench, Shop, fail, succeed
from tests.integration.server.operating import wait_until

BUSY_SECONDS = 2.0  # how long a write waits for the lock
SLOW_SECONDS = 1.5  # how much later its answer may come on a busy machine
# Keeps SQLite's lock, as a backup or a person with a shell may, until its input ends.
LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def fragile(start_once: Any) -> Bench:
    """A server whose database these tests may spoil."""
    bench: Bench = start_once(CALL_DEADLINE_SECONDS="4")
    return bench


@pytest.fixture
def shop(fragile: Bench) -> Shop:
    return fragile.open_shop()


@pytest.fixture
def client(fragile: Bench, shop: Shop) -> Iterator[Client]:
    with fragile.connect(shop.tenant) as client:
        yield client


@contextlib.contextmanager
def refusing(bench: Bench, what: str) -> Iterator[None]:
    """Let the database refuse one kind of statement, as it does when the disk is full, until the block ends."""
    with contextlib.closing(sqlite3.connect(bench.database)) as connection:
        connection.execute(f"CREATE TRIGGER refuse BEFORE {what} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END")
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER refuse")


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Let another program keep the database locked until the block ends."""
    command = (sys.executable, "-c", LOCKER, str(database))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        yield


def update(shop: Shop, **more: Any) -> dict[str, Any]:
    return {"order_id": shop.orders[0], "changes": {"order_notes": "Hello"}, **more}


def test_a_write_that_cannot_be_recorded_is_not_sent(fragile: Bench, shop: Shop, client: Client) -> None:
    since = fragile.upstream.control.last_sequence()
    with refusing(fragile, "INSERT ON writes"):
        assert fail(client, "orders_update", update(shop))["code"] == "STORAGE_UNAVAILABLE"
        succeed(client, "orders_get", {"order_id": shop.orders[0]})
        succeed(client, "orders_list", {"limit": 1})
    assert fragile.upstream.calls(shop.account, since, "PUT") == []
    succeed(client, "orders_update", update(shop))
    assert len(fragile.upstream.calls(shop.account, since, "PUT")) == 1


def test_a_write_that_happened_is_told_though_its_outcome_cannot_be_recorded(
    fragile: Bench, shop: Shop, client: Client
) -> None:
    asked = update(shop, idempotency_key="unrecorded")
    since = fragile.upstream.control.last_sequence()
    with refusing(fragile, "UPDATE ON writes WHEN NEW.state = 'done'"):
        told = succeed(client, "orders_update", asked)
        # Its intent is there, so that it is looked up and not sent again; what shows cannot be recorded either.
        assert succeed(client, "orders_update", asked)["replayed"] is True
    unkept = [event for event in fragile.events("writes.outcome_not_kept") if event["write_id"] == told["write_id"]]
    assert len(unkept) == 2
    assert succeed(client, "orders_update", asked)["replayed"] is True
    assert fragile.query("SELECT state FROM writes WHERE id = ?", told["write_id"]) == [("done",)]
    assert len(fragile.upstream.calls(shop.account, since, "PUT")) == 1


def test_audit_rows_that_are_refused_wait_and_come_in_their_order(fragile: Bench, shop: Shop, client: Client) -> None:
    with refusing(fragile, "INSERT ON audit"):
        succeed(client, "orders_list", {"limit": 1})
        assert fail(client, "orders_update", update(shop))["code"] == "STORAGE_UNAVAILABLE"
        succeed(client, "stores_list")
        assert fragile.samples().total("audit_rows_waiting") == 3
    deadline = time.monotonic() + 5
    rows: list[tuple[Any, ...]] = []
    while len(rows) < 4 and time.monotonic() < deadline:
        rows = fragile.query(
            "SELECT tool FROM audit WHERE tenant_id = ? AND key_id <> 'operator' ORDER BY id", shop.tenant.id
        )
    assert rows == [("stores_register",), ("orders_list",), ("orders_update",), ("stores_list",)]
    assert fragile.samples().total("audit_rows_dropped_total") == 0


def test_a_lock_of_another_program_refuses_all_waiting_writes_within_the_busy_timeout(
    fragile: Bench, shop: Shop
) -> None:
    since = fragile.upstream.control.last_sequence()

    def write(order_id: str) -> tuple[str, float]:
        with fragile.connect(shop.tenant) as client:
            began = time.monotonic()
            error = fail(client, "orders_update", {"order_id": order_id, "changes": {"order_notes": "Hello"}})
            return error["code"], time.monotonic() - began

    with fragile.connect(shop.tenant) as client, ThreadPoolExecutor(8) as pool:
        with locked(fragile.database):
            # A read's audit row is refused too, and those who flush it wait for the same lock.
            succeed(client, "orders_get", {"order_id": shop.orders[1]})
            outcomes = list(pool.map(write, shop.orders[:8]))
            assert {code for code, _ in outcomes} == {"STORAGE_UNAVAILABLE"}
            assert max(seconds for _, seconds in outcomes) < BUSY_SECONDS + SLOW_SECONDS
            assert fail(client, "stores_delete", {"store_identifier": shop.label})["code"] == "STORAGE_UNAVAILABLE"
            assert succeed(client, "orders_get", {"order_id": shop.orders[1]})["cached"]
            assert not succeed(client, "orders_get", {"order_id": shop.orders[2]})["cached"]
            succeed(client, "orders_list", {"limit": 1})
        assert fragile.upstream.calls(shop.account, since, "PUT") == []
        began = time.monotonic()
        succeed(client, "orders_update", update(shop))
        assert time.monotonic() - began < BUSY_SECONDS
    assert len(fragile.upstream.calls(shop.account, since, "PUT")) == 1


def test_a_lock_of_a_moment_delays_a_write_and_refuses_none(fragile: Bench, shop: Shop, client: Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locked(fragile.database):
            call = pool.submit(succeed, client, "orders_update", update(shop))
            time.sleep(BUSY_SECONDS / 4)  # not for luck: the lock's moment
            assert not call.done()
        assert call.result()["status"] == "success"


def test_a_stop_while_the_database_is_locked_tells_how_many_audit_rows_it_loses(start: Any) -> None:
    bench = start(CALL_DEADLINE_SECONDS="2", DRAIN_SECONDS="3")
    shop = bench.open_shop()
    with locked(bench.database):
        with bench.connect(shop.tenant) as client:
            for order_id in shop.orders[:3]:
                succeed(client, "orders_get", {"order_id": order_id})
        began = time.monotonic()
        os.kill(bench.process.pid, 15)
        assert bench.process.wait(seconds=15) == 3
        # The last try may begin at the very end of the drain time.
        assert time.monotonic() - began < 3 + BUSY_SECONDS + SLOW_SECONDS
    (lost,) = bench.events("audit.rows_lost")
    assert (lost["rows"], lost["error"]) == (3, "database is locked")
    (stopped,) = bench.events("server.stopped")
    assert stopped["audit_rows_lost"] == 3
    assert bench.query("SELECT count(*) FROM audit WHERE tool = 'orders_get'") == [(0,)]


def test_a_lock_that_ends_while_the_server_stops_costs_no_audit_row(start: Any) -> None:
    bench = start()
    shop = bench.open_shop()
    with locked(bench.database):
        with bench.connect(shop.tenant) as client:
            succeed(client, "orders_get", {"order_id": shop.orders[0]})
        os.kill(bench.process.pid, 15)
        wait_until(lambda: bool(bench.events("server.draining")), "the stop is under way")
        time.sleep(BUSY_SECONDS)  # not for luck: long enough for a try to fail
        assert bench.process.exit_code is None
    assert bench.process.wait(seconds=15) == 0
    assert bench.query("SELECT count(*) FROM audit WHERE tool = 'orders_get'") == [(1,)]
