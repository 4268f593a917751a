"""The server is killed at random moments while clients write: nothing reached OrderDesk unrecorded."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from harness.sandbox.faults import Latency, Match
from server.writes.ledger import Write, key_digest
from tests.integration.server.bench import Bench, Shop, Upstream, settings_of, start_bench
from tests.integration.server.contention import Crowd, Outcome, Told, applied, verify

ROUNDS = 50 if os.environ.get("QUARTERMASTER_FULL") else 5
CLIENTS = 8
ORDERS = 4
ENOUGH = 1_000_000  # the kill comes first

pytestmark = pytest.mark.timeout(900)


async def write_until_killed(bench: Bench, crowd: Crowd, told: Told, seconds: float) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(crowd.write(told, acknowledgements=ENOUGH))
        await asyncio.sleep(seconds)
        os.kill(bench.process.pid, signal.SIGKILL)


def unsettled(environment: Mapping[str, str], *options: str) -> list[dict[str, str]]:
    """What `writes uncertain` lists; it exits 1 when there is anything to list."""
    command = (sys.executable, "-m", "server", "writes", "uncertain", "--json", *options)
    done = subprocess.run(command, env=dict(environment), cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    listed: list[dict[str, str]] = json.loads(done.stdout)
    assert done.returncode == bool(listed)
    return listed


def test_after_a_kill_every_intent_is_settled_or_listed_and_a_look_up_settles_what_happened(
    upstream: Upstream, migrated_database: Path, tmp_path: Path
) -> None:
    database = tmp_path / "app.db"
    database.write_bytes(migrated_database.read_bytes())
    environment = settings_of(upstream, database, CALL_DEADLINE_SECONDS="10")
    rng, told, shop = random.Random(1), Told(), None
    since = upstream.control.last_sequence()
    for number in range(ROUNDS):
        with contextlib.ExitStack() as stack:
            bench = stack.enter_context(start_bench(upstream, environment, tmp_path / f"round-{number}"))
            shop = shop or bench.open_shop()
            upstream.control.set_faults(Latency(milliseconds=(5, 40), match=Match(store_id=shop.account.store_id)))
            crowd = Crowd(bench, shop, shop.orders[:ORDERS], CLIENTS, seed=number)
            asyncio.run(write_until_killed(bench, crowd, told, rng.uniform(0.05, 1.2)))
    upstream.control.clear_faults()
    assert shop is not None
    judge(environment, database, upstream, shop, told, since)


def judge(environment: dict[str, str], database: Path, upstream: Upstream, shop: Shop, told: Told, since: int) -> None:
    taken = applied(upstream.control.journal(since), shop.orders[:ORDERS])
    verify(told, taken)
    assert len(told) >= ROUNDS, "hardly anything was written"
    asked = {*told.acknowledged, *told.failed, *told.uncertain}
    known = recorded(database, shop, asked)
    assert not set(taken) - set(known), "OrderDesk was changed without an intent"
    left = {outcome for outcome, state in known.items() if state in {"intent", "uncertain"}}
    assert left, "no kill met a write: the test shows nothing"
    assert {row["id"] for row in unsettled(environment)} == left_in(database)
    with start_bench(upstream, environment, database.parent / "after"):  # which looks up by itself
        assert not [row for row in unsettled(environment, "--look-up") if row["state"] == "under-way"]
        known = recorded(database, shop, asked)
        # What a later write of the same key covered cannot be seen any more; it stays listed, for a person to judge.
        last: dict[tuple[str, str], int] = {(order, name): value for order, name, value in taken}
        for order, name, value in left:
            if last.get((order, name)) == value:
                assert known[order, name, value] == "done", f"{order} {name} shows {value}"
            elif (order, name, value) not in taken:
                assert known[order, name, value] == "uncertain"


def left_in(database: Path) -> set[str]:
    """The ids of the writes whose outcome the ledger does not know."""
    return {row[0] for row in rows_of(database, "SELECT id FROM writes WHERE state IN ('intent', 'uncertain')")}


def rows_of(database: Path, query: str) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def recorded(database: Path, shop: Shop, asked: Collection[Outcome]) -> dict[Outcome, str]:
    """The state of each write, by what it wrote: its idempotency key, of which a digest is kept, says that."""
    scope = Write(shop.tenant.id, "", "", "orders_update", shop.account.store_id, None, "", b"", {})
    keys = {key_digest(replace(scope, idempotency_key=f"{name}-{value}")): (name, value) for _, name, value in asked}
    rows = rows_of(database, "SELECT target, idempotency_key, state FROM writes WHERE tool = 'orders_update'")
    return {(target, *keys[key]): state for target, key, state in rows}
