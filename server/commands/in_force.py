"""The brakes that are pulled, as commands tell them: after every change, and when asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from server.audit import record_operator
from server.brakes import pull, read_brakes, release
from server.commands.operate import show
from server.commands.times import encoded, shown
from server.storage.tables import stores, tenants
from server.tenancy.lookup import RefusedError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.brakes import Brake, Kind, Scope
    from server.commands.support import Storage

WITHIN: Final = "Running servers obey within a second."
TARGET_LENGTH: Final = 64
NOT_PULLED: Final[dict[Kind, str]] = {
    "read_only": "has no read-only brake of its own pulled",
    "suspended": "is not suspended",
    "cap": "has no cap of its own",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a brake is on: the server, a tenant, or a tenant's store (its row and its OrderDesk id)."""

    scope: Scope
    tenant_id: str = ""
    tenant: str = ""
    store_row: str = ""
    store_id: str | None = None

    @property
    def id(self) -> str:
        """The brake's subject in the database."""
        return {"server": "", "tenant": self.tenant_id, "store": self.store_row}[self.scope]

    def __str__(self) -> str:
        if self.scope == "server":
            return "the whole server"
        return f"tenant {self.tenant}" + (f", store {self.store_id}" if self.scope == "store" else "")


def audited(text: str) -> str:
    """As much of a text as an audit row's target holds."""
    return text[:TARGET_LENGTH]


async def replace(connection: AsyncConnection, brake: Brake) -> Brake | None:
    """Pull a brake in the caller's transaction; returns the one of its kind that held there till now."""
    replaced = (await read_brakes(connection)).get((brake.scope, brake.subject, brake.kind))
    await pull(connection, brake)
    return replaced


async def let_go(storage: Storage, subject: Subject, kind: Kind, action: str, target: str) -> None:
    """Release a brake and audit it. Raises RefusedError where it is not pulled."""
    async with storage.database.write() as connection:
        if not await release(connection, subject.scope, subject.id, kind):
            raise RefusedError(f"{subject} {NOT_PULLED[kind]}; see: python -m server brake list")
        await record_operator(
            connection, action, tenant_id=subject.tenant_id, store_id=subject.store_id, target=audited(target)
        )


async def report(
    storage: Storage, arguments: argparse.Namespace, changed: str | None, replaced: Brake | None = None
) -> None:
    """Say what was changed, what that replaced, and what is in force now."""
    holding = await storage.brakes.all()
    naming = await _naming(storage, [*holding, *([replaced] if replaced is not None else [])])
    pulled = [(naming(brake), brake) for brake in holding]
    lines = [changed, WITHIN, ""] if changed else []
    document: dict[str, Any] = {"message": changed} if changed else {}
    if replaced is not None:
        lines.insert(1, f"Replaced: {_told(naming(replaced), replaced)}")
        document["replaced"] = _encoded(naming(replaced), replaced)
    lines.append("In force now:" if pulled else "No brake is pulled.")
    lines += [f"  {_told(*each)}" for each in pulled]
    show(arguments, document | {"in_force": [_encoded(*each) for each in pulled]}, lines)


async def _naming(storage: Storage, named: Iterable[Brake]) -> Callable[[Brake], Subject]:
    """What tells what each of these brakes is on."""
    row_ids = [brake.subject for brake in named if brake.scope == "store"]
    of_store = (
        select(stores.c.id, stores.c.store_id, tenants.c.id.label("tenant_id"), tenants.c.name)
        .join(tenants)
        .where(stores.c.id.in_(row_ids))
    )
    async with storage.database.read() as connection:
        names = {row.id: row.name for row in await connection.execute(select(tenants.c.id, tenants.c.name))}
        known = {
            row.id: Subject("store", row.tenant_id, row.name, row.id, row.store_id)
            for row in await connection.execute(of_store)
        }

    def subject(brake: Brake) -> Subject:
        if brake.scope == "store":
            return known.get(brake.subject, Subject("store", tenant="?", store_row=brake.subject, store_id="deleted"))
        return Subject(brake.scope, brake.subject, names.get(brake.subject, brake.subject))

    return subject


def _told(subject: Subject, brake: Brake) -> str:
    until = f"until {shown(brake.expires_at)}" if brake.expires_at is not None else "until released"
    return f"{brake.name}: {subject}, since {shown(brake.pulled_at)}, {until}: {brake.reason}"


def _encoded(subject: Subject, brake: Brake) -> dict[str, Any]:
    return {
        "kind": brake.kind,
        "scope": brake.scope,
        "tenant_id": subject.tenant_id or None,
        "tenant": subject.tenant or None,
        "store_id": subject.store_id,
        "value": brake.value,
        "reason": brake.reason,
        "pulled_at": encoded(brake.pulled_at),
        "expires_at": encoded(brake.expires_at),
    }
