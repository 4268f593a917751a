"""FastMCP's default server with one trivial tool; run by the interpreter of the peer's own environment.

Its defaults, but for what a measurement needs: a port that the system chooses, no banner (it asks a package index for a
newer version), and a coroutine for a tool, because a plain function would run in a thread and cost it a third.
"""

import asyncio
import json
import socket
import sys

from fastmcp import FastMCP  # type: ignore[import-not-found, unused-ignore] # not in the project's environment


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def main() -> None:
    """Serve until SIGTERM; says where in one JSON line."""
    server = FastMCP("peer")
    server.tool(add)
    # The protocol is named because asyncio turns Nagle's algorithm off only on sockets that say they are TCP: without
    # it every answer would wait 40 ms, which FastMCP's own sockets do not.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    host, port = listener.getsockname()
    sys.stdout.write(json.dumps({"event": "peer.listening", "host": host, "port": port}) + "\n")
    sys.stdout.flush()
    asyncio.run(server.run_http_async(sockets=[listener], show_banner=False))


if __name__ == "__main__":
    main()
