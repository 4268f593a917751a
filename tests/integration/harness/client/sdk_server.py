"""A server made with the official SDK, on a free port; run as a script: `sdk_server.py stateful|stateless json|sse`."""

import json
import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("sdk", version="2.3.0")


@server.tool()
def add(a: int, b: int) -> dict[str, int]:
    return {"sum": a + b}


@server.tool()
def fail() -> str:
    raise ToolError("told to fail")


@server.tool(name="größe")
def non_ascii() -> str:
    return "line\u2028separator"


def main(sessions: str, answers: str) -> None:
    app = server.streamable_http_app(json_response=answers == "json", stateless_http=sessions == "stateless")
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"event": "sdk.listening", "port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
