import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import ERAS, Bench, Shop, fail, succeed
from tests.integration.server.operating import run_command

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


@pytest.mark.parametrize("by", ["id", "label", "name"])
def test_a_deletion_under_a_key_is_answered_again_though_its_store_is_gone(
    by: str, bench: Bench, shop: Shop, client: Client
) -> None:
    identifier = {"id": shop.account.store_id, "label": shop.label, "name": shop.name}[by]
    asked = {"store_identifier": identifier, "idempotency_key": "closing"}
    first = succeed(client, "stores_delete", asked)
    assert first["store"] == view(shop)
    assert succeed(client, "stores_delete", asked) == {**first, "replayed": True}
    # The ledger and the audit log name the store by its id, however it was meant.
    for table in ("writes", "audit"):
        named = bench.query(
            f"SELECT DISTINCT store_id, target FROM {table} WHERE tenant_id = ? AND tool = 'stores_delete'",
            shop.tenant.id,
        )
        assert (shop.account.store_id, shop.account.store_id) in named
        assert all(store_id in {shop.account.store_id, None} for store_id, _ in named)
    error = fail(client, "stores_delete", {"store_identifier": "another", "idempotency_key": "closing"})
    assert error["code"] == "CONFLICT_ERROR"


def test_the_same_choice_under_a_key_is_answered_again_though_its_store_is_gone(shop: Shop, client: Client) -> None:
    succeed(client, "stores_register", SECOND)
    asked = {"identifier": "two", "idempotency_key": "choice"}
    first = succeed(client, "stores_use_store", asked)
    succeed(client, "stores_delete", {"store_identifier": "777001"})
    assert succeed(client, "stores_use_store", asked) == {**first, "replayed": True}
    assert fail(client, "stores_use_store", {"identifier": "two"})["code"] == "STORE_NOT_FOUND"
    succeed(client, "stores_use_store", {"identifier": shop.label})


def test_what_names_no_store_is_not_kept_in_the_audit_log(bench: Bench, client: Client) -> None:
    for tool, name in (("stores_delete", "store_identifier"), ("stores_use_store", "identifier")):
        assert fail(client, tool, {name: "Ada Lovelace"})["code"] == "STORE_NOT_FOUND"
        assert bench.query("SELECT store_id, target FROM audit WHERE tool = ? ORDER BY id DESC LIMIT 1", tool) == [
            (None, None)
        ]


@pytest.mark.parametrize("gone", [True, False], ids=["it happened", "it did not"])
def test_a_deletion_whose_server_ended_is_settled_by_what_the_rows_show(
    gone: bool,  # noqa: FBT001
    bench: Bench,
    shop: Shop,
    client: Client,
) -> None:
    write_id = succeed(client, "stores_delete", {"store_identifier": shop.label})["write_id"]
    if not gone:
        bench.register(client, shop)
    with sqlite3.connect(bench.database) as connection:
        connection.execute(
            "UPDATE writes SET state = 'intent', settled_at = NULL, sealed_result = NULL, "
            "created_at = created_at - 3600000 WHERE id = ?",
            (write_id,),
        )
    run_command(bench, "writes", "uncertain", "--look-up", "--tenant", shop.tenant.id)
    assert bench.query("SELECT state FROM writes WHERE id = ?", write_id) == [("done" if gone else "uncertain",)]


def test_a_second_deletion_at_the_same_time_finds_no_store(bench: Bench, shop: Shop) -> None:
    def delete(number: int) -> bool:
        with bench.connect(shop.tenant) as connected:
            asked = {"store_identifier": shop.label, "idempotency_key": str(number)}
            return connected.call_tool("stores_delete", asked).is_error

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(delete, range(4))) == [False, True, True, True]


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
