"""python -m server seed: made-up tenants, stores, writes and audit rows in an empty database, to measure on."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from server.commands.operate import command, json_of, operate
from server.commands.support import DONE, refuse

if TYPE_CHECKING:
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings

WRITES_OF_AUDIT_ROWS: Final = 50
"""Without --writes, one in so many audit rows is a write's."""
MORE: Final = """\
Never in production, and only a migrated database without tenants is filled. The
same --seed gives the same rows on the same day; keys are drawn at random. One
line of JSON says what was made: the tenant with the most rows, and its key.

  python -m server seed --tenants 500 --stores 10000 --audit-rows 1000000"""


def add(commands: Subparsers) -> None:
    """Add `seed`."""
    parser = command(commands, "seed", "fill an empty database with made-up data; refused in production", MORE)
    for name in ("tenants", "stores", "audit-rows"):
        parser.add_argument(f"--{name}", type=int, required=True, metavar="N")
    parser.add_argument("--writes", type=int, metavar="N", help="default: one for each 50 audit rows")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="other numbers, other rows; default: 1")
    parser.set_defaults(command=seed_database)


def seed_database(settings: Settings, arguments: argparse.Namespace) -> int:
    """Fill the database. Returns 2 in production and for sizes that cannot be, 1 where it holds tenants."""
    if settings.environment == "production":
        return refuse("seed fills a database with made-up tenants: it is refused in production")

    async def work(storage: Storage) -> int:
        from server.clock import now_milliseconds
        from server.seeding import DAY_MILLISECONDS, Sizes, fill

        given = arguments.writes
        writes = arguments.audit_rows // WRITES_OF_AUDIT_ROWS if given is None else given
        sizes = Sizes(arguments.tenants, arguments.stores, arguments.audit_rows, writes)
        if problem := sizes.problem():
            return refuse(problem)
        now = now_milliseconds()
        tenant = await fill(
            storage.database,
            storage.vault,
            sizes,
            seed=arguments.seed,
            now=now - now % DAY_MILLISECONDS,
            progress=_progress,
        )
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        made = {"tenant_id": tenant.id, "name": tenant.name, "key": str(tenant.key)}
        print(json_of({**asdict(sizes), "seed": arguments.seed, "tenant": made}), flush=True)
        return DONE

    return operate(settings, work)


def _progress(table: str, inserted: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{table} {inserted}/{total}", end="", file=sys.stderr, flush=True)
