"""python -m server tenant ACTION: the tenants of this server: created, suspended, exported and erased."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.commands.operate import command, operate, reason, show, table
from server.commands.support import DONE, REFUSED, refuse
from server.commands.times import encoded, shown

if TYPE_CHECKING:
    from server.application import Parts
    from server.commands.support import Subparsers
    from server.settings import Settings

NAME_LENGTH: Final = 200


def add(commands: Subparsers) -> None:
    """Add `tenant` and its actions."""
    actions = commands.add_parser("tenant", help="tenants").add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="create a tenant; prints its key, once")
    create.add_argument("name")
    create.set_defaults(command=create_tenant)
    command(actions, "list", "show the tenants").set_defaults(command=list_tenants)
    suspend = command(actions, "suspend", "refuse every call of a tenant")
    suspend.add_argument("tenant", metavar="TENANT", help="id or name")
    suspend.add_argument("--reason", type=reason, required=True, help="why, for whoever finds it suspended")
    suspend.set_defaults(command=suspend_tenant)
    resume = command(actions, "resume", "answer a suspended tenant again")
    resume.add_argument("tenant", metavar="TENANT", help="id or name")
    resume.set_defaults(command=resume_tenant)
    export = command(actions, "export", "write everything held about a tenant to a new file")
    export.add_argument("tenant", metavar="TENANT", help="id or name")
    export.add_argument("--output", type=Path, required=True, metavar="FILE", help="must not exist; made for you alone")
    export.set_defaults(command=export_tenant)
    erase = command(actions, "erase", "delete everything held about a tenant, for good")
    erase.add_argument("tenant", metavar="TENANT", help="id or name")
    erase.add_argument("--confirm", required=True, metavar="NAME", help="the tenant's name, to be sure")
    erase.set_defaults(command=erase_tenant)


def create_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print the new tenant as one line of JSON. Returns 1 when the name is taken."""
    from server.tenancy.tenants import TenantExistsError

    name = arguments.name.strip()
    if not 0 < len(name) <= NAME_LENGTH:
        return refuse(f"a tenant's name has 1 to {NAME_LENGTH} characters")

    async def create(parts: Parts) -> int:
        try:
            caller, key = await parts.tenants.create(name)
        except TenantExistsError as error:
            return refuse(str(error), REFUSED)
        print(orjson.dumps({"tenant_id": caller.tenant_id, "name": caller.tenant_name, "key": str(key)}).decode())
        return DONE

    return operate(settings, create)


def list_tenants(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show each tenant's stores, valid keys, brakes and last call, as far back as audit rows are kept."""

    async def work(parts: Parts) -> int:
        from server.clock import now_milliseconds
        from server.tenancy.summaries import summaries

        async with parts.database.read() as connection:
            tenants = await summaries(connection, now_milliseconds())
        documents = [
            {
                "tenant_id": each.tenant.id,
                "name": each.tenant.name,
                "created_at": encoded(each.tenant.created_at),
                "stores": each.stores,
                "valid_keys": each.valid_keys,
                "brakes": list(each.brakes),
                "last_call_at": encoded(each.last_call_at),
            }
            for each in tenants
        ]
        rows = [
            (
                each.tenant.id,
                each.tenant.name,
                str(each.stores),
                str(each.valid_keys),
                ", ".join(each.brakes) or "-",
                shown(each.last_call_at),
            )
            for each in tenants
        ]
        lines = table(("TENANT_ID", "NAME", "STORES", "VALID KEYS", "BRAKES", "LAST CALL"), rows)
        show(arguments, {"tenants": documents}, lines)
        return DONE

    return operate(settings, work)


def suspend_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Refuse a tenant's calls from now on, writes under way included."""

    async def work(parts: Parts) -> int:
        from server.audit import record_operator
        from server.brakes import Brake, pull
        from server.commands.in_force import audited, report
        from server.tenancy.lookup import find_tenant

        async with parts.database.write() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
            await pull(connection, Brake("tenant", tenant.id, "suspended", arguments.reason))
            target = audited(arguments.reason)
            await record_operator(connection, "tenant.suspend", tenant_id=tenant.id, target=target)
        await report(parts, arguments, f"Suspended: every call of tenant {tenant.name} is refused.")
        return DONE

    return operate(settings, work)


def resume_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Answer a tenant again. Returns 1 where it was not suspended."""

    async def work(parts: Parts) -> int:
        from server.commands.in_force import Subject, let_go, report
        from server.tenancy.lookup import find_tenant

        async with parts.database.read() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
        await let_go(parts, Subject("tenant", tenant.id, tenant.name), "suspended", "tenant.resume", "")
        await report(parts, arguments, f"Resumed: tenant {tenant.name} is answered again.")
        return DONE

    return operate(settings, work)


def export_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the file. Returns 1 where it exists, or some of the tenant's data does not open."""
    if arguments.output.exists():
        return refuse(f"{arguments.output} exists; name a new file", REFUSED)

    async def work(parts: Parts) -> int:
        from server.audit import record_operator
        from server.tenancy.export import export
        from server.tenancy.lookup import find_tenant

        async with parts.database.write() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
            await record_operator(connection, "tenant.export", tenant_id=tenant.id)
        async with parts.database.read() as connection:
            counts = await export(connection, parts.ledger, tenant, arguments.output)
        unreadable = counts.pop("unreadable")
        document = {"tenant_id": tenant.id, "file": str(arguments.output), "rows": counts, "unreadable": unreadable}
        lines = [
            f"Everything held about tenant {tenant.name} is in {arguments.output}: {_listed(counts)}.",
            "It holds customers' data: hand it over safely, then delete it.",
        ]
        show(arguments, document, lines)
        if unreadable:
            return refuse(f"{unreadable} plans and results open under no master key; they are null there", REFUSED)
        return DONE

    return operate(settings, work)


def erase_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    """Delete the tenant. Returns 1 where the name is another, a write is under way, or the log could not be emptied."""

    async def work(parts: Parts) -> int:
        from server.tenancy.erasure import empty_log, erase, suspend_for_erasure
        from server.tenancy.lookup import RefusedError, find_tenant

        async with parts.database.read() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
        if arguments.confirm != tenant.name:
            raise RefusedError(f"the tenant is named {tenant.name!r}: repeat that after --confirm to erase it")
        await suspend_for_erasure(parts.database, tenant, settings.call_deadline_seconds)
        async with parts.database.write() as connection:
            counts = await erase(connection, tenant)
        emptied = await empty_log(parts.database)
        document: dict[str, Any] = {"tenant_id": tenant.id, "rows": counts, "log_emptied": emptied}
        lines = [
            f"Erased: tenant {tenant.id}, with {_listed(counts)}.",
            "Backups made before now still hold it; after restoring one, erase it again.",
        ]
        show(arguments, document, lines)
        if not emptied:
            return refuse(
                f"somebody keeps reading: {parts.database.path}-wal may hold what was erased until the server is "
                "restarted",
                REFUSED,
            )
        return DONE

    return operate(settings, work)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
