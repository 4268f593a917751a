"""The brakes that are pulled, as commands tell them: after every change, and when asked."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from server.audit import record_operator
from server.brakes import release
from server.commands.operate import show
from server.commands.times import encoded, shown
from server.storage.tables import stores, tenants
from server.tenancy.lookup import RefusedError

if TYPE_CHECKING:
    from server.application import Parts
    from server.brakes import Brake, Kind, Scope

WITHIN: Final = "Running servers obey within a second."
TARGET_LENGTH: Final = 64


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


async def let_go(parts: Parts, subject: Subject, kind: Kind, action: str, target: str) -> None:
    """Release a brake and audit it. Raises RefusedError where it is not pulled."""
    async with parts.database.write() as connection:
        if not await release(connection, subject.scope, subject.id, kind):
            raise RefusedError(f"{subject} has no such brake pulled; see: python -m server brake list")
        await record_operator(
            connection, action, tenant_id=subject.tenant_id, store_id=subject.store_id, target=audited(target)
        )


async def report(parts: Parts, arguments: argparse.Namespace, changed: str | None) -> None:
    """Say what was changed, and what is in force now."""
    pulled = await _pulled(parts)
    lines = [changed, WITHIN, ""] if changed else []
    lines += ["In force now:" if pulled else "No brake is pulled.", *(_line(*each) for each in pulled)]
    document: dict[str, Any] = {"message": changed} if changed else {}
    show(arguments, document | {"in_force": [_encoded(*each) for each in pulled]}, lines)


async def _pulled(parts: Parts) -> list[tuple[Subject, Brake]]:
    of_store = select(stores.c.id, stores.c.store_id, tenants.c.id.label("tenant_id"), tenants.c.name).join(tenants)
    async with parts.database.read() as connection:
        names = {row.id: row.name for row in await connection.execute(select(tenants.c.id, tenants.c.name))}
        known = {
            row.id: Subject("store", row.tenant_id, row.name, row.id, row.store_id)
            for row in await connection.execute(of_store)
        }

    def subject(brake: Brake) -> Subject:
        if brake.scope == "store":
            return known.get(brake.subject, Subject("store", tenant="?", store_row=brake.subject, store_id="deleted"))
        return Subject(brake.scope, brake.subject, names.get(brake.subject, brake.subject))

    return [(subject(brake), brake) for brake in await parts.brakes.all()]


def _line(subject: Subject, brake: Brake) -> str:
    until = f"until {shown(brake.expires_at)}" if brake.expires_at is not None else "until released"
    return f"  {brake.name}: {subject}, since {shown(brake.pulled_at)}, {until}: {brake.reason}"


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
