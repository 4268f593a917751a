"""A peer's default server with a trivial and a realistic tool; run by the interpreter of the peers' own environment.

    python -P perf/peers/peer_server.py fastmcp|sdk ORDERS.json

Its defaults, but for what a measurement needs: a port that the system chooses, no banner (it asks a package index for a
newer version), and coroutines for tools, because a plain function would run in a thread and cost it a third. The orders
are a table of what `orders_get` answers with, by order id: neither peer has to fetch anything.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Start = Callable[[socket.socket, list[Callable[..., Awaitable[Any]]]], Awaitable[None]]


async def start_fastmcp(listener: socket.socket, tools: list[Callable[..., Awaitable[Any]]]) -> None:
    """Serve with FastMCP, as its `run` over HTTP does."""
    from fastmcp import FastMCP  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- the other's is not paid

    server = FastMCP("peer")
    for tool in tools:
        server.tool(tool)
    await server.run_http_async(sockets=[listener], show_banner=False)


async def start_sdk(listener: socket.socket, tools: list[Callable[..., Awaitable[Any]]]) -> None:
    """Serve with the official SDK, as its `run` over Streamable HTTP does, which takes no socket."""
    import uvicorn  # noqa: PLC0415 -- as above
    from mcp.server import MCPServer  # noqa: PLC0415

    server = MCPServer("peer")
    for tool in tools:
        server.add_tool(tool)
    config = uvicorn.Config(server.streamable_http_app(), log_level=server.settings.log_level.lower())
    await uvicorn.Server(config).serve(sockets=[listener])


PEERS: dict[str, Start] = {"fastmcp": start_fastmcp, "sdk": start_sdk}


def main() -> None:
    """Serve until SIGTERM; says where in one JSON line."""
    start, orders = PEERS[sys.argv[1]], json.loads(Path(sys.argv[2]).read_bytes())

    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def orders_get(order_id: str) -> dict[str, Any]:
        """Return an order."""
        order: dict[str, Any] = orders[order_id]
        return order

    # The protocol is named because asyncio turns Nagle's algorithm off only on sockets that say they are TCP: without
    # it every answer would wait 40 ms, which their own sockets do not.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    host, port = listener.getsockname()
    sys.stdout.write(json.dumps({"event": "peer.listening", "host": host, "port": port}) + "\n")
    sys.stdout.flush()
    asyncio.run(start(listener, [add, orders_get]))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
