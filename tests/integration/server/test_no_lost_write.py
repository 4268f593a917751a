"""Clients that contend for a few orders while everything goes wrong: nothing acknowledged is lost or done twice."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox.client import SandboxClient
from harness.sandbox.faults import (
    ConnectionReset,
    Fault,
    ForeignWriter,
    Latency,
    LostResponse,
    Match,
    ServerError,
    TooManyRequests,
)
from tests.integration.server.bench import Bench, Shop, Upstream, settings_of, start_bench, succeed
from tests.integration.server.contention import Crowd, Told, applied, verify

FULL = bool(os.environ.get("QUARTERMASTER_FULL"))
CLIENTS = 50 if FULL else 20
ORDERS = 5
PATIENT = 50 if FULL else 10  # clients that share OrderDesk's three requests a second
ACKNOWLEDGED = 2_000 if FULL else 200
EACH_FAULT = 100 if FULL else 10
PROBABILITY = 0.018
ROUNDS_AT_TWO = 4

StartBench = Callable[..., Bench]

pytestmark = pytest.mark.timeout(1_200 if FULL else 300)


def faults_of(shop: Shop, probability: float) -> tuple[Fault, ...]:
    only, puts = Match(store_id=shop.account.store_id), Match(store_id=shop.account.store_id, method="PUT")
    return (
        Latency(milliseconds=(20, 300), probability=probability * 2, match=only),
        TooManyRequests(probability=probability, match=only),
        ServerError(status=502, probability=probability, match=only),
        ConnectionReset(probability=probability, match=only),
        LostResponse(probability=probability * 3, match=puts),
        ForeignWriter(probability=probability * 2, tokens=0, match=only),
    )


def crowd_of(bench: Bench, shop: Shop, clients: int = CLIENTS) -> Crowd:
    return Crowd(bench, shop, shop.orders[:ORDERS], clients)


def journal_of(control: SandboxClient, since: int, shop: Shop) -> list[tuple[str, str, int]]:
    return applied(control.journal(since), shop.orders[:ORDERS])


def test_with_every_fault_on_each_acknowledged_change_is_applied_exactly_once(
    start: StartBench, record_property: Callable[[str, object], None]
) -> None:
    bench = start(RATE_LIMIT_RPM="10000000", HTTP_TIMEOUT_SECONDS="5", CALL_DEADLINE_SECONDS="20")
    shop, control = bench.open_shop(), bench.upstream.control
    since, told, fired = control.last_sequence(), Told(), {"none yet": 0}
    control.set_faults(*faults_of(shop, PROBABILITY))
    while len(told) < ACKNOWLEDGED or min(fired.values()) < EACH_FAULT:
        wanted = max(ACKNOWLEDGED, len(told) + 20)
        asyncio.run(crowd_of(bench, shop).write(told, acknowledgements=wanted))
        fired = {fault["kind"]: fault["fired"] for fault in control.faults()}
    control.clear_faults()
    verify(told, journal_of(control, since, shop))
    record_property("fired", fired)
    record_property("told", {"acknowledged": len(told), "uncertain": len(told.uncertain), **told.codes})
    unsettled = bench.query("SELECT count(*) FROM writes WHERE state = 'intent'")
    assert unsettled == [(0,)], "every call was answered, so every intent has its outcome"


def test_without_the_lock_per_order_the_same_crowd_loses_writes(
    upstream: Upstream, migrated_database: Path, tmp_path: Path
) -> None:
    database = tmp_path / "app.db"
    database.write_bytes(migrated_database.read_bytes())
    environment = settings_of(upstream, database, RATE_LIMIT_RPM="10000000", CALL_DEADLINE_SECONDS="20")
    module = "tests.integration.server.lockless_server"
    with start_bench(upstream, environment, tmp_path, module) as bench:
        shop = bench.open_shop()
        upstream.control.set_faults(Latency(milliseconds=(20, 60), match=Match(store_id=shop.account.store_id)))
        since, told = upstream.control.last_sequence(), Told()
        asyncio.run(crowd_of(bench, shop).write(told, acknowledgements=60))
        upstream.control.clear_faults()
        with pytest.raises(AssertionError, match=r"went back|more than once"):
            verify(told, journal_of(upstream.control, since, shop))


def test_with_the_upstream_s_rate_limit_on_no_write_is_lost_and_no_client_starves(start: StartBench) -> None:
    bench = start(RATE_LIMIT_RPM="10000000", HTTP_TIMEOUT_SECONDS="5", CALL_DEADLINE_SECONDS="30")
    shop, control = bench.open_shop(), bench.upstream.control
    control.bucket(enabled=True)
    try:
        since, told = control.last_sequence(), Told()
        asyncio.run(crowd_of(bench, shop, PATIENT).write(told, acknowledgements=PATIENT, each=1))
    finally:
        control.bucket(enabled=False)
    verify(told, journal_of(control, since, shop))
    refused = [entry for entry in control.journal(since) if entry["status"] == 429]
    assert len(refused) <= len(told), "the server keeps to OrderDesk's limit by itself"


def test_two_servers_on_one_database_lose_no_write_of_each_other(start: StartBench, tmp_path: Path) -> None:
    first = start(RATE_LIMIT_RPM="10000000", HTTP_TIMEOUT_SECONDS="5", CALL_DEADLINE_SECONDS="30")
    shop, control = first.open_shop(), first.upstream.control
    with start_bench(first.upstream, first.environment, tmp_path / "second") as second:
        control.set_faults(Latency(milliseconds=(5, 40), match=Match(store_id=shop.account.store_id)))
        since, told = control.last_sequence(), [Told(), Told()]

        async def write() -> None:
            crowds = [
                Crowd(bench, shop, shop.orders[:2], 4, first=4 * number) for number, bench in enumerate((first, second))
            ]
            await asyncio.gather(
                *(crowd.write(each, acknowledgements=15) for crowd, each in zip(crowds, told, strict=True))
            )

        asyncio.run(write())
        control.clear_faults()
    taken = applied(control.journal(since), shop.orders[:2])
    every = Told()
    for each in told:
        every.acknowledged += each.acknowledged
        every.failed += each.failed
        every.uncertain += each.uncertain
    verify(every, taken)
    assert min(map(len, told)) >= 15


@pytest.mark.parametrize("tool", ["orders_update", "orders_create"])
def test_the_same_request_at_two_servers_is_carried_out_once_and_told_to_all(
    tool: str, start: StartBench, tmp_path: Path
) -> None:
    first = start()
    shop, control = first.open_shop(), first.upstream.control
    with start_bench(first.upstream, first.environment, tmp_path / "second") as second:
        control.set_faults(Latency(milliseconds=(50, 200), match=Match(store_id=shop.account.store_id)))
        since, method = control.last_sequence(), "PUT" if tool == "orders_update" else "POST"
        for number in range(ROUNDS_AT_TWO):
            order = {"customer": {"last_name": f"Ada {number}"}, "order_items": [{"name": "Cup", "price": 3}]}
            arguments: dict[str, dict[str, Any]] = {
                "orders_update": {"order_id": shop.orders[0], "changes": {"email": f"{number}@example.com"}},
                "orders_create": {"order_data": order},
            }
            asked = {**arguments[tool], "idempotency_key": f"key-{number}"}

            def ask(bench: Bench, asked: dict[str, Any] = asked) -> dict[str, Any]:
                with bench.connect(shop.tenant) as client:
                    return succeed(client, tool, asked)

            with ThreadPoolExecutor(6) as pool:
                told = list(pool.map(ask, [first, second] * 3))
            assert len({each["write_id"] for each in told}) == 1
            assert len([each for each in told if not each.get("replayed")]) == 1
        control.clear_faults()
    assert len(first.upstream.calls(shop.account, since, method)) == ROUNDS_AT_TWO
