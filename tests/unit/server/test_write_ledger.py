from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import server.writes
from server.clock import now_milliseconds
from server.errors import ConflictError, OrderDeskError, WriteUncertainError
from server.storage.database import Database
from server.tenancy.tenants import Caller, Tenants
from server.tenancy.vault import Vault
from server.tools.call import Call
from server.writes import KEPT_MILLISECONDS, Write, WriteLedger

RESULT = {"status": "success", "order": {"id": "1", "email": "secret-customer@example.com"}, "message": "done"}


@pytest.fixture
def ledger(database: Database, vault: Vault) -> WriteLedger:
    return WriteLedger(database, vault)


@pytest.fixture
async def write(tenants: Tenants) -> Write:
    caller, _ = await tenants.create("shop")
    return Write(caller.tenant_id, "100", "orders_update", "1", "r1", "key-1", b"d" * 32)


async def carry_out(ledger: WriteLedger, write: Write) -> str:
    write_id = await ledger.begin(write)
    await ledger.done(write_id, write.tenant_id, RESULT)
    return write_id


async def test_the_same_request_under_the_same_key_is_answered_with_the_first_result(
    ledger: WriteLedger, write: Write
) -> None:
    assert await ledger.replay(write) is None
    await carry_out(ledger, write)
    assert await ledger.replay(replace(write, request_id="r2")) == RESULT


async def test_another_request_under_the_same_key_is_a_conflict(ledger: WriteLedger, write: Write) -> None:
    await carry_out(ledger, write)
    with pytest.raises(ConflictError, match="idempotency_key"):
        await ledger.replay(replace(write, digest=b"e" * 32))


async def test_a_request_without_a_key_is_never_a_repetition(ledger: WriteLedger, write: Write) -> None:
    keyless = replace(write, idempotency_key=None)
    first, second = await carry_out(ledger, keyless), await carry_out(ledger, keyless)
    assert first != second
    assert await ledger.replay(keyless) is None


@pytest.mark.parametrize(
    "other", [{"store_id": "200"}, {"tool": "orders_create"}, {"idempotency_key": "key-2"}], ids=str
)
async def test_a_key_is_known_within_its_store_and_tool_alone(
    other: dict[str, str], ledger: WriteLedger, write: Write
) -> None:
    await carry_out(ledger, write)
    elsewhere = replace(write, **other)  # type: ignore[arg-type]
    assert await ledger.replay(elsewhere) is None
    await carry_out(ledger, elsewhere)
    assert await ledger.replay(write) == RESULT


async def test_a_key_of_one_tenant_means_nothing_to_another(
    ledger: WriteLedger, write: Write, tenants: Tenants
) -> None:
    await carry_out(ledger, write)
    stranger, _ = await tenants.create("stranger")
    theirs = replace(write, tenant_id=stranger.tenant_id)
    assert await ledger.replay(theirs) is None
    assert await ledger.replay(replace(theirs, digest=b"e" * 32)) is None


async def test_a_write_that_did_not_happen_may_be_tried_again(ledger: WriteLedger, write: Write) -> None:
    write_id = await ledger.begin(write)
    await ledger.failed(write_id, OrderDeskError("refused"))
    assert await ledger.replay(write) is None
    await carry_out(ledger, write)
    assert await ledger.replay(write) == RESULT


@pytest.mark.parametrize("left", ["an intent, by a crash", "an unknown outcome"])
async def test_a_write_of_unknown_outcome_is_not_tried_again(left: str, ledger: WriteLedger, write: Write) -> None:
    write_id = await ledger.begin(write)
    if left == "an unknown outcome":
        await ledger.failed(write_id, WriteUncertainError("lost"))
    with pytest.raises(WriteUncertainError):
        await ledger.replay(write)


async def test_a_key_is_kept_for_24_hours(ledger: WriteLedger, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_milliseconds()
    await carry_out(ledger, write)
    monkeypatch.setattr(server.writes, "now_milliseconds", lambda: now + KEPT_MILLISECONDS - 1)
    assert await ledger.replay(write) == RESULT
    monkeypatch.setattr(server.writes, "now_milliseconds", lambda: now + KEPT_MILLISECONDS + 60_000)
    other = replace(write, digest=b"e" * 32)
    assert await ledger.replay(other) is None
    await carry_out(ledger, other)
    assert await ledger.replay(other) == RESULT


async def test_the_intent_is_on_disk_before_the_outcome_is_known(
    ledger: WriteLedger, write: Write, database: Database, vault: Vault
) -> None:
    await ledger.begin(write)
    with pytest.raises(WriteUncertainError):
        await WriteLedger(database, vault).replay(write)


async def test_results_hold_customers_data_and_are_sealed(
    ledger: WriteLedger, write: Write, database: Database, database_file: Path
) -> None:
    await carry_out(ledger, write)
    await database.close()
    stored = b"".join(path.read_bytes() for path in database_file.parent.glob("app.db*"))
    assert b"key-1" in stored
    assert b"secret-customer" not in stored


def digest(target: str, arguments: Any) -> bytes:
    no_services: Any = None
    call = Call(no_services, Caller("t", "shop", "k"), "orders_update", "r", 0.0)
    return Write.of(call, "100", target, "key", arguments).digest


def test_a_digest_tells_requests_apart_and_not_spellings_of_one() -> None:
    same = digest("1", {"a": 1, "b": {"c": [1, 2], "d": None}})
    assert digest("1", {"b": {"d": None, "c": [1, 2]}, "a": 1}) == same
    others = [("2", {"a": 1, "b": {"c": [1, 2], "d": None}}), ("1", {"a": 1}), ("1", {"a": 1, "b": {"c": [2, 1]}})]
    assert len({same, *(digest(*other) for other in others)}) == 4
