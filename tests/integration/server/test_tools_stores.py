from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import ERAS, Bench, Shop, fail, succeed

SECOND = {"store_id": "777001", "api_key": "second-key", "store_name": "Second", "label": "two"}


def view(shop: Shop, *, active: bool = True) -> dict[str, Any]:
    return {"store_id": shop.account.store_id, "store_name": shop.name, "label": shop.label, "active": active}


def test_a_registered_store_is_listed_without_its_key(shop: Shop, client: Client) -> None:
    assert succeed(client, "stores_list") == {"status": "success", "stores": [view(shop)], "count": 1}
    assert shop.account.api_key not in str(succeed(client, "stores_list"))


def test_a_store_is_found_by_id_label_and_name(shop: Shop, client: Client) -> None:
    for identifier in (shop.account.store_id, int(shop.account.store_id), shop.label.upper(), f" {shop.name} "):
        assert succeed(client, "stores_resolve", {"identifier": identifier})["store"] == view(shop)


def test_a_second_store_is_used_only_when_named_or_chosen(bench: Bench, shop: Shop, client: Client) -> None:
    held = bench.upstream.held(shop.account)
    registered = succeed(client, "stores_register", SECOND)["store"]
    assert registered == {"store_id": "777001", "store_name": "Second", "label": "two", "active": False}
    assert succeed(client, "orders_list", {"limit": 1})["pagination"]["total"] == held
    assert fail(client, "orders_list", {"limit": 1, "store_identifier": "two"})["code"] == "AUTH_ERROR"
    succeed(client, "stores_use_store", {"identifier": "two"})
    assert fail(client, "orders_list", {"limit": 1})["code"] == "AUTH_ERROR"
    assert succeed(client, "orders_list", {"limit": 1, "store_identifier": shop.name})["pagination"]["total"] == held


def test_the_choice_holds_for_every_connection_and_era(bench: Bench, shop: Shop, client: Client) -> None:
    succeed(client, "stores_register", SECOND)
    succeed(client, "stores_use_store", {"identifier": "777001"})
    for version in ("2024-11-05", *ERAS):
        with bench.connect(shop.tenant, version) as other:
            active = [store["store_id"] for store in succeed(other, "stores_list")["stores"] if store["active"]]
            assert active == ["777001"]


@pytest.mark.parametrize("by", ["id", "label", "name"])
def test_a_store_is_deleted_by_id_label_or_name(by: str, bench: Bench, shop: Shop, client: Client) -> None:
    identifier = {"id": shop.account.store_id, "label": shop.label, "name": shop.name}[by]
    deleted = succeed(client, "stores_delete", {"store_identifier": identifier})
    assert deleted["store"] == view(shop)
    assert succeed(client, "stores_list")["stores"] == []
    assert fail(client, "orders_list")["code"] == "STORE_NOT_FOUND"
    assert fail(client, "stores_delete", {"store_identifier": identifier})["code"] == "STORE_NOT_FOUND"
    bench.register(client, shop)
    assert succeed(client, "stores_list")["stores"] == [view(shop)]


def test_what_exists_already_is_a_conflict(shop: Shop, client: Client) -> None:
    same = {"store_id": shop.account.store_id, "api_key": "x", "store_name": "again"}
    assert fail(client, "stores_register", same)["code"] == "CONFLICT_ERROR"
    assert fail(client, "stores_register", {**SECOND, "label": shop.label})["code"] == "CONFLICT_ERROR"
    assert succeed(client, "stores_list")["count"] == 1


def test_a_deleted_and_newly_registered_store_answers_nothing_from_its_former_cache(
    bench: Bench, shop: Shop, client: Client
) -> None:
    order_id = shop.orders[0]
    succeed(client, "orders_get", {"order_id": order_id})
    succeed(client, "stores_delete", {"store_identifier": shop.label})
    succeed(
        client,
        "stores_register",
        {"store_id": shop.account.store_id, "api_key": "wrong", "store_name": shop.name, "label": shop.label},
    )
    assert fail(client, "orders_get", {"order_id": order_id})["code"] == "AUTH_ERROR"


def test_a_tenant_without_stores_is_told_what_to_do(bench: Bench, era: str) -> None:
    with bench.connect(bench.new_tenant(), era) as client:
        assert succeed(client, "stores_list") == {"status": "success", "stores": [], "count": 0}
        error = fail(client, "orders_list")
        assert error["code"] == "STORE_NOT_FOUND"
        assert "stores_register" in error["message"]


def test_the_tenant_key_names_its_tenant_and_no_other(bench: Bench, shop: Shop, client: Client) -> None:
    named = succeed(client, "tenant_use_master_key", {"master_key": shop.tenant.key})
    assert (named["tenant"], named["tenant_id"]) == (shop.tenant.name, shop.tenant.id)
    other = bench.new_tenant("other")
    for key in (other.key, "nonsense", shop.tenant.key[:-1] + "~", "x" * 200):
        error = fail(client, "tenant_use_master_key", {"master_key": key})
        assert error["code"] == "AUTH_ERROR"
        assert key not in str(error)
    # It never switches identity.
    assert succeed(client, "stores_list")["count"] == 1
