from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.brakes import Brake, Brakes, pull
from server.clock import now_milliseconds
from server.errors import (
    ConflictError,
    OrderDeskError,
    RateLimitError,
    ReadOnlyError,
    StorageUnavailableError,
    WriteUncertainError,
)
from server.storage.database import Database
from server.storage.tables import audit, write_leases, writes
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.writes import ledger as ledger_module
from server.writes.leases import LeasedError, Leases, Process
from server.writes.ledger import HOUR_MILLISECONDS, KEPT_MILLISECONDS, Earlier, Write, WriteLedger, digest
from server.writes.operation import Plan

RESULT = {"status": "success", "order": {"id": "1", "email": "secret-customer@example.com"}, "message": "done"}
PLAN = Plan({"id": "1", "city": "secret-town"}, {"id": "1", "city": "York"})
CAP = 5
LEASES = Leases.of_this_process(45)


@pytest.fixture
def ledger(database: Database, vault: Vault) -> WriteLedger:
    return WriteLedger(database, vault, Brakes(database, cap=CAP), LEASES)


@pytest.fixture
async def write(tenants: Tenants) -> Write:
    caller, _ = await tenants.create("shop")
    return Write(
        caller.tenant_id, caller.key_id, "r1", "orders_update", "100", "s_1", "1", b"d" * 32, {"city": "York"}, "key-1"
    )


async def carry_out(ledger: WriteLedger, write: Write) -> str:
    write_id = await ledger.begin(write, PLAN)
    await ledger.done(write_id, write.tenant_id, RESULT)
    return write_id


async def result(ledger: WriteLedger, write: Write) -> dict[str, Any] | None:
    earlier = await ledger.replay(write)
    return None if earlier is None else earlier.result


async def test_the_same_request_under_the_same_key_is_answered_with_the_first_result(
    ledger: WriteLedger, write: Write
) -> None:
    assert await ledger.replay(write) is None
    await carry_out(ledger, write)
    assert await result(ledger, replace(write, request_id="r2")) == RESULT


async def test_another_request_under_the_same_key_is_a_conflict(ledger: WriteLedger, write: Write) -> None:
    await carry_out(ledger, write)
    with pytest.raises(ConflictError, match="idempotency_key"):
        await ledger.replay(replace(write, digest=b"e" * 32))


async def test_a_key_that_an_earlier_release_recorded_is_known(
    ledger: WriteLedger, write: Write, database: Database
) -> None:
    await carry_out(ledger, write)
    async with database.write() as connection:
        await connection.execute(update(writes).values(idempotency_key=write.idempotency_key))
    assert await result(ledger, write) == RESULT
    with pytest.raises(ConflictError):
        await ledger.replay(replace(write, digest=b"e" * 32))


async def test_a_request_without_a_key_is_never_a_repetition(ledger: WriteLedger, write: Write) -> None:
    keyless = replace(write, idempotency_key=None)
    first, second = await carry_out(ledger, keyless), await carry_out(ledger, keyless)
    assert first != second
    assert await ledger.replay(keyless) is None


@pytest.mark.parametrize("other", [{"tool": "orders_create"}, {"idempotency_key": "key-2"}], ids=str)
async def test_a_key_is_known_within_its_tool_alone(other: dict[str, str], ledger: WriteLedger, write: Write) -> None:
    await carry_out(ledger, write)
    elsewhere = replace(write, **other)  # type: ignore[arg-type]
    assert await ledger.replay(elsewhere) is None
    await carry_out(ledger, elsewhere)
    assert await result(ledger, write) == RESULT


async def test_a_request_of_unknown_outcome_does_not_become_new_by_waiting(
    ledger: WriteLedger, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_id = await ledger.begin(write, PLAN)
    later = now_milliseconds() + 2 * KEPT_MILLISECONDS
    monkeypatch.setattr(ledger_module, "now_milliseconds", lambda: later)
    earlier = await ledger.replay(write)
    assert earlier is not None
    assert (earlier.write_id, earlier.result) == (write_id, None)


async def test_what_was_made_again_since_is_not_found_for_the_first(
    ledger: WriteLedger, write: Write, database: Database
) -> None:
    keyless = replace(write, idempotency_key=None)
    first = await row(database, await ledger.begin(keyless, PLAN))
    assert not await ledger.superseded(first)
    other = await ledger.begin(replace(keyless, digest=b"e" * 32), PLAN)
    assert not await ledger.superseded(first)
    again = await ledger.begin(keyless, PLAN)
    assert await ledger.superseded(first)
    await ledger.failed(again, OrderDeskError("refused"))
    assert not await ledger.superseded(first)
    assert other != again


async def row(database: Database, write_id: str) -> Any:
    async with database.read() as connection:
        return (await connection.execute(select(writes).where(writes.c.id == write_id))).one()


async def test_what_one_process_writes_no_other_begins_to_write(
    ledger: WriteLedger, write: Write, database: Database, vault: Vault
) -> None:
    locked = replace(write, idempotency_key=None, locks=(("u", ("orders", "1")), ("u", ("orders", "2"))))
    other = WriteLedger(database, vault, Brakes(database, cap=CAP), Leases(Process("elsewhere", "", 1, "1"), 60_000))
    write_id = await ledger.begin(locked, PLAN)
    with pytest.raises(LeasedError):
        await other.begin(replace(locked, locks=locked.locks[1:]), PLAN)
    free = replace(locked, locks=(("u", ("orders", "3")),))
    assert [await asked.is_free(what) for asked in (other, ledger) for what in (locked, free)] == [False, *[True] * 3]
    await other.begin(free, PLAN)
    await ledger.done(write_id, write.tenant_id, RESULT)
    assert await other.is_free(locked)
    await other.begin(locked, PLAN)


@pytest.mark.parametrize("holder", [replace(Process.this(), started="0"), Process("elsewhere", "", 1, "1")])
async def test_a_lease_is_taken_over_when_nothing_of_its_call_can_arrive_any_more(
    holder: Process, ledger: WriteLedger, write: Write, database: Database, vault: Vault
) -> None:
    locked = replace(write, idempotency_key=None, locks=(("u", ("orders", "1")),))
    await WriteLedger(database, vault, Brakes(database, cap=CAP), Leases(holder, 60_000)).begin(locked, PLAN)
    with pytest.raises(LeasedError):  # a process that ended may have sent a request that is still on its way
        await ledger.begin(locked, PLAN)
    async with database.write() as connection:
        await connection.execute(update(write_leases).values(taken_at=now_milliseconds() - 61_000))
    await ledger.begin(locked, PLAN)


async def test_a_key_of_one_tenant_means_nothing_to_another(
    ledger: WriteLedger, write: Write, tenants: Tenants
) -> None:
    await carry_out(ledger, write)
    stranger, _ = await tenants.create("stranger")
    theirs = replace(write, tenant_id=stranger.tenant_id)
    assert await ledger.replay(theirs) is None
    assert await ledger.replay(replace(theirs, digest=b"e" * 32)) is None


async def test_a_write_that_did_not_happen_may_be_tried_again(ledger: WriteLedger, write: Write) -> None:
    write_id = await ledger.begin(write, PLAN)
    await ledger.failed(write_id, OrderDeskError("refused"))
    assert await ledger.replay(write) is None
    await carry_out(ledger, write)
    assert await result(ledger, write) == RESULT


@pytest.mark.parametrize("left", ["an intent, by a crash", "an unknown outcome"])
async def test_a_write_of_unknown_outcome_is_told_with_its_plan(left: str, ledger: WriteLedger, write: Write) -> None:
    write_id = await ledger.begin(write, PLAN)
    if left == "an unknown outcome":
        await ledger.failed(write_id, WriteUncertainError("lost"))
    kept = {"arguments": write.arguments, "before": PLAN.before, "after": PLAN.after}
    assert await ledger.replay(write) == Earlier(write_id, None, kept)
    with pytest.raises(WriteUncertainError):  # and is not begun again
        await ledger.begin(write, PLAN)


async def test_another_plan_takes_the_place_of_the_first(ledger: WriteLedger, write: Write) -> None:
    write_id = await ledger.begin(write, PLAN)
    await ledger.replan(write, write_id, Plan({"id": "1", "city": "Hull"}, PLAN.after))
    earlier = await ledger.replay(write)
    assert earlier is not None
    assert earlier.plan is not None
    assert earlier.plan["before"] == {"id": "1", "city": "Hull"}


async def test_a_key_is_kept_for_24_hours(ledger: WriteLedger, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_milliseconds()
    await carry_out(ledger, write)
    monkeypatch.setattr(ledger_module, "now_milliseconds", lambda: now + KEPT_MILLISECONDS - 1)
    assert await result(ledger, write) == RESULT
    monkeypatch.setattr(ledger_module, "now_milliseconds", lambda: now + KEPT_MILLISECONDS + 60_000)
    other = replace(write, digest=b"e" * 32)
    assert await ledger.replay(other) is None
    await carry_out(ledger, other)
    assert await result(ledger, other) == RESULT


async def test_intent_and_audit_row_are_on_disk_before_the_outcome_is_known(
    ledger: WriteLedger, write: Write, database: Database
) -> None:
    write_id = await ledger.begin(write, PLAN)
    assert await states(database) == [(write_id, "intent", "started", None)]
    await ledger.failed(write_id, OrderDeskError("refused"))
    assert await states(database) == [(write_id, "failed", "error", "ORDERDESK_API_ERROR")]
    done = await carry_out(ledger, write)
    assert (done, "done", "success", None) in await states(database)


async def states(database: Database) -> list[tuple[str, str, str, str | None]]:
    query = select(writes.c.id, writes.c.state, audit.c.status, audit.c.error_code).join(
        audit, audit.c.write_id == writes.c.id
    )
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(query)]


@pytest.mark.parametrize(
    ("scope", "subject"),
    [("server", lambda _: ""), ("tenant", lambda w: w.tenant_id), ("store", lambda w: w.store_row)],
)
async def test_a_brake_refuses_the_intent_in_its_own_transaction(
    scope: Any, subject: Any, ledger: WriteLedger, write: Write, database: Database
) -> None:
    async with database.write() as connection:
        await pull(connection, Brake(scope, subject(write), "read_only", "maintenance"))
    with pytest.raises(ReadOnlyError):
        await ledger.begin(write, PLAN)
    assert await states(database) == []


async def test_the_cap_counts_the_objects_of_the_last_hour_that_may_have_been_touched(
    ledger: WriteLedger, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    capped = replace(write, idempotency_key=None, capped=True, objects=3)
    refused_upstream = await ledger.begin(capped, PLAN)
    with pytest.raises(RateLimitError):
        await ledger.begin(capped, PLAN)
    await ledger.failed(refused_upstream, OrderDeskError("refused"))
    await carry_out(ledger, capped)
    await carry_out(ledger, replace(capped, objects=2))
    await carry_out(ledger, replace(capped, capped=False))
    with pytest.raises(RateLimitError) as refused:
        await ledger.begin(replace(capped, objects=1), PLAN)
    assert 3_590 <= refused.value.details["retry_after_seconds"] <= 3_600
    later = now_milliseconds() + HOUR_MILLISECONDS + 1_000
    monkeypatch.setattr(ledger_module, "now_milliseconds", lambda: later)
    await carry_out(ledger, capped)


@pytest.mark.parametrize(("cap", "objects"), [(CAP, CAP + 1), (0, 1)])
async def test_a_write_of_more_objects_than_the_cap_is_not_told_to_wait(
    database: Database, vault: Vault, write: Write, cap: int, objects: int
) -> None:
    ledger = WriteLedger(database, vault, Brakes(database, cap=cap), LEASES)
    with pytest.raises(
        RateLimitError, match=rf"touches {objects} .* cap is {cap}: it is refused at any time"
    ) as refused:
        await ledger.begin(replace(write, idempotency_key=None, capped=True, objects=objects), PLAN)
    assert refused.value.details == {"limit": "destructive_per_hour"}


async def test_a_database_that_takes_no_write_refuses_before_anything_is_sent(
    ledger: WriteLedger, write: Write, database_file: Path, database: Database
) -> None:
    await database.close()
    database_file.write_bytes(b"not a database at all" * 100)  # noqa: ASYNC240 - nothing else runs
    with pytest.raises(StorageUnavailableError):
        await ledger.begin(write, PLAN)


async def test_results_hold_customers_data_and_are_sealed(
    ledger: WriteLedger, write: Write, database: Database, database_file: Path
) -> None:
    await carry_out(ledger, write)
    await database.close()
    stored = b"".join(path.read_bytes() for path in database_file.parent.glob("app.db*"))
    assert b"orders_update" in stored
    assert b"key-1" not in stored
    assert b"secret-customer" not in stored
    assert b"secret-town" not in stored


def test_a_digest_tells_requests_apart_and_not_spellings_of_one() -> None:
    same = digest("s", "1", {"a": 1, "b": {"c": [1, 2], "d": None}})
    assert digest("s", "1", {"b": {"d": None, "c": [1, 2]}, "a": 1}) == same
    others: list[tuple[str, str, dict[str, Any]]] = [
        ("t", "1", {"a": 1, "b": {"c": [1, 2], "d": None}}),
        ("s", "2", {"a": 1, "b": {"c": [1, 2], "d": None}}),
        ("s", "1", {"a": 1}),
        ("s", "1", {"a": 1, "b": {"c": [2, 1]}}),
    ]
    assert len({same, *(digest(*other) for other in others)}) == 5
