"""The operator's story told over stdio by the official SDK's client: an oracle that knows nothing of our own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from harness.repository import REPOSITORY
from tests.integration.server.bench import Bench, Tenant
from tests.integration.server.stdio_process import COMMAND

REVISIONS = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}


async def ask(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.fixture
def tenant(bench: Bench) -> Tenant:
    return bench.new_tenant("stdio")


@pytest.mark.parametrize("mode", REVISIONS)
@pytest.mark.parametrize("key_is_given", ["at the start", "by the tool"])
async def test_the_official_client_registers_reads_and_updates_over_stdio(
    bench: Bench, tenant: Tenant, tmp_path: Path, mode: str, key_is_given: str
) -> None:
    account, at_start = next(bench.upstream.accounts), key_is_given == "at the start"
    environment = {**bench.environment, **({"TENANT_KEY": tenant.key} if at_start else {})}
    program, *arguments = COMMAND
    started = StdioServerParameters(command=program, args=arguments, env=environment, cwd=REPOSITORY)
    store = {"store_id": account.store_id, "api_key": account.api_key, "store_name": "SDK"}
    order_id, note = account.order_ids[0], f"Told by the official client over stdio, {mode}"
    log = tmp_path / "log"
    with log.open("w") as errors:
        async with Client(stdio_client(started, errlog=errors), mode=mode) as client:
            assert client.protocol_version == REVISIONS[mode]
            assert "orders_update" in {tool.name for tool in (await client.list_tools()).tools}
            if not at_start:
                with pytest.raises(MCPError, match="key is required"):
                    await client.call_tool("stores_list", {})
                shown = await ask(client, "tenant_use_master_key", master_key=tenant.key)
                assert shown["tenant_id"] == tenant.id
            await ask(client, "stores_register", **store)
            await ask(client, "stores_use_store", identifier="sdk")
            assert (await ask(client, "orders_list", limit=2))["pagination"]["count"] == 2
            before = (await ask(client, "orders_get", order_id=order_id))["order"]
            since = bench.upstream.control.last_sequence()
            updated = await ask(client, "orders_update", order_id=order_id, changes={"order_notes": [note]})
            assert updated["message"] == f"Order {order_id} updated successfully"
            after = (await ask(client, "orders_get", order_id=order_id))["order"]
            refused = await client.call_tool("orders_get", {"order_id": "99999999"})
            assert refused.is_error
    (written,) = [change for entry in bench.upstream.applied(account, since) for change in entry["changes"]]
    assert written["id"] == order_id
    assert set(written["fields"]) - {"date_updated"} == {"order_notes"}
    assert [each["content"] for each in after["order_notes"]][-1] == note
    assert after["order_notes"][:-1] == before["order_notes"]
    assert after["shipping"] == before["shipping"]
    # The client closed the input and the process ended by itself, not by a signal.
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "server.stopped"
