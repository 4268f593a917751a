"""FastMCP's client, run in FastMCP's own environment: fastmcp_program.py MODE URL, the key in MCP_KEY."""

import asyncio
import os
import sys
from typing import Any

from fastmcp import Client  # type: ignore[import-not-found, unused-ignore] # not in the project's environment

from tests.integration.clients.lines import answer_lines, flatten, outcome, say, tools


async def main(mode: str, url: str) -> None:
    async with Client(url, auth=os.environ["MCP_KEY"], mode=mode) as client:

        async def answer(tool: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
            if tool is None:
                return tools(await client.list_tools())
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            return outcome(result, structured=result.structured_content)

        say({"revision": client.protocol_version})
        await answer_lines(answer)


try:
    asyncio.run(main(*sys.argv[1:]))
except Exception as error:  # noqa: BLE001 - whatever the client raises is what its caller is told
    say({"refused": flatten(error)})
