"""python -m server brake ACTION: read-only for the server, a tenant or a store, and a tenant's hourly cap."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from server.commands.operate import command, operate, reason
from server.commands.support import DONE, refuse
from server.commands.times import time_to_come

if TYPE_CHECKING:
    from server.commands.in_force import Subject
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings

READ_ONLY: Final = "read-only"
LARGEST_CAP: Final = 1_000_000


def add(commands: Subparsers) -> None:
    """Add `brake` and its actions."""
    actions = commands.add_parser("brake", help="stop clients' writes").add_subparsers(required=True, metavar="ACTION")
    pull = command(actions, "pull", "refuse writes; reads and dry runs go on")
    _add_subject(pull)
    pull.add_argument("--reason", type=reason, required=True, help="why, for whoever finds it pulled")
    pull.add_argument(
        "--for", type=time_to_come, dest="milliseconds", metavar="1h", help="let it go by itself after that"
    )
    pull.set_defaults(command=pull_read_only)
    release = command(actions, "release", "let writes go on")
    _add_subject(release)
    release.set_defaults(command=release_read_only)
    cap = command(actions, "cap", "limit the objects that a tenant may create, move, delete or batch in any hour")
    cap.add_argument("tenant", metavar="TENANT", help="id or name")
    limit = cap.add_mutually_exclusive_group(required=True)
    limit.add_argument("objects", nargs="?", type=_objects, metavar="N", help="objects in any hour; 0 stops them all")
    limit.add_argument("--default", action="store_true", help="back to DESTRUCTIVE_CAP_PER_HOUR")
    cap.add_argument("--reason", type=reason, help="why; needed with N")
    cap.set_defaults(command=set_cap)
    command(actions, "list", "show what is pulled now").set_defaults(command=list_brakes)


def pull_read_only(settings: Settings, arguments: argparse.Namespace) -> int:
    """Pull read-only, and say what is in force. Returns 1 for a tenant or store that is not known."""

    async def work(storage: Storage) -> int:
        from server.audit import record_operator
        from server.brakes import Brake
        from server.clock import now_milliseconds
        from server.commands.in_force import audited, replace, report

        on = await _subject(storage, arguments)
        until = None if arguments.milliseconds is None else now_milliseconds() + arguments.milliseconds
        async with storage.database.write() as connection:
            replaced = await replace(
                connection, Brake(on.scope, on.id, "read_only", arguments.reason, expires_at=until)
            )
            await record_operator(
                connection,
                "brake.pull",
                tenant_id=on.tenant_id,
                store_id=on.store_id,
                target=audited(f"{READ_ONLY}: {arguments.reason}"),
            )
        await report(storage, arguments, f"Pulled: {on} is read-only; reads and dry runs go on.", replaced)
        return DONE

    return operate(settings, work)


def release_read_only(settings: Settings, arguments: argparse.Namespace) -> int:
    """Release read-only, and say what is in force still. Returns 1 where it was not pulled."""

    async def work(storage: Storage) -> int:
        from server.commands.in_force import let_go, report

        on = await _subject(storage, arguments)
        await let_go(storage, on, "read_only", "brake.release", READ_ONLY)
        await report(storage, arguments, f"Released: {on} is not read-only any more.")
        return DONE

    return operate(settings, work)


def set_cap(settings: Settings, arguments: argparse.Namespace) -> int:
    """Give a tenant a cap of its own, or take it away."""
    if not arguments.default and arguments.reason is None:
        return refuse("a cap of N needs --reason TEXT")
    usual = settings.destructive_cap_per_hour

    async def work(storage: Storage) -> int:
        from server.audit import record_operator
        from server.brakes import Brake
        from server.commands.in_force import Subject, audited, let_go, replace, report
        from server.tenancy.lookup import find_tenant

        async with storage.database.read() as connection:
            tenant = await find_tenant(connection, arguments.tenant)
        if arguments.default:
            await let_go(storage, Subject("tenant", tenant.id, tenant.name), "cap", "brake.cap", "default")
            await report(
                storage, arguments, f"Tenant {tenant.name} has the server's cap again: {usual} objects an hour."
            )
            return DONE
        async with storage.database.write() as connection:
            brake = Brake("tenant", tenant.id, "cap", arguments.reason, value=arguments.objects)
            replaced = await replace(connection, brake)
            target = audited(f"{arguments.objects}: {arguments.reason}")
            await record_operator(connection, "brake.cap", tenant_id=tenant.id, target=target)
        said = f"Tenant {tenant.name} may touch {arguments.objects} objects an hour; the server's cap is {usual}."
        await report(storage, arguments, said, replaced)
        return DONE

    return operate(settings, work)


def list_brakes(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say what is in force."""

    async def work(storage: Storage) -> int:
        from server.commands.in_force import report

        await report(storage, arguments, None)
        return DONE

    return operate(settings, work)


def _add_subject(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("brake", choices=[READ_ONLY])
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--tenant", metavar="TENANT", help="one tenant's stores (id or name); default: the whole server")
    one.add_argument("--store", nargs=2, metavar=("TENANT", "STORE"), help="one store (OrderDesk id, label or name)")


def _objects(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_CAP):
        raise argparse.ArgumentTypeError(f"a cap is a number from 0 to {LARGEST_CAP}")
    return int(text)


async def _subject(storage: Storage, arguments: argparse.Namespace) -> Subject:
    from server.commands.in_force import Subject
    from server.errors import StoreNotFoundError
    from server.tenancy.lookup import RefusedError, find_tenant

    text = arguments.store[0] if arguments.store else arguments.tenant
    if text is None:
        return Subject("server")
    async with storage.database.read() as connection:
        tenant = await find_tenant(connection, text)
    if not arguments.store:
        return Subject("tenant", tenant.id, tenant.name)
    try:
        store = await storage.stores.resolve(tenant.id, arguments.store[1])
    except StoreNotFoundError:
        raise RefusedError(f"tenant {tenant.name} has no store {arguments.store[1]!r}") from None
    return Subject("store", tenant.id, tenant.name, store.id, store.store_id)
