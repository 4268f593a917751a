"""A database that refuses rows: reads go on, writes are refused before OrderDesk is asked, and nothing is lost."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import Bench, Shop, fail, succeed


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


def update(shop: Shop, **more: Any) -> dict[str, Any]:
    return {"order_id": shop.orders[0], "changes": {"order_notes": "Hello"}, **more}


def test_a_write_that_cannot_be_recorded_is_not_sent(fragile: Bench, shop: Shop, client: Client) -> None:
    since = fragile.upstream.control.last_sequence()
    with refusing(fragile, "INSERT ON writes"):
        assert fail(client, "orders_update", update(shop))["code"] == "INTERNAL_ERROR"
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
        succeed(client, "orders_update", asked)
    assert "writes.outcome_not_kept" in {event["event"] for event in fragile.events()}
    # Its intent is there, so that nobody repeats it unknowing.
    assert fail(client, "orders_update", asked)["code"] == "WRITE_UNCERTAIN"
    assert len(fragile.upstream.calls(shop.account, since, "PUT")) == 1


def test_audit_rows_that_are_refused_wait_and_come_in_their_order(fragile: Bench, shop: Shop, client: Client) -> None:
    with refusing(fragile, "INSERT ON audit"):
        succeed(client, "orders_update", update(shop))
        succeed(client, "stores_list")
    deadline = time.monotonic() + 5
    rows: list[tuple[Any, ...]] = []
    while len(rows) < 3 and time.monotonic() < deadline:
        rows = fragile.query("SELECT tool FROM audit WHERE tenant_id = ? ORDER BY id", shop.tenant.id)
    assert rows == [("stores_register",), ("orders_update",), ("stores_list",)]
    assert fragile.samples().total("audit_rows_dropped_total") == 0


def test_a_database_that_is_locked_costs_a_write_no_more_than_its_deadline(
    fragile: Bench, shop: Shop, client: Client
) -> None:
    since = fragile.upstream.control.last_sequence()
    with contextlib.closing(sqlite3.connect(fragile.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert client.call_tool("orders_update", update(shop)).is_error
        # The deadline of a call is 4 s here; half as much again is for the row that tells of it.
        assert time.monotonic() - began < 6
        succeed(client, "orders_get", {"order_id": shop.orders[1]})
        other.execute("ROLLBACK")
    assert fragile.upstream.calls(shop.account, since, "PUT") == []
