"""Tenants and their keys: created by command, authenticated on every call."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from server.attempts import WrongKeys
from server.audit import record_operator
from server.brakes import MAX_AGE_SECONDS, Brakes
from server.clock import Monotonic, now_milliseconds
from server.snapshots import Snapshots
from server.storage.database import Database
from server.storage.tables import tenant_keys, tenants
from server.telemetry.metrics import Metrics
from server.tenancy.fitting import fits, refuse_unfit
from server.tenancy.keys import Proof, TenantKey, hash_secret, proofs, seal_secret
from server.tenancy.vault import Vault, VaultError

ACTIVE_SECONDS = 300
FIT_SECONDS = 10.0
# An unknown id costs the same comparison as a wrong secret.
ABSENT: tuple[Proof, ...] = ((bytes(32), bytes(32)),)
UNPROVEN = bytes(32)


class TenantExistsError(Exception):
    """A tenant of that name exists."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: the tenant, and which of its keys was shown."""

    tenant_id: str
    tenant_name: str
    key_id: str


@dataclass(slots=True)
class _KeyRecord:
    """What the database says of a key; `proven` is the mark of the secret that has been verified against it."""

    caller: Caller
    proofs: tuple[Proof, ...]
    expires_at: int | None
    revoked_at: int | None
    proven: bytes = UNPROVEN


class Tenants:
    """Creates tenants and answers which one a key belongs to. A revoked key stops working within a second."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        brakes: Brakes,
        metrics: Metrics,
        clock: Monotonic = time.monotonic,
        wrong_keys: WrongKeys | None = None,
    ) -> None:
        self._wrong_keys = wrong_keys
        self._marking = secrets.token_bytes(32)
        self._database = database
        self._brakes = brakes
        self._vault = vault
        self._clock = clock
        self._records: Snapshots[str, _KeyRecord | None] = Snapshots(self._load, max_age=MAX_AGE_SECONDS, clock=clock)
        self._fits: Snapshots[None, bool] = Snapshots(self._look, max_age=FIT_SECONDS, clock=clock)
        self._succeeded = metrics.auth_attempts.labels("success")
        self._failed = {
            reason: metrics.auth_attempts.labels(reason)
            for reason in ("missing", "malformed", "unknown", "wrong", "expired")
        }
        self._last_seen: dict[str, float] = {}
        metrics.active_tenants.set_function(self._active)

    async def create(self, name: str, expires_at: int | None = None) -> tuple[Caller, TenantKey]:
        """Create a tenant with its first key, which is shown here and never again.

        `expires_at` is when that key ends, in milliseconds since the epoch; None: never. Raises TenantExistsError,
        and RefusedError where the master keys are another database's.
        """
        key = TenantKey.generate()
        caller = Caller(tenant_id="t_" + secrets.token_hex(8), tenant_name=name, key_id=key.id)
        now = now_milliseconds()
        try:
            async with self._database.write() as connection:
                await refuse_unfit(connection, self._vault)
                await connection.execute(insert(tenants).values(id=caller.tenant_id, name=name, created_at=now))
                await connection.execute(
                    insert(tenant_keys).values(
                        id=key.id,
                        tenant_id=caller.tenant_id,
                        secret_hash=seal_secret(self._vault, caller.tenant_id, key),
                        created_at=now,
                        expires_at=expires_at,
                    )
                )
                await record_operator(connection, "tenant.create", tenant_id=caller.tenant_id, target=key.id)
        except IntegrityError:
            raise TenantExistsError(f"a tenant named {name!r} exists") from None
        return caller, key

    async def authenticate(self, text: str | None, address: str | None = None) -> Caller | None:
        """The caller whose key `text` is, or None. One look-up by id, whatever the number of tenants.

        Raises SuspendedError for a tenant that the operator suspended. Wrong keys from the network, whose peer's
        `address` is given, are counted: raises TooManyWrongKeysError.
        """
        if not text:
            self._failed["missing"].inc()
            return None
        key = TenantKey.parse(text)
        if key is None:
            self._fail("malformed", None, address)
            return None
        record = await self._records.get(key.id)
        if not self._verify(record, key.secret) or record is None:
            self._fail("unknown" if record is None else "wrong", key.id, address)
            return None
        if record.revoked_at is not None or (record.expires_at is not None and record.expires_at <= now_milliseconds()):
            self._failed["expired"].inc()
            return None
        await self._brakes.refuse_suspended(record.caller.tenant_id)
        self._succeeded.inc()
        self._last_seen[record.caller.tenant_id] = self._clock()
        return record.caller

    def _verify(self, record: _KeyRecord | None, secret: str) -> bool:
        """Whether the secret is the key's. Nothing is found sooner for an unknown key than for a wrong secret.

        A secret that was verified is known again by its mark, a hash under a key of this process's alone, for as long
        as the record is held: half a second. The stored hash costs ten times as much.
        """
        mark = hashlib.blake2b(secret.encode(), key=self._marking, digest_size=len(UNPROVEN)).digest()
        if hmac.compare_digest(mark, record.proven if record else UNPROVEN):
            return True
        matches = False
        for salt, expected in record.proofs if record else ABSENT:
            matches |= hmac.compare_digest(hash_secret(salt, secret), expected)
        if matches and record is not None:
            record.proven = mark
        return matches

    async def count(self) -> int:
        """How many tenants exist."""
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(tenants))).scalar_one()

    def _fail(self, reason: str, key_id: str | None, address: str | None) -> None:
        self._failed[reason].inc()
        if self._wrong_keys is not None and address is not None:
            self._wrong_keys.count(key_id, address, known=reason == "wrong")

    async def _load(self, key_id: str) -> _KeyRecord | None:
        query = (
            select(tenant_keys, tenants.c.name)
            .join(tenants, tenants.c.id == tenant_keys.c.tenant_id)
            .where(tenant_keys.c.id == key_id)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        # A key that a stranger's master key sealed here opens under it; what its calls sealed, nobody else could open.
        if row is None or not await self._fits.get(None):
            return None
        try:
            accepted = proofs(self._vault, row.tenant_id, row.id, row.secret_hash)
        except VaultError:  # readiness says that the master key is not the one; nobody gets in meanwhile
            return None
        return _KeyRecord(Caller(row.tenant_id, row.name, row.id), accepted, row.expires_at, row.revoked_at)

    async def _look(self, _: None) -> bool:
        async with self._database.read() as connection:
            return await fits(connection, self._vault)

    def _active(self) -> float:
        horizon = self._clock() - ACTIVE_SECONDS
        for tenant_id in [tenant_id for tenant_id, seen in self._last_seen.items() if seen < horizon]:
            del self._last_seen[tenant_id]
        return len(self._last_seen)
