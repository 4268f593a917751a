"""Which writes an operator means: by tenant, store, tool and age, as tenants and tools are called."""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING

from server.commands.times import duration

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.storage.database import Database
    from server.writes.history import Filter


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Let the command choose writes."""
    parser.add_argument("--tenant", metavar="TENANT", help="id or name")
    parser.add_argument("--store", metavar="STORE", help="OrderDesk id, label or name")
    parser.add_argument("--tool", type=_tool, metavar="TOOL", help="one tool's, like orders_update")
    parser.add_argument("--since", type=duration, metavar="2h", help="not older than this: 30m, 12h, 7d")


async def selected(database: Database, arguments: argparse.Namespace) -> Filter:
    """What the arguments choose. Raises RefusedError for a tenant or a store that is not known."""
    from server.clock import now_milliseconds
    from server.tenancy.lookup import find_tenant
    from server.writes.history import Filter

    since = None if arguments.since is None else now_milliseconds() - arguments.since
    tenant_id, store_id = None, None
    async with database.read() as connection:
        if arguments.tenant is not None:
            tenant_id = (await find_tenant(connection, arguments.tenant)).id
        if arguments.store is not None:
            tenant_id, store_id = await _store(connection, tenant_id, arguments.store)
    return Filter(tenant_id, store_id, arguments.tool, getattr(arguments, "state", None), since)


async def _store(connection: AsyncConnection, tenant_id: str | None, text: str) -> tuple[str | None, str]:
    """The tenant and the OrderDesk id of a store. An id means that store of every tenant, a label or name one's own."""
    from sqlalchemy import select

    from server.storage.tables import stores, tenants, writes
    from server.tenancy.lookup import RefusedError

    named = (stores.c.label, stores.c.name, stores.c.store_id, stores.c.tenant_id, tenants.c.name.label("tenant"))
    query = select(*named).join(tenants)
    if tenant_id is not None:
        query = query.where(stores.c.tenant_id == tenant_id)
    by_id = query.where(stores.c.store_id == text)
    kept = select(writes.c.id).where(writes.c.store_id == text).limit(1)  # of one that is not registered any more
    if (await connection.execute(by_id.limit(1))).first() or (await connection.execute(kept)).first():
        return tenant_id, text
    known = (await connection.execute(query)).all()
    for attribute in ("label", "name"):
        found = [row for row in known if (getattr(row, attribute) or "").casefold() == text.strip().casefold()]
        if len(found) == 1:
            return found[0].tenant_id, found[0].store_id
        if found:
            several = ", ".join(f"{row.store_id} of tenant {row.tenant}" for row in found)
            raise RefusedError(f"several stores have the {attribute} {text!r}: {several}; give the id, or --tenant")
    whose = "the tenant" if tenant_id else "any tenant"
    raise RefusedError(f"no store of {whose} has the OrderDesk id, label or name {text!r}")


def _tool(text: str) -> str:
    """The name of a tool that writes. Raises ArgumentTypeError."""
    from server.tools.registry import ALL
    from server.writes.reversals import REVERT

    names = [*(tool.name for tool in ALL if tool.writes), REVERT]
    if text in names:
        return text
    if text in {tool.name for tool in ALL}:
        raise argparse.ArgumentTypeError(f"{text} only reads")
    near = difflib.get_close_matches(text, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"these write: {', '.join(names)}"
    raise argparse.ArgumentTypeError(f"no tool is called {text!r}; {hint}")
