"""A runaway client is stopped by its cap and by each brake within a second, while reads and dry runs go on."""

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from harness.client import Client, RpcError
from harness.sandbox.faults import Match, TooManyRequests
from tests.integration.server.bench import Account, Bench, Shop, Tenant, fail, succeed
from tests.integration.server.conftest import StartBench
from tests.integration.server.operating import operate, wait_until
from tests.integration.server.writings import other_folder

STORES = 4
REFUSED = {"READ_ONLY", "HTTP 403"}
PROVEN = 20  # refusals, more than a second after the command, that show that the client still tries


@pytest.fixture(scope="module")
def own_bench(start_once: StartBench) -> Bench:
    """A server of this file's own: a brake on it is nobody else's."""
    return start_once(CALL_DEADLINE_SECONDS="15")


@dataclass
class Runaway:
    """A client that creates, moves and deletes orders in its stores as fast as it is let, one thread for each."""

    bench: Bench
    tenant: Tenant
    shops: list[Shop]
    outcomes: list[tuple[float, Shop, str]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    since: int = 0

    def __enter__(self) -> Self:
        self.since = self.bench.upstream.control.last_sequence()
        self._threads = ThreadPoolExecutor(len(self.shops))
        self._futures = [self._threads.submit(self._run, shop) for shop in self.shops]
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._threads.shutdown()
        for future in self._futures:
            future.result()

    def applied(self, *shops: Shop) -> list[float]:
        """When OrderDesk really changed something for these stores."""
        self.check()
        accounts = {shop.account.store_id for shop in shops}
        entries = self.bench.upstream.control.journal(self.since)
        return [entry["wall"] for entry in entries if entry["applied"] and entry["store_id"] in accounts]

    def refusals(self, shop: Shop, after: float) -> int:
        """How often a brake refused a call made later than `after`."""
        self.check()
        return sum(at > after and where is shop and code in REFUSED for at, where, code in list(self.outcomes))

    def check(self) -> None:
        """Fail with a thread's error."""
        for future in self._futures:
            if future.done():
                future.result()

    def _run(self, shop: Shop) -> None:
        folder = other_folder(self.bench, shop)
        with self.bench.connect(self.tenant) as client:
            for number in itertools.count():
                if self.stopping.is_set():
                    return
                at = {"store_identifier": shop.account.store_id}
                source = f"runaway-{shop.label}-{number}"
                created = self._call(client, shop, "orders_create", {"order_data": new_order(source), **at})
                if created is None:
                    continue
                order_id = created["order"]["id"]
                moved = {"order_ids": [order_id], "destination_folder_id": folder}
                self._call(client, shop, "orders_move", {**moved, **at})
                self._call(client, shop, "orders_delete", {"order_id": order_id, **at})

    def _call(self, client: Client, shop: Shop, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        at = time.time()
        try:
            outcome = client.call_tool(tool, arguments)
        except RpcError as error:
            self.outcomes.append((at, shop, f"HTTP {error.status}"))
            time.sleep(0.02)
            return None
        assert outcome.structured is not None
        if outcome.is_error:
            self.outcomes.append((at, shop, outcome.structured["error"]["code"]))
            time.sleep(0.02)
            return None
        self.outcomes.append((at, shop, "done"))
        return dict(outcome.structured)


def new_order(source: str) -> dict[str, Any]:
    return {
        "source_id": source,
        "source_name": "Runaway",
        "customer": {"first_name": "Ada", "last_name": "Example"},
        "order_items": [{"name": "Oak Tray", "price": 24.5, "quantity": 2}],
    }


def open_shops(bench: Bench, count: int) -> tuple[Tenant, list[Shop]]:
    """A tenant with several stores."""
    tenant = bench.new_tenant("runaway")
    accounts: list[Account] = [next(bench.upstream.accounts) for _ in range(count)]
    shops = [Shop(tenant, account, account.store_id, f"label-{account.store_id}") for account in accounts]
    with bench.connect(tenant) as client:
        for shop in shops:
            bench.register(client, shop)
    return tenant, shops


@pytest.fixture
def runaway(own_bench: Bench) -> Iterator[Runaway]:
    """The runaway client, running."""
    with Runaway(own_bench, *open_shops(own_bench, STORES)) as running:
        yield running


@pytest.mark.parametrize("scope", ["server", "tenant", "store", "suspended"])
def test_a_runaway_client_is_stopped_within_a_second(scope: str, own_bench: Bench, runaway: Runaway) -> None:
    tenant, shops = runaway.tenant, runaway.shops
    stopped = shops[:1] if scope == "store" else shops
    on = {"tenant": ["--tenant", tenant.name], "store": ["--store", tenant.id, shops[0].label]}.get(scope, [])
    pull, release = ["brake", "pull", "read-only", *on], ["brake", "release", "read-only", *on]
    if scope == "suspended":
        pull, release = ["tenant", "suspend", tenant.name], ["tenant", "resume", tenant.name]
    wait_until(lambda: len(runaway.applied(*stopped)) >= 3 * len(stopped), "writes before the brake")
    pulled = operate(own_bench, *pull, "--reason", "runaway agent")
    exited = time.time()
    try:
        assert [brake["reason"] for brake in pulled["in_force"]] == ["runaway agent"]
        wait_until(lambda: all(runaway.refusals(shop, exited + 1) >= PROVEN for shop in stopped), "refusals")
        applied = runaway.applied(*stopped)
        assert -3.0 < max(applied) - exited < 1.0  # it wrote until then
        assert_what_goes_on(scope, own_bench, runaway)
        assert runaway.applied(*stopped) == applied
    finally:
        operate(own_bench, *release)
    wait_until(lambda: len(runaway.applied(*stopped)) > len(applied), "writes after the release")


def assert_what_goes_on(scope: str, bench: Bench, runaway: Runaway) -> None:
    """Reads and dry runs where read-only; nothing where suspended; the other stores beside a braked one."""
    shop = runaway.shops[0]
    with bench.connect(runaway.tenant) if scope != "suspended" else bench.connect(bench.new_tenant()) as client:
        if scope == "suspended":
            assert succeed(client, "stores_list")["stores"] == []
            with pytest.raises(RpcError, match="suspended") as refusal:
                bench.connect(runaway.tenant)
            assert refusal.value.status == 403
            return
        at = {"store_identifier": shop.account.store_id}
        succeed(client, "orders_get", {"order_id": shop.orders[0], **at})
        note = {"order_id": shop.orders[0], "changes": {"order_notes": ["n"]}, **at}
        assert succeed(client, "orders_update", {**note, "dry_run": True})["dry_run"] is True
        error = fail(client, "orders_update", note)
        assert (error["code"], error["details"]["scope"]) == ("READ_ONLY", scope)
    if scope == "store":
        others = runaway.shops[1:]
        before = len(runaway.applied(*others))
        wait_until(lambda: len(runaway.applied(*others)) > before, "writes to the other stores")


def test_a_cap_stops_a_runaway_client_at_exactly_its_number(own_bench: Bench) -> None:
    tenant, shops = open_shops(own_bench, STORES)
    operate(own_bench, "brake", "cap", tenant.name, "7", "--reason", "new agent")
    with Runaway(own_bench, tenant, shops) as runaway:

        def capped() -> bool:
            runaway.check()
            return sum(code == "RATE_LIMIT_EXCEEDED" for _, _, code in list(runaway.outcomes)) >= PROVEN * STORES

        wait_until(capped, "refusals by the cap")
        assert len(runaway.applied(*shops)) == 7
        with own_bench.connect(tenant) as client:
            at = {"store_identifier": shops[0].account.store_id}
            error = fail(client, "orders_delete", {"order_id": shops[0].orders[0], **at})
            assert error["details"]["limit"] == "destructive_per_hour"
            assert 3500 < error["details"]["retry_after_seconds"] <= 3600
            # What does not count towards it goes on.
            succeed(client, "orders_add_note", {"order_id": shops[0].orders[0], "note": "still here", **at})
        operate(own_bench, "brake", "cap", tenant.name, "9", "--reason", "two more")
        wait_until(lambda: len(runaway.applied(*shops)) >= 10, "the two more")
        runaway.outcomes.clear()
        wait_until(capped, "refusals by the higher cap")
        assert len(runaway.applied(*shops)) == 10  # the note is one of them
    said = operate(own_bench, "brake", "cap", tenant.name, "--default")
    assert "500" in said["message"]
    assert said["in_force"] == []


def test_a_brake_stops_a_write_that_waits_for_its_turn(own_bench: Bench) -> None:
    shop = own_bench.open_shop()
    upstream = own_bench.upstream
    since = upstream.control.last_sequence()
    upstream.control.set_faults(
        TooManyRequests(match=Match(method="PUT", store_id=shop.account.store_id), retry_after=8, count=1)
    )
    with own_bench.connect(shop.tenant) as client, ThreadPoolExecutor(1) as other:
        arguments = {"order_id": shop.orders[0], "changes": {"order_notes": ["too late"]}}
        waiting = other.submit(fail, client, "orders_update", arguments)
        wait_until(lambda: len(upstream.calls(shop.account, since, "PUT")) == 1, "the refused write")
        operate(
            own_bench, "brake", "pull", "read-only", "--tenant", shop.tenant.name, "--reason", "stop", "--for", "1h"
        )
        assert not waiting.done()
        assert waiting.result()["code"] == "READ_ONLY"
    assert len(upstream.calls(shop.account, since, "PUT")) == 1
    (state,) = own_bench.query("SELECT state, error_code FROM writes WHERE target = ?", shop.orders[0])
    assert state == ("failed", "READ_ONLY")
    operate(own_bench, "brake", "release", "read-only", "--tenant", shop.tenant.id)


def test_a_brake_pulled_for_a_while_lets_go_by_itself(own_bench: Bench) -> None:
    shop = own_bench.open_shop()
    said = operate(
        own_bench, "brake", "pull", "read-only", "--tenant", shop.tenant.id, "--reason", "short", "--for", "3s"
    )
    with own_bench.connect(shop.tenant) as client:
        arguments = {"order_id": shop.orders[0], "changes": {"order_notes": ["later"]}}
        assert fail(client, "orders_update", arguments)["code"] == "READ_ONLY"
        wait_until(lambda: not client.call_tool("orders_update", arguments).is_error, "its end")
    assert said["in_force"][0]["expires_at"] is not None
    assert operate(own_bench, "brake", "list") == {"in_force": []}
