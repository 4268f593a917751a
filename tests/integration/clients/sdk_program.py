"""The official Python SDK's client: sdk_program.py MODE URL, or sdk_program.py MODE -- COMMAND … over stdio.

The key is in MCP_KEY; a command is given it as TENANT_KEY.
"""

import asyncio
import os
import sys
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.integration.clients.lines import answer_lines, flatten, outcome, say, tools


async def tell(mode: str, server: Any) -> None:
    async with Client(server, mode=mode) as client:

        async def answer(tool: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
            if tool is None:
                return tools((await client.list_tools()).tools)
            result = await client.call_tool(tool, arguments)
            return outcome(result, structured=result.structured_content)

        say({"revision": client.protocol_version})
        await answer_lines(answer)


async def main(mode: str, *target: str) -> None:
    if target[0] == "--":
        environment = {**os.environ, "TENANT_KEY": os.environ["MCP_KEY"]}
        await tell(mode, StdioServerParameters(command=target[1], args=list(target[2:]), env=environment))
        return
    headers = {"Authorization": f"Bearer {os.environ['MCP_KEY']}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=30) as http:
        await tell(mode, streamable_http_client(target[0], http_client=http))


try:
    asyncio.run(main(*sys.argv[1:]))
except Exception as error:  # noqa: BLE001 - as above
    say({"refused": flatten(error)})
