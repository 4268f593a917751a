"""Our dispatcher with nothing around it: no key, limit, metric, log line or audit row, and no guard of the edge.

    PYTHONPATH=. python tests/peers/bare_server.py ORDERS.json

What the server with everything on is compared with by `./inv peers`. Its `orders_get` answers from a table with the
very bytes that a cached call answers with; its `add` is as trivial as the peers'. It lives among the tests because jobs
do not import the server, and a server without keys has no place in what is deployed.
"""

import gc
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from server.edge.layer import Application, Receive, Scope, Send
from server.protocol.dispatch import Dispatcher
from server.protocol.exchange import Exchange, Surface
from server.protocol.http import Request
from server.protocol.legible import legible
from server.protocol.transport import Transport
from server.tenancy.tenants import Caller

EVERYONE = Caller("bare", "bare", "bare")


async def accept_everyone(_key: str | None, _address: str | None) -> Caller:
    """Authentication is off."""
    return EVERYONE


def bare_surface(orders: Mapping[str, Any]) -> Surface:
    """Two tools, of which neither computes more than it must."""
    found = {identity: _result(orjson.dumps(order)) for identity, order in orders.items()}

    async def call_tool(_exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        arguments = params["arguments"]
        if params["name"] == "orders_get":
            return found[arguments["order_id"]]
        return _result(orjson.dumps({"result": arguments["a"] + arguments["b"]}))

    return Surface(
        name="bare",
        version="1",
        instructions="",
        capabilities={"tools": {}},
        methods={"tools/call": call_tool},
        take=lambda _caller: 0.0,
    )


def _result(encoded: bytes) -> dict[str, Any]:
    """What the production surface makes of a tool's answer."""
    return {
        "content": [{"type": "text", "text": legible(encoded)}],
        "structuredContent": orjson.Fragment(encoded),
        "isError": False,
    }


def bare_application(transport: Transport) -> Application:
    """The least that stands between uvicorn and the endpoint."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        request = Request(scope["method"], dict(scope["headers"]), scope["query_string"], body, "bare")
        reply = await transport.handle(request)
        headers = [*reply.headers, (b"content-length", str(len(reply.body)).encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return application


def main() -> None:
    """Serve until SIGTERM; says where in one JSON line."""
    orders = json.loads(Path(sys.argv[1]).read_bytes())
    application = bare_application(Transport(Dispatcher(bare_surface(orders)), accept_everyone))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    host, port = listener.getsockname()
    # As the server does: what the imports left behind is not looked at again and again.
    gc.collect()
    gc.freeze()
    sys.stdout.write(json.dumps({"event": "peer.listening", "host": host, "port": port}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", ws="none", lifespan="off", access_log=False, log_config=None
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
