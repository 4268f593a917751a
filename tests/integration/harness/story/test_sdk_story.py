"""The operator's story told by the official SDK's client: an oracle that knows nothing of our own."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget

REVISIONS = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}


def http_client(key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30.0)


async def ask(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.mark.parametrize("mode", REVISIONS)
async def test_the_official_client_registers_reads_and_updates(
    local_target: LocalTarget, sandbox: SandboxClient, mode: str
) -> None:
    store = {"store_id": local_target.sandbox.store_id, "api_key": local_target.sandbox.api_key, "store_name": "SDK"}
    note = f"Told by the official client, {mode}"
    async with (
        http_client(local_target.new_tenant(f"sdk-{mode}")) as http,
        Client(streamable_http_client(local_target.url, http_client=http), mode=mode) as client,
    ):
        assert client.protocol_version == REVISIONS[mode]
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["orders_update"].annotations is not None
        assert tools["orders_update"].annotations.destructive_hint
        await ask(client, "stores_register", **store)
        await ask(client, "stores_use_store", identifier="sdk")
        orders = (await ask(client, "orders_list", limit=2))["orders"]
        order_id = str(orders[-1]["id"])
        before = (await ask(client, "orders_get", order_id=order_id))["order"]
        since = sandbox.last_sequence()
        updated = await ask(client, "orders_update", order_id=order_id, changes={"order_notes": [note]})
        assert updated["message"] == f"Order {order_id} updated successfully"
        after = (await ask(client, "orders_get", order_id=order_id))["order"]
    (written,) = [change for entry in sandbox.journal(since) if entry["applied"] for change in entry["changes"]]
    assert written["id"] == order_id
    assert set(written["fields"]) - {"date_updated"} == {"order_notes"}
    assert [each["content"] for each in written["fields"]["order_notes"]["after"]][-1] == note
    assert after["order_notes"][:-1] == before["order_notes"]
    assert after["shipping"] == before["shipping"]


@pytest.mark.parametrize("mode", REVISIONS)
async def test_the_official_client_sees_tool_errors_as_results_and_an_unknown_key_refused(
    local_target: LocalTarget, mode: str
) -> None:
    async with (
        http_client(local_target.new_tenant(f"sdk-stranger-{mode}")) as http,
        Client(streamable_http_client(local_target.url, http_client=http), mode=mode) as client,
    ):
        arguments = {"order_id": "10000001", "store_identifier": local_target.sandbox.store_id}
        refused = await client.call_tool("orders_get", arguments)
    assert refused.is_error
    assert isinstance(refused.structured_content, dict)
    assert refused.structured_content["error"]["code"] == "STORE_NOT_FOUND"
    refusal = pytest.RaisesExc(MCPError, match="key is required")
    with pytest.RaisesGroup(refusal, flatten_subgroups=True, allow_unwrapped=True):
        async with (
            http_client("nobody.nothing") as http,
            Client(streamable_http_client(local_target.url, http_client=http), mode=mode) as client,
        ):
            await client.list_tools()
