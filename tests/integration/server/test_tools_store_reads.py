import json
import re
from collections.abc import Callable

import pytest

from harness.client import Client, RpcError
from harness.sandbox.faults import ErrorInside200, Match
from tests.integration.server.bench import Bench, Shop, fail, succeed
from tests.integration.server.conftest import StartBench

READS = ("stores_test", "stores_settings", "stores_folders")


def test_a_store_s_connection_is_tested_anew_each_time(bench: Bench, shop: Shop, client: Client) -> None:
    since = bench.upstream.control.last_sequence()
    for _ in range(2):
        result = succeed(client, "stores_test", {"store_identifier": shop.label})
        assert result["message"] == "Connection Successful"
        assert result["store_id"] == shop.account.store_id
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", result["current_date_time"])
        assert 0 < result["latency_ms"] < 10_000
    assert [call["path"] for call in bench.upstream.calls(shop.account, since)] == ["/test", "/test"]


def test_a_store_s_settings_are_told_without_secrets_and_nothing_of_these_is_kept(
    bench: Bench, shop: Shop, client: Client
) -> None:
    held = bench.upstream.request(shop.account, "GET", "/store")["store"]
    secrets = [held["settings"]["api_key"], held["settings"]["smtp_password"]]
    since = bench.upstream.control.last_sequence()
    for cached in (False, True):
        result = succeed(client, "stores_settings")
        assert result["cached"] is cached
        assert result["store"] == {
            "id": held["id"],
            "name": held["name"],
            "settings": {name: held["settings"][name] for name in ("timezone", "store_email", "currency")},
        }
        assert not [secret for secret in secrets if secret in json.dumps(result)]
    assert len(bench.upstream.calls(shop.account, since)) == 1
    log = bench.log.read_text()
    assert not [secret for secret in secrets if secret in log]


def test_folders_are_listed_with_their_ids_and_share_the_settings_cache(
    bench: Bench, shop: Shop, client: Client
) -> None:
    held = bench.upstream.request(shop.account, "GET", "/store")["store"]["folders"]
    succeed(client, "stores_settings")
    result = succeed(client, "stores_folders")
    assert result["folders"] == [{"id": number, "name": name} for number, name in held.items()]
    assert (result["count"], result["cached"]) == (len(held), True)


@pytest.mark.parametrize("tool", READS)
def test_a_store_that_orderdesk_refuses_is_told_as_that(tool: str, client: Client) -> None:
    asked = {"store_id": "777003", "api_key": "wrong", "store_name": "Wrong", "label": "wrong"}
    succeed(client, "stores_register", asked)
    assert fail(client, tool, {"store_identifier": "wrong"})["code"] == "AUTH_ERROR"


@pytest.mark.parametrize("tool", READS)
def test_an_error_inside_a_200_is_an_error_and_not_kept(
    tool: str, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    faults(ErrorInside200(message="Not now", count=1, match=Match(store_id=shop.account.store_id)))
    error = fail(client, tool)
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Not now")
    succeed(client, tool)


def test_only_the_chosen_toolsets_are_offered_and_a_tool_of_another_says_so(start: StartBench) -> None:
    bench = start(TOOLSETS="stores")
    shop = bench.open_shop()
    with bench.connect(shop.tenant) as client:
        names = {tool["name"] for tool in client.list_tools()}
        assert {name.partition("_")[0] for name in names} == {"stores", "tenant"}
        assert {"tenant_use_master_key", *READS} <= names
        with pytest.raises(RpcError) as refused:
            client.call_tool("orders_get", {"order_id": shop.orders[0]})
        assert refused.value.message == (
            "Tool 'orders_get' exists, but the toolset orders is switched off on this server (TOOLSETS)"
        )
        with pytest.raises(RpcError) as unknown:
            client.call_tool("store_list", {})
        assert "did you mean 'stores_list'" in unknown.value.message
