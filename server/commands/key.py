"""python -m server key ACTION: the keys of tenants, and the rotation of the master key."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from server.commands.operate import add_tenant, command, operate, reason, show, show_all, tenant_in
from server.commands.support import DONE, REFUSED, refuse
from server.commands.times import cell, duration, encoded, moment, shown, time_to_come
from server.plural import counted

if TYPE_CHECKING:
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings
    from server.tenancy.lookup import KeyRow
    from server.tenancy.rotation import Outcome, RingKey

SHOWN_UNREADABLE: Final = 20


def add(commands: Subparsers) -> None:
    """Add `key` and its actions."""
    actions = commands.add_parser("key", help="keys of tenants, and the master key").add_subparsers(
        required=True, metavar="ACTION"
    )
    create = command(actions, "create", "make a further key of a tenant; prints it, once")
    add_tenant(create)
    create.add_argument("--expires", type=time_to_come, metavar="90d", help="let it end after that; default: never")
    create.set_defaults(command=create_key)
    listing = command(actions, "list", "show a tenant's keys, when each ends or ended, and its last tool call")
    add_tenant(listing)
    listing.set_defaults(command=list_keys)
    rotate = command(actions, "rotate", "make a new key; the tenant's others end after an overlap")
    add_tenant(rotate)
    rotate.add_argument(
        "--overlap", type=duration, default=duration("24h"), metavar="24h", help="how long the others go on working"
    )
    rotate.add_argument("--now", action="store_true", help="although the overlap of an earlier rotation is not over")
    rotate.set_defaults(command=rotate_key)
    revoke = command(actions, "revoke", "withdraw a key for good")
    revoke.add_argument("key", metavar="KEY_ID")
    revoke.add_argument("--reason", type=reason, required=True, help="why, for the audit")
    revoke.set_defaults(command=revoke_key)
    expire = command(actions, "expire", "let a key end at a time to come")
    expire.add_argument("key", metavar="KEY_ID")
    when = expire.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", type=moment, metavar="DATE", help="like 2030-01-31 or 2030-01-31T18:00 (UTC)")
    when.add_argument("--in", type=duration, dest="milliseconds", metavar="2h")
    expire.set_defaults(command=expire_key)
    master = command(actions, "rotate-master", "seal everything anew under the first key of MASTER_KEY")
    master.set_defaults(command=rotate_master_key)


def create_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a new key."""

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.tenancy import lifecycle

        now = now_milliseconds()
        expires_at = None if arguments.expires is None else now + arguments.expires
        async with tenant_in(storage.database.write(), arguments) as (connection, tenant):
            key = await lifecycle.create_key(connection, storage.vault, tenant.id, now, expires_at)
        show(
            arguments,
            {"tenant_id": tenant.id, "key_id": key.id, "key": str(key), "expires_at": encoded(expires_at)},
            [f"Key {key.id} of tenant {tenant.name}, expires {shown(expires_at, 'never')}; shown this once:", str(key)],
        )
        return DONE

    return operate(settings, work)


def list_keys(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show every key of a tenant with its state and its last use, as far back as audit rows are kept."""

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.tenancy.lookup import keys_of, last_uses

        async with tenant_in(storage.database.read(), arguments) as (connection, tenant):
            keys = await keys_of(connection, tenant.id)
            used = await last_uses(connection, tenant.id)
        now = now_milliseconds()

        def entry(key: KeyRow) -> tuple[dict[str, Any], tuple[str, ...]]:
            document = {
                "key_id": key.id,
                "state": key.state(now),
                "created_at": encoded(key.created_at),
                "expires_at": encoded(key.expires_at),
                "revoked_at": encoded(key.revoked_at),
                "last_used_at": encoded(used.get(key.id)),
            }
            end = cell(key.expires_at if key.revoked_at is None else key.revoked_at, "never")
            return document, (key.id, key.state(now), cell(key.created_at), end, cell(used.get(key.id)))

        heads = ("KEY_ID", "STATE", "CREATED (UTC)", "END (UTC)", "LAST CALL (UTC)")
        show_all(arguments, {"tenant_id": tenant.id, "tenant": tenant.name}, "keys", heads, map(entry, keys))
        return DONE

    return operate(settings, work)


def rotate_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a new key and until when the others work. Returns 1 while an earlier rotation's overlap runs."""

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.tenancy import lifecycle

        async with tenant_in(storage.database.write(), arguments) as (connection, tenant):
            now = now_milliseconds()
            rotated = await lifecycle.rotate_keys(
                connection, storage.vault, tenant.id, now, arguments.overlap, again=arguments.now
            )
        key = rotated.key
        expiring = [{"key_id": key_id, "expires_at": encoded(at)} for key_id, at in rotated.expiring]
        show(
            arguments,
            {"tenant_id": tenant.id, "key_id": key.id, "key": str(key), "expiring": expiring},
            [
                f"Key {key.id} of tenant {tenant.name}, expires never; shown this once:",
                str(key),
                *(
                    f"Key {key_id} has ended." if at <= now else f"Key {key_id} works until {shown(at)}."
                    for key_id, at in rotated.expiring
                ),
            ],
        )
        return DONE

    return operate(settings, work)


def revoke_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """Withdraw a key. Returns 1 where it is unknown or was withdrawn before."""

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.tenancy import lifecycle
        from server.tenancy.lookup import keys_of

        now = now_milliseconds()
        async with storage.database.write() as connection:
            key = await lifecycle.revoke_key(connection, arguments.key, now, arguments.reason)
            others = await keys_of(connection, key.tenant_id)
        valid = [other.id for other in others if other.state(now) == "valid"]
        left = f"{counted(len(valid), 'other valid key')}." if valid else "no valid key any more: key create makes one."
        lines = [f"Key {key.id} is revoked. Running servers refuse it within a second.", f"Its tenant has {left}"]
        show(arguments, {"tenant_id": key.tenant_id, "key_id": key.id, "valid_keys": valid}, lines)
        return DONE

    return operate(settings, work)


def expire_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """Set when a key ends. Returns 1 where it is not valid, or the time is past."""

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.tenancy import lifecycle

        now = now_milliseconds()
        at = now + arguments.milliseconds if arguments.at is None else arguments.at
        async with storage.database.write() as connection:
            key = await lifecycle.expire_key(connection, arguments.key, now, at)
        document = {"tenant_id": key.tenant_id, "key_id": key.id, "expires_at": encoded(at)}
        show(arguments, document, [f"Key {key.id} works until {shown(at)}."])
        return DONE

    return operate(settings, work)


def rotate_master_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """Seal everything anew. Returns 1 where something does not open, or was sealed under an older key meanwhile."""
    visible = sys.stderr.isatty() and not arguments.json

    def progress(name: str, looked_at: int, total: int) -> None:
        if visible:
            print(f"\r\033[K{name} {looked_at}/{total}", end="", file=sys.stderr, flush=True)

    async def work(storage: Storage) -> int:
        from server.tenancy.rotation import ring_keys, rotate_master

        outcome = await rotate_master(storage.database, storage.vault, progress)
        ring = await ring_keys(storage.database, storage.vault)
        if visible:
            print("\r\033[K", end="", file=sys.stderr)
        document: dict[str, Any] = {
            "examined": outcome.examined,
            "resealed": outcome.resealed,
            "left": outcome.left,
            "unreadable": list(outcome.unreadable),
            "keys": [asdict(key) for key in ring],
        }
        show(arguments, document, _told(outcome, ring))
        for name in outcome.unreadable[:SHOWN_UNREADABLE]:
            refuse(f"left as it is: {name}")
        if len(outcome.unreadable) > SHOWN_UNREADABLE:
            refuse(f"and {len(outcome.unreadable) - SHOWN_UNREADABLE} more; --json lists them all")
        if outcome.left:
            refuse(
                f"{counted(outcome.left, 'value is', 'values are')} under older keys still: a server seals with one; "
                "restart it with the new key first in MASTER_KEY, then run this again"
            )
        return REFUSED if outcome.left or outcome.unreadable else DONE

    return operate(settings, work)


def _told(outcome: Outcome, ring: tuple[RingKey, ...]) -> list[str]:
    first, *others = ring
    lines = [
        f"{counted(outcome.examined, 'sealed value')}, {outcome.resealed} of them sealed anew.",
        "The keys in MASTER_KEY, by fingerprint:",
        *(f"  {key}" for key in ring),
    ]
    if outcome.left or outcome.unreadable:
        return lines
    replaced = [key.fingerprint for key in others if key.replaced]
    if replaced:
        lines += [
            f"Everything is under {first.fingerprint}: {', '.join(replaced)} may be removed from MASTER_KEY.",
            "Keep what you remove somewhere safe: backups made before now need it.",
        ]
    if len(replaced) < len(others):
        unused = ", ".join(key.fingerprint for key in others if not key.replaced)
        lines += [
            f"Nothing was sealed anew from {unused}, and {first.fingerprint} comes first: it is the key in use.",
            "If another was meant to be first, the order in MASTER_KEY is wrong: put that one first, restart, and run",
            f"this again. Do not remove {first.fingerprint}: everything is sealed under it.",
        ]
    return lines
