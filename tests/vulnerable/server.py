"""A small MCP server with a switch for each hole: what every live probe is shown to find. No hole is open by itself.

`python -m tests.vulnerable.server [--hole NAME …]` prints one JSON line with its port, its control port, its
operator's secrets and two tenants, each with a key and a stocked store. It imports nothing of the project's server:
what it gets right, it gets right by itself. How to add a hole: holes.py.
"""

import argparse
import asyncio
import json
import secrets
import ssl
import sys
from pathlib import Path

from tests.vulnerable.control import Control
from tests.vulnerable.desk import Desk
from tests.vulnerable.edge import Edge, Operator
from tests.vulnerable.holes import HOLES, OpenHoles
from tests.vulnerable.keys import Keys
from tests.vulnerable.limits import Rate, TenantLimit, WrongKeys
from tests.vulnerable.protocol import Endpoint
from tests.vulnerable.proxy import BEHIND, Back, Front, refuse
from tests.vulnerable.sessions import Sessions
from tests.vulnerable.storage import Database
from tests.vulnerable.tools import Tools
from tests.vulnerable.wire import Bounds, Wire

LOOPBACK, OTHER = "127.0.0.1", "127.0.0.2"
BODY_BYTES = 1024 * 1024
STORES = ("Harbour Lights", "Copper Kettle")


def main() -> None:
    """Serve until a signal."""
    asyncio.run(_serve(_options().parse_args()))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vulnerable")
    parser.add_argument("--hole", action="append", default=[], choices=sorted(HOLES), dest="holes")
    parser.add_argument("--statements", type=Path, help="where to log every statement")
    parser.add_argument("--per-minute", type=float, default=1e6, help="what a tenant may call")
    parser.add_argument("--burst", type=float, default=2e6)
    parser.add_argument("--wrong-keys", type=float, default=10, help="how many a minute may name one id")
    parser.add_argument("--head-seconds", type=float, default=3)
    parser.add_argument("--body-seconds", type=float, default=3)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--sessions", action="store_true", help="open sessions in the revisions that have them")
    parser.add_argument("--proxy", action="store_true", help="what is announced is a proxy's port")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    holes = OpenHoles([*options.holes, *(BEHIND[hole] for hole in options.holes if hole in BEHIND)])
    database = Database(options.statements, holes)
    keys = Keys(database, holes)
    control = Control(keys, database)
    operator = Operator(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    limit = TenantLimit(Rate(options.per_minute, options.burst), holes)
    sessions = Sessions(holes, wanted=options.sessions)
    endpoint = Endpoint(
        keys,
        WrongKeys(options.wrong_keys, holes),
        limit,
        Tools(Desk(database, holes), holes),
        database,
        sessions,
        holes,
    )
    context = _context(options, holes)
    edge = Edge(endpoint, database, operator, holes, tls=context is not None)
    bounds = Bounds(options.head_seconds, options.body_seconds, BODY_BYTES)
    wire = Wire(edge.answer, edge.refuse, bounds, holes)
    server = await asyncio.start_server(wire.serve, LOOPBACK, 0, ssl=context)
    if holes.has("other-address"):
        await asyncio.start_server(wire.serve, OTHER, _port(server), ssl=context)
    before = server
    if options.proxy or BEHIND.keys() & set(options.holes):
        proxy = OpenHoles(hole for hole in options.holes if hole in BEHIND)
        front = Front(Back(_port(server), proxy).answer, refuse, bounds, proxy)
        before = await asyncio.start_server(front.serve, LOOPBACK, 0)
    commands = await asyncio.start_server(control.serve, LOOPBACK, 0)
    tenants = [control.obey("tenant", store=name) for name in STORES]
    announcement = {
        "event": "vulnerable.listening",
        "port": _port(before),
        "control": _port(commands),
        "admin_token": operator.admin_token,
        "webhook_key": edge.webhook_key(tenants[0]["store"]),
        "tenants": tenants,
    }
    sys.stdout.write(f"{json.dumps(announcement)}\n")
    sys.stdout.flush()
    async with server, commands, before:
        await server.serve_forever()


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def _context(options: argparse.Namespace, holes: OpenHoles) -> ssl.SSLContext | None:
    if options.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if holes.has("old-tls"):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(options.certificate, options.key)
    return context


if __name__ == "__main__":
    main()
