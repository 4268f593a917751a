import asyncio
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.brakes import Brakes
from server.errors import ConflictError, OrderDeskError, WriteUncertainError
from server.storage.database import Database
from server.tenancy.tenants import Caller, Tenants
from server.tenancy.vault import Vault
from server.tools.call import Call, Services
from server.writes import revert as revert_module
from server.writes.history import History
from server.writes.leases import Leases
from server.writes.ledger import Write, WriteLedger
from server.writes.operation import Plan
from server.writes.pause import Pause
from server.writes.rehearsal import Rehearsal
from server.writes.revert import Reverted, Reverter

DEADLINE = 30.0
TARGETS = ("1", "2", "3")


@dataclass
class Shop:
    """What is written at once and to be taken back: `outcomes` says what becomes of each object's reversal."""

    ledger: WriteLedger
    history: History
    tenant: Caller
    write_id: str
    outcomes: dict[str, Exception | None] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    pause: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(refuse_lost=lambda: None))

    def operations(self, *_: object) -> tuple[Any, ...]:
        return tuple(
            SimpleNamespace(
                target=each,
                objects=1,
                locks=(),
                plan=self._planned(each),
                preview=lambda plan: {"changes": [plan.after]},
                look_up=self._looked(each),
            )
            for each in TARGETS
        )

    def _planned(self, target: str) -> Any:
        async def plan() -> Plan:
            if target in self.refused:
                raise ConflictError("changed since")
            return Plan({}, {"id": target})

        return plan

    def _looked(self, target: str) -> Any:
        async def look_up(_plan: Plan) -> dict[str, Any] | None:
            return {"status": "success"} if target in self.shown else None

        return look_up

    async def carry_out(self, call: Call, operation: Any, write: Any) -> dict[str, Any]:
        if isinstance(write, Plan):
            return {}  # rehearsed
        self.waited.append(call.deadline - time.monotonic())
        await asyncio.sleep(0.01)
        self.sent.append(operation.target)
        write_id = await self.ledger.begin(write, Plan({}, {}))
        outcome = self.outcomes.get(operation.target)
        if isinstance(outcome, OrderDeskError | WriteUncertainError):
            await self.ledger.failed(write_id, outcome)
        if outcome is not None:
            raise outcome
        await self.ledger.done(write_id, self.tenant.tenant_id, {"status": "success"})
        return {"status": "success"}

    async def revert(self) -> tuple[int, int, str | None]:
        done = await self._reverter().revert(await self._row(), cast("Pause", self.pause))
        return done.done, done.count, done.why

    async def rehearse(self) -> Reverted:
        return await self._reverter().preview(await self._row(), cast("Rehearsal", self))

    def at(self, seat: Any) -> Any:
        return seat

    async def earlier(self) -> tuple[str, ...]:
        done = await self._reverter().revert(await self._row(), cast("Pause", self.pause))
        assert (done.done, done.results) == (done.count, [])
        return done.earlier

    def _reverter(self) -> Reverter:
        stores = SimpleNamespace(resolve=self._store)
        desk = SimpleNamespace(at=lambda call, store: SimpleNamespace(call=call, store=store))
        services = SimpleNamespace(stores=stores, desk=desk, writer=self)
        return Reverter(self.history, self.ledger, cast("Services", services), DEADLINE)

    async def _row(self) -> Any:
        row = await self.history.get(self.write_id)
        assert row is not None
        return row

    async def _store(self, *_: object) -> Any:
        return SimpleNamespace(id="s_1", store_id="100")


@pytest.fixture
async def shop(database: Database, vault: Vault, tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> Shop:
    leases = Leases.of_this_process(DEADLINE)
    ledger = WriteLedger(database, vault, Brakes(database, cap=100), leases)
    caller, _ = await tenants.create("shop")
    write = Write(
        caller.tenant_id, caller.key_id, "r1", "products_batch_update", "100", "s_1", "1 and 2 more", b"d" * 32, {}
    )
    write_id = await ledger.begin(write, Plan({}, {}))
    await ledger.done(write_id, caller.tenant_id, {"status": "success"})
    shop = Shop(ledger, History(database, leases), caller, write_id)
    monkeypatch.setattr(revert_module, "reversal_of", shop.operations)
    return shop


async def test_every_object_has_a_deadline_of_its_own(shop: Shop) -> None:
    assert await shop.revert() == (3, 3, None)
    assert all(DEADLINE - 0.009 < waited <= DEADLINE for waited in shop.waited)


async def test_what_is_left_is_told_and_done_by_the_same_run_again(shop: Shop) -> None:
    shop.outcomes = {"2": OrderDeskError("refused")}
    assert await shop.revert() == (1, 3, "refused")
    shop.outcomes = {}
    assert await shop.revert() == (3, 3, None)
    assert shop.sent == ["1", "2", "2", "3"]
    by = {row.target: row.id for row in await shop.history.reverts(shop.write_id) if row.state == "done"}
    assert set(await shop.earlier()) == set(by.values())
    assert (await shop.rehearse()).earlier == await shop.earlier()
    assert shop.sent == ["1", "2", "2", "3"]


async def test_a_rehearsal_of_what_is_left_tells_what_the_run_would(shop: Shop) -> None:
    shop.refused = {"2"}
    with pytest.raises(ConflictError, match="changed since"):
        await shop.rehearse()
    shop.refused, shop.outcomes = set(), {"2": OrderDeskError("refused")}
    await shop.revert()
    assert [result["changes"] for result in (await shop.rehearse()).results] == [[{"id": "2"}], [{"id": "3"}]]
    shop.refused = {"2"}
    told = await shop.rehearse()
    assert (told.done, told.count, told.why) == await shop.revert() == (1, 3, "changed since")


@pytest.mark.parametrize("error", [WriteUncertainError("lost"), asyncio.CancelledError()], ids=["uncertain", "killed"])
@pytest.mark.parametrize("arrived", ["arrived", "was lost"])
async def test_an_attempt_that_was_cut_short_is_looked_up_before_it_is_made_again(
    error: Exception, arrived: str, shop: Shop
) -> None:
    shop.outcomes = {"2": error}
    if isinstance(error, WriteUncertainError):
        assert await shop.revert() == (1, 3, "lost")
    else:
        with pytest.raises(asyncio.CancelledError):
            await shop.revert()
    shop.outcomes = {}
    shop.shown = {"2"} if arrived == "arrived" else set()
    assert await shop.revert() == (3, 3, None)
    assert shop.sent == (["1", "2", "3"] if arrived == "arrived" else ["1", "2", "2", "3"])
    states = {row.state for row in await shop.history.reverts(shop.write_id)}
    assert states == ({"done"} if arrived == "arrived" else {"done", "failed"})


async def test_nothing_more_is_taken_back_once_the_pause_is_lost(shop: Shop) -> None:
    def refuse_lost() -> None:
        if shop.sent:
            raise ConflictError("the pause was lost")

    shop.pause = SimpleNamespace(refuse_lost=refuse_lost)
    assert await shop.revert() == (1, 3, "the pause was lost")
    assert shop.sent == ["1"]


async def test_what_is_under_way_is_waited_for_and_that_is_told_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revert_module, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(revert_module, "POLL_SECONDS", 0.001)
    tenant_id = shop.tenant.tenant_id
    asked = Write(tenant_id, "k", "r2", "orders_update", "100", "s_1", "1", b"e" * 32, {})
    write_id, told = await shop.ledger.begin(asked, Plan({}, {})), asyncio.Event()
    reverter = Reverter(shop.history, shop.ledger, cast("Services", None), DEADLINE)
    calls = []

    def wait() -> None:
        calls.append(1)
        told.set()

    waiting = asyncio.create_task(
        reverter.quiet(cast("Any", SimpleNamespace(tenant_id=tenant_id, store_id="100")), wait)
    )
    await told.wait()
    await shop.ledger.failed(write_id, OrderDeskError("refused"))
    await waiting
    assert calls == [1]
