from typing import Any

import pytest
from sqlalchemy import select, update

from server.audit import OPERATOR
from server.clock import now_milliseconds
from server.storage.database import Database
from server.storage.tables import audit, tenant_keys
from server.tenancy import lifecycle
from server.tenancy.keys import TenantKey
from server.tenancy.lookup import KeyRow, RefusedError, keys_of
from server.tenancy.tenants import Caller, Tenants
from server.tenancy.vault import Vault

HOUR = 3_600_000


class Desk:
    """An operator's commands about one tenant, at a time that a test moves."""

    def __init__(self, database: Database, vault: Vault, caller: Caller) -> None:
        self.database = database
        self.vault = vault
        self.caller = caller
        self.now = now_milliseconds()

    async def create(self, expires_at: int | None = None) -> TenantKey:
        async with self.database.write() as connection:
            return await lifecycle.create_key(connection, self.vault, self.caller.tenant_id, self.now, expires_at)

    async def rotate(self, overlap: int = 24 * HOUR, *, again: bool = False) -> lifecycle.Rotated:
        async with self.database.write() as connection:
            return await lifecycle.rotate_keys(
                connection, self.vault, self.caller.tenant_id, self.now, overlap, again=again
            )

    async def revoke(self, key_id: str, reason: str = "leaked") -> KeyRow:
        async with self.database.write() as connection:
            return await lifecycle.revoke_key(connection, key_id, self.now, reason)

    async def expire(self, key_id: str, at: int) -> KeyRow:
        async with self.database.write() as connection:
            return await lifecycle.expire_key(connection, key_id, self.now, at)

    async def states(self) -> dict[str, tuple[str, int | None]]:
        async with self.database.read() as connection:
            keys = await keys_of(connection, self.caller.tenant_id)
        return {key.id: (key.state(self.now), key.expires_at) for key in keys}

    async def audited(self) -> list[Any]:
        async with self.database.read() as connection:
            query = select(audit.c.tool, audit.c.target).where(audit.c.key_id == OPERATOR).order_by(audit.c.id)
            return [tuple(row) for row in (await connection.execute(query)).all()]


@pytest.fixture
async def desk(tenants: Tenants, database: Database, vault: Vault) -> Desk:
    caller, _ = await tenants.create("shop")
    return Desk(database, vault, caller)


async def test_a_further_key_is_let_in_beside_the_first(desk: Desk, tenants: Tenants) -> None:
    key = await desk.create()
    caller = await tenants.authenticate(str(key))
    assert caller is not None
    assert (caller.tenant_id, caller.key_id) == (desk.caller.tenant_id, key.id)
    assert len(await desk.states()) == 2


async def test_a_rotation_gives_the_others_an_end_but_never_a_later_one(desk: Desk) -> None:
    first = desk.caller.key_id
    desk.now += 1
    soon = await desk.create(desk.now + HOUR)
    late = await desk.create(desk.now + 100 * HOUR)
    gone = await desk.create()
    await desk.revoke(gone.id)
    desk.now += 1
    rotated = await desk.rotate()
    end = desk.now + 24 * HOUR
    assert dict(rotated.expiring) == {first: end, soon.id: desk.now - 1 + HOUR, late.id: end}
    assert await desk.states() == {
        first: ("valid", end),
        soon.id: ("valid", desk.now - 1 + HOUR),
        late.id: ("valid", end),
        gone.id: ("revoked", None),
        rotated.key.id: ("valid", None),
    }


async def test_no_rotation_during_the_overlap_of_another_unless_it_is_insisted_upon(desk: Desk) -> None:
    desk.now += 1
    second = (await desk.rotate()).key
    desk.now += HOUR
    with pytest.raises(RefusedError, match=second.id):
        await desk.rotate()
    assert len(await desk.states()) == 2
    third = (await desk.rotate(again=True)).key
    states = await desk.states()
    assert states[desk.caller.key_id] == ("valid", desk.now + 23 * HOUR)
    assert states[second.id] == ("valid", desk.now + 24 * HOUR)
    assert states[third.id] == ("valid", None)


@pytest.mark.parametrize("ended", ["by time", "by revoking the old key", "by revoking the new key"])
async def test_once_the_overlap_is_over_the_next_rotation_goes_ahead(ended: str, desk: Desk) -> None:
    desk.now += 1
    second = (await desk.rotate()).key
    if ended == "by time":
        desk.now += 24 * HOUR
    else:
        await desk.revoke(desk.caller.key_id if "old" in ended else second.id)
    await desk.rotate()


async def test_a_key_made_with_an_end_is_no_overlap(desk: Desk) -> None:
    async with desk.database.write() as connection:
        await connection.execute(update(tenant_keys).values(expires_at=desk.now + 90 * 24 * HOUR))
    desk.now += 1
    await desk.create()
    desk.now += 1
    await desk.rotate()


async def test_a_revoked_key_stays_revoked(desk: Desk) -> None:
    await desk.revoke(f"qm_{desk.caller.key_id}")
    assert (await desk.states())[desk.caller.key_id][0] == "revoked"
    with pytest.raises(RefusedError, match="revoked already"):
        await desk.revoke(desk.caller.key_id)
    with pytest.raises(RefusedError, match="revoked already"):
        await desk.expire(desk.caller.key_id, desk.now + HOUR)


async def test_a_whole_key_names_itself_and_an_unknown_one_is_refused(desk: Desk) -> None:
    key = await desk.create()
    assert (await desk.revoke(str(key))).id == key.id
    with pytest.raises(RefusedError, match="no key") as refused:
        await desk.revoke(str(TenantKey.generate()))
    assert "." not in str(refused.value).split("'")[1]


async def test_an_end_is_to_come_and_no_key_comes_back_after_it(desk: Desk) -> None:
    key_id = desk.caller.key_id
    with pytest.raises(RefusedError, match="past"):
        await desk.expire(key_id, desk.now)
    await desk.expire(key_id, desk.now + HOUR)
    await desk.expire(key_id, desk.now + 2 * HOUR)
    assert await desk.states() == {key_id: ("valid", desk.now + 2 * HOUR)}
    desk.now += 2 * HOUR
    assert (await desk.states())[key_id][0] == "expired"
    with pytest.raises(RefusedError, match="expired"):
        await desk.expire(key_id, desk.now + HOUR)


async def test_all_of_it_is_audited_and_what_was_refused_is_not(desk: Desk) -> None:
    first = desk.caller.key_id
    desk.now += 1
    created = await desk.create()
    rotated = await desk.rotate()
    with pytest.raises(RefusedError):
        await desk.rotate()
    await desk.expire(created.id, desk.now + HOUR)
    await desk.revoke(first, "R" * 100)
    assert await desk.audited() == [
        ("tenant.create", first),
        ("key.create", created.id),
        ("key.rotate", rotated.key.id),
        ("key.expire", created.id),
        ("key.revoke", f"{first}: {'R' * 100}"[:64]),
    ]
