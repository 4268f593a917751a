"""How to connect a client, ready to paste."""

import json
import shlex
from collections.abc import Mapping

NAME = "quartermaster"


def describe_clients(url: str, key: str) -> str:
    """Return the configurations of clients that speak HTTP, of Claude Code, and of those that speak only stdio."""
    http = {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {key}"}}
    # mcp-remote is a Node program. The key goes through a variable: some clients split arguments at spaces.
    remote = {
        "command": "npx",
        "args": ["-y", "mcp-remote", url, "--header", "Authorization:${AUTHORIZATION}"],
        "env": {"AUTHORIZATION": f"Bearer {key}"},
    }
    command = ["claude", "mcp", "add", "--transport", "http", NAME, url, "--header", f"Authorization: Bearer {key}"]
    return (
        f"A client that speaks HTTP:\n\n{_servers(http)}\n\n"
        f"Claude Code:\n\n{shlex.join(command)}\n\n"
        f"A client that speaks only stdio, through mcp-remote:\n\n{_servers(remote)}\n"
    )


def _servers(server: Mapping[str, object]) -> str:
    return json.dumps({"mcpServers": {NAME: server}}, indent=2)
