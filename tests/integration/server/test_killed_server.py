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
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.client.errors import NoAnswerError
from harness.repository import REPOSITORY
from harness.sandbox.faults import Latency, Match
from server.writes.leases import STALE_MARGIN_SECONDS
from server.writes.ledger import Write, key_digest
from tests.integration.server.bench import Bench, Shop, Upstream, fail, only, settings_of, start_bench, succeed
from tests.integration.server.contention import Crowd, Outcome, Told, applied, verify
from tests.integration.server.operating import run_command, wait_until

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
    rng, rounds = random.Random(1), []
    since = upstream.control.last_sequence()
    for number in range(ROUNDS):
        with start_bench(upstream, environment, tmp_path / f"round-{number}") as bench:
            # Orders of its own: those of the round before are kept locked while a request may still arrive.
            shop, told = bench.open_shop(), Told()
            upstream.control.set_faults(Latency(milliseconds=(5, 40), match=Match(store_id=shop.account.store_id)))
            crowd = Crowd(bench, shop, shop.orders[:ORDERS], CLIENTS, seed=number)
            asyncio.run(write_until_killed(bench, crowd, told, rng.uniform(0.05, 1.2)))
            rounds.append((shop, told))
    upstream.control.clear_faults()
    assert sum(len(told) for _, told in rounds) >= ROUNDS, "hardly anything was written"
    before = [check_recorded(database, shop, told, taken_of(upstream, shop, since)) for shop, told in rounds]
    assert any(before), "no kill met a write: the test shows nothing"
    assert {row["id"] for row in unsettled(environment)} == left_in(database)
    with start_bench(upstream, environment, tmp_path / "after"):
        look_up_all(environment)
    for (shop, told), left in zip(rounds, before, strict=True):
        check_looked_up(database, shop, told, taken_of(upstream, shop, since), left)


def look_up_all(environment: Mapping[str, str]) -> None:
    """Look up until nothing may be under way any more: the dead servers' calls had their deadlines, and a margin."""
    wait_until(
        lambda: all(row["state"] != "under-way" for row in unsettled(environment, "--look-up")), "no call runs", 60
    )
    unsettled(environment, "--look-up")  # also what ceased to be under way between a look-up and its list


def taken_of(upstream: Upstream, shop: Shop, since: int) -> list[Outcome]:
    entries = [entry for entry in upstream.control.journal(since) if entry["store_id"] == shop.account.store_id]
    return applied(entries, shop.orders[:ORDERS])


def check_recorded(database: Path, shop: Shop, told: Told, taken: Sequence[Outcome]) -> set[Outcome]:
    """What is not settled of one round, after a look at all that was told and done in it."""
    verify(told, list(taken))
    known = recorded(database, shop, asked_of(told))
    assert not set(taken) - set(known), "OrderDesk was changed without an intent"
    return {outcome for outcome, state in known.items() if state in {"intent", "uncertain"}}


def check_looked_up(
    database: Path, shop: Shop, told: Told, taken: Sequence[Outcome], left: Collection[Outcome]
) -> None:
    known = recorded(database, shop, asked_of(told))
    # What a later write of the same key covered cannot be seen any more; it stays listed, for a person to judge.
    last: dict[tuple[str, str], int] = {(order, name): value for order, name, value in taken}
    for order, name, value in left:
        if last.get((order, name)) == value:
            assert known[order, name, value] == "done", f"{order} {name} shows {value}"
        elif (order, name, value) not in taken:
            assert known[order, name, value] == "uncertain"


def asked_of(told: Told) -> set[Outcome]:
    return {*told.acknowledged, *told.failed, *told.uncertain}


def left_in(database: Path) -> set[str]:
    """The ids of the writes whose outcome the ledger does not know."""
    return {row[0] for row in rows_of(database, "SELECT id FROM writes WHERE state IN ('intent', 'uncertain')")}


def rows_of(database: Path, query: str, *values: str) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query, values).fetchall()


def recorded(database: Path, shop: Shop, asked: Collection[Outcome]) -> dict[Outcome, str]:
    """The state of each write, by what it wrote: its idempotency key, of which a digest is kept, says that."""
    scope = Write(shop.tenant.id, "", "", "orders_update", shop.account.store_id, None, "", b"", {})
    keys = {key_digest(replace(scope, idempotency_key=f"{name}-{value}")): (name, value) for _, name, value in asked}
    query = "SELECT target, idempotency_key, state FROM writes WHERE tool = 'orders_update' AND tenant_id = ?"
    rows = rows_of(database, query, shop.tenant.id)
    return {(target, *keys[key]): state for target, key, state in rows}


def test_what_a_killed_server_sent_is_waited_for_before_the_same_order_is_written_or_reverted(
    upstream: Upstream, migrated_database: Path, tmp_path: Path
) -> None:
    database = tmp_path / "app.db"
    database.write_bytes(migrated_database.read_bytes())
    environment = settings_of(upstream, database, CALL_DEADLINE_SECONDS="2")
    stale_seconds = 2 + STALE_MARGIN_SECONDS
    with (
        start_bench(upstream, environment, tmp_path / "killed") as killed,
        start_bench(upstream, environment, tmp_path / "other") as other,
        ThreadPoolExecutor(1) as thread,
    ):
        shop = killed.open_shop()
        order = {"order_id": shop.orders[0]}
        before = upstream.order(shop.account, shop.orders[0])
        with killed.connect(shop.tenant) as client:
            first = succeed(client, "orders_update", {**order, "changes": {"email": "first@example.com"}})["write_id"]
            since = upstream.control.last_sequence()
            upstream.control.set_faults(Latency(milliseconds=8_000, count=1, match=only(shop, "PUT")))
            began = time.monotonic()
            moved = {**order, "changes": {"shipping": {"city": "Leeds"}}}
            lost = thread.submit(client.call_tool, "orders_update", moved)
            wait_until(lambda: bool(upstream.control.faults()[0]["fired"]), "the write is sent", 10)
            os.kill(killed.process.pid, signal.SIGKILL)
            assert isinstance(lost.exception(), NoAnswerError)
        with other.connect(shop.tenant) as client:
            waiting = upstream.control.last_sequence()
            error = fail(client, "orders_update", {**order, "changes": {"email": "second@example.com"}})
            assert (error["code"], error["details"]["reason"]) == ("UPSTREAM_UNAVAILABLE", "order_busy")
            # It was planned once: whoever waits leaves the store's rate limit to others.
            assert [call["method"] for call in upstream.calls(shop.account, waiting)] == ["GET"]
            assert upstream.applied(shop.account, since) == []
            reverted = run_command(other, "writes", "revert", first)
            assert reverted.returncode == 0, reverted.stdout + reverted.stderr
            assert "writes are under way at store " in reverted.stderr
            assert time.monotonic() - began > stale_seconds
            # What was sent late replaced the whole order, with the e-mail that was reverted after it.
            assert len(upstream.applied(shop.account, since)) == 2
            found = upstream.order(shop.account, shop.orders[0])
            assert (found["email"], found["shipping"]["city"]) == (before["email"], "Leeds")
            assert unsettled(environment, "--look-up") == []
            succeed(client, "orders_update", {**order, "changes": {"email": "second@example.com"}})
        assert upstream.order(shop.account, shop.orders[0])["email"] == "second@example.com"
