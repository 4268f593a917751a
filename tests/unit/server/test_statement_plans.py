"""What the profile of statements found once: none of it reads a whole table, sorts one, or repeats itself."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from server.seeding import Sizes, Tenant, fill
from server.storage.database import Database
from server.tenancy.stores import Stores
from server.tenancy.summaries import summaries
from server.tenancy.vault import Vault
from server.writes.history import Filter, History
from server.writes.leases import Leases

NOW = 1_760_000_000_000
SIZES = Sizes(tenants=5, stores=50, audit_rows=200, writes=100)

Sent = list[tuple[str, tuple[object, ...]]]


@pytest.fixture
def sent(database: Database) -> Sent:
    """Each statement that reaches the database, with what is bound to it."""
    statements: Sent = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        first = parameters[0] if isinstance(parameters, list) else parameters
        statements.append((statement, first))

    return statements


@pytest.fixture
async def tenant(database: Database, vault: Vault) -> Tenant:
    return await fill(database, vault, SIZES, seed=1, now=NOW, progress=lambda *_: None)


@pytest.fixture
def plans(database_file: Path, sent: Sent, tenant: Tenant) -> Callable[[], list[str]]:
    """The lines of the plans of what was sent since the database was filled."""
    assert tenant.stores
    sent.clear()

    def explain() -> list[str]:
        with closing(sqlite3.connect(database_file)) as connection:
            return [
                row[3]
                for statement, parameters in sent
                if statement.startswith("SELECT")
                for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]

    return explain


async def test_the_master_keys_are_told_without_reading_every_store(
    database: Database, vault: Vault, plans: Callable[[], list[str]]
) -> None:
    assert await Stores(database, vault).master_keys_fit()
    lines = plans()
    for gap in ("<", ">"):
        assert f"SEARCH stores USING INDEX ix_stores_sealed_api_key (sealed_api_key{gap}?)" in lines
    assert not any("DISTINCT" in line for line in lines)


@pytest.mark.usefixtures("tenant")
async def test_a_store_sealed_under_another_key_is_found_wherever_that_sorts(
    database: Database, database_file: Path, vault: Vault
) -> None:
    head = vault.first_head
    others = (head[:1] + bytes(4), head[:1] + b"\xff" * 4, b"\x00" * 5, b"\xff" * 5)
    for other in others:
        assert other != head
        with closing(sqlite3.connect(database_file)) as connection:
            row = "(SELECT id FROM stores LIMIT 1)"
            (kept,) = connection.execute(f"SELECT sealed_api_key FROM stores WHERE id = {row}").fetchone()
            chosen = connection.execute("SELECT id FROM stores WHERE sealed_api_key = ?", (kept,)).fetchone()
            connection.execute("UPDATE stores SET sealed_api_key = ? WHERE id = ?", (other + kept[5:], *chosen))
            connection.commit()
            assert not await Stores(database, vault).master_keys_fit(), other
            connection.execute("UPDATE stores SET sealed_api_key = ? WHERE id = ?", (kept, *chosen))
            connection.commit()
        assert await Stores(database, vault).master_keys_fit()


@pytest.mark.usefixtures("tenant")
async def test_each_key_of_the_ring_opens_and_one_that_left_it_is_missed(database: Database) -> None:
    keys = [os.urandom(32) for _ in range(3)]
    ring = Vault(*keys)
    async with database.write() as connection:
        rows = (await connection.exec_driver_sql("SELECT id FROM stores")).scalars().all()
        for number, row in enumerate(rows):
            sealed = Vault(keys[number % 3]).seal("t", "p", b"k")
            await connection.exec_driver_sql("UPDATE stores SET sealed_api_key = ? WHERE id = ?", (sealed, row))
    assert await Stores(database, ring).master_keys_fit()
    for left in keys:
        rest = [key for key in keys if key != left]
        assert not await Stores(database, Vault(*rest)).master_keys_fit()


@pytest.mark.parametrize(
    "wanted", [Filter(), Filter(store_id="5000001"), Filter(state="failed"), Filter(state="abandoned"), Filter(since=1)]
)
async def test_writes_are_listed_in_the_order_of_an_index(
    wanted: Filter, database: Database, plans: Callable[[], list[str]]
) -> None:
    await History(database, Leases.of_this_process(45)).find(wanted, 10)
    assert [line for line in plans() if line in {"SCAN writes", "USE TEMP B-TREE FOR ORDER BY"}] == []


async def test_recovery_reads_only_what_is_unsettled(database: Database, plans: Callable[[], list[str]]) -> None:
    await History(database, Leases.of_this_process(45)).to_look_up(1_000)
    assert [line for line in plans() if line.startswith("SCAN")] == []


async def test_tenants_are_listed_without_reading_every_store(
    database: Database, plans: Callable[[], list[str]]
) -> None:
    async with database.read() as connection:
        listed = await summaries(connection, NOW)
    assert {summary.stores for summary in listed} == {10}
    assert [line for line in plans() if line.startswith("SCAN stores")] == []


async def test_leases_are_taken_with_one_statement(database: Database, sent: Sent) -> None:
    names = tuple(f"n{number}" for number in range(9))
    async with database.write() as connection:
        await Leases.of_this_process(45).take(connection, names, "w")
        await Leases.of_this_process(45).take(connection, (), "w")
    assert len([statement for statement, _ in sent if statement.startswith("INSERT INTO write_leases")]) == 1
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM write_leases")).scalar_one() == 9
