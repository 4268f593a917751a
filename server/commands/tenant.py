"""python -m server tenant ACTION: the tenants of this server: created, suspended, exported and erased."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.commands.operate import add_tenant, command, operate, reason, show, show_all, tenant_in
from server.commands.support import DONE, REFUSED, refuse
from server.commands.times import cell, encoded, time_to_come
from server.plural import counted

if TYPE_CHECKING:
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings
    from server.tenancy.summaries import Summary

NAME_LENGTH: Final = 200
ROWS: Final = {
    "keys": "key",
    "tenant_keys": "key",
    "stores": "store",
    "brakes": "brake",
    "writes": "write",
    "audit": "audit row",
}


def add(commands: Subparsers) -> None:
    """Add `tenant` and its actions."""
    actions = commands.add_parser("tenant", help="tenants").add_subparsers(required=True, metavar="ACTION")
    create = command(actions, "create", "create a tenant; prints it as JSON with its key, once, with --json or without")
    create.add_argument("name")
    create.add_argument(
        "--expires", type=time_to_come, metavar="90d", help="let its key end after that; default: never"
    )
    create.set_defaults(command=create_tenant)
    command(actions, "list", "show the tenants, their valid keys and their last tool call").set_defaults(
        command=list_tenants
    )
    suspend = command(actions, "suspend", "refuse every call of a tenant")
    add_tenant(suspend)
    suspend.add_argument("--reason", type=reason, required=True, help="why, for whoever finds it suspended")
    suspend.set_defaults(command=suspend_tenant)
    resume = command(actions, "resume", "answer a suspended tenant again")
    add_tenant(resume)
    resume.set_defaults(command=resume_tenant)
    export = command(actions, "export", "write everything held about a tenant to a new file")
    add_tenant(export)
    export.add_argument("--output", type=Path, required=True, metavar="FILE", help="must not exist; made for you alone")
    export.set_defaults(command=export_tenant)
    erase = command(actions, "erase", "delete everything held about a tenant, for good")
    add_tenant(erase)
    erase.add_argument("--confirm", required=True, metavar="NAME", help="the tenant's name, to be sure")
    erase.set_defaults(command=erase_tenant)


def create_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print the new tenant as one line of JSON. Returns 1 when the name is taken."""
    from server.clock import now_milliseconds
    from server.tenancy.tenants import TenantExistsError

    name = arguments.name.strip()
    if not 0 < len(name) <= NAME_LENGTH:
        return refuse(f"a tenant's name has 1 to {NAME_LENGTH} characters")
    if not name.isprintable():
        return refuse("a tenant's name is one line, without control characters or blanks other than the space")
    expires_at = None if arguments.expires is None else now_milliseconds() + arguments.expires

    async def create(storage: Storage) -> int:
        try:
            caller, key = await storage.tenants.create(name, expires_at)
        except TenantExistsError as error:
            return refuse(str(error), REFUSED)
        document = {
            "tenant_id": caller.tenant_id,
            "name": caller.tenant_name,
            "key": str(key),
            "expires_at": encoded(expires_at),
        }
        print(orjson.dumps(document).decode(), flush=True)
        return DONE

    return operate(settings, create)


def list_tenants(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show each tenant's stores, valid keys, brakes and last call, as far back as audit rows are kept."""

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.tenancy.summaries import summaries

        async with storage.database.read() as connection:
            tenants = await summaries(connection, now_milliseconds())

        def entry(each: Summary) -> tuple[dict[str, Any], tuple[str, ...]]:
            document = {
                "tenant_id": each.tenant.id,
                "name": each.tenant.name,
                "created_at": encoded(each.tenant.created_at),
                "stores": each.stores,
                "valid_keys": each.valid_keys,
                "brakes": list(each.brakes),
                "last_call_at": encoded(each.last_call_at),
            }
            # What matters most first: the rest of the line may be cut.
            brakes = ", ".join(sorted(each.brakes, key=lambda brake: brake != "suspended")) or "-"
            counts = str(each.stores), str(each.valid_keys)
            return document, (each.tenant.id, each.tenant.name, *counts, cell(each.last_call_at), brakes)

        heads = ("TENANT_ID", "NAME", "STORES", "KEYS", "LAST CALL (UTC)", "BRAKES")
        show_all(arguments, {}, "tenants", heads, map(entry, tenants), elastic=("NAME", "BRAKES"))
        return DONE

    return operate(settings, work)


def suspend_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Refuse a tenant's calls from now on, writes under way included."""

    async def work(storage: Storage) -> int:
        from server.audit import record_operator
        from server.brakes import Brake
        from server.commands.in_force import audited, replace, report

        async with tenant_in(storage.database.write(), arguments) as (connection, tenant):
            replaced = await replace(connection, Brake("tenant", tenant.id, "suspended", arguments.reason))
            target = audited(arguments.reason)
            await record_operator(connection, "tenant.suspend", tenant_id=tenant.id, target=target)
        await report(storage, arguments, f"Suspended: every call of tenant {tenant.name} is refused.", replaced)
        return DONE

    return operate(settings, work)


def resume_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Answer a tenant again. Returns 1 where it was not suspended."""

    async def work(storage: Storage) -> int:
        from server.commands.in_force import Subject, let_go, report
        from server.tenancy.lookup import find_tenant

        async with storage.database.read() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
        await let_go(storage, Subject("tenant", tenant.id, tenant.name), "suspended", "tenant.resume", "")
        await report(storage, arguments, f"Resumed: tenant {tenant.name} is answered again.")
        return DONE

    return operate(settings, work)


def export_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the file. Returns 1 where it exists, or some of the tenant's data does not open."""
    if arguments.output.exists():
        return refuse(f"{arguments.output} exists; name a new file", REFUSED)

    async def work(storage: Storage) -> int:
        from server.audit import record_operator
        from server.tenancy.export import export

        async with tenant_in(storage.database.write(), arguments) as (connection, tenant):
            await record_operator(connection, "tenant.export", tenant_id=tenant.id)
        async with storage.database.read() as connection:
            counts = await export(connection, storage.ledger, tenant, arguments.output)
        unreadable = counts.pop("unreadable")
        document = {"tenant_id": tenant.id, "file": str(arguments.output), "rows": counts, "unreadable": unreadable}
        lines = [
            f"Everything held about tenant {tenant.name} is in {arguments.output}: {_listed(counts)}.",
            "It holds customers' data: hand it over safely, then delete it.",
        ]
        show(arguments, document, lines)
        if unreadable:
            what = counted(unreadable, "plan or result opens", "plans and results open")
            return refuse(f"{what} under no master key; null stands there instead", REFUSED)
        return DONE

    return operate(settings, work)


def erase_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Delete the tenant. Returns 1 where the name is another, a write is under way, or the log could not be emptied."""

    async def work(storage: Storage) -> int:
        from server.tenancy.erasure import empty_log, erase, suspend_for_erasure
        from server.tenancy.lookup import RefusedError, find_tenant

        async with storage.database.read() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
        if arguments.confirm != tenant.name:
            raise RefusedError(f"the tenant is named {tenant.name!r}: repeat that after --confirm to erase it")
        await suspend_for_erasure(storage.database, tenant, settings.call_deadline_seconds)
        async with storage.database.write() as connection:
            counts = await erase(connection, tenant)
        emptied = await empty_log(storage.database)
        document: dict[str, Any] = {"tenant_id": tenant.id, "rows": counts, "log_emptied": emptied}
        lines = [
            f"Erased: tenant {tenant.id}, with {_listed(counts)}.",
            "Backups made before now still hold it; after restoring one, erase it again.",
        ]
        show(arguments, document, lines)
        if not emptied:
            return refuse(
                f"somebody keeps reading: {storage.database.path}-wal may hold what was erased until the server is "
                "restarted",
                REFUSED,
            )
        return DONE

    return operate(settings, work)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(counted(counts[name], one) for name, one in ROWS.items() if name in counts)
