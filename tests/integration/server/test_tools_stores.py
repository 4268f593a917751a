import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import ERAS, Bench, Shop, fail, start_bench, succeed
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


def looked_up(bench: Bench, shop: Shop, write_id: str) -> str:
    """The state of a write that is looked up as if its server had ended an hour ago, before it kept the outcome."""
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute(
            "UPDATE writes SET state = 'intent', settled_at = NULL, sealed_result = NULL, "
            "created_at = created_at - 3600000 WHERE id = ?",
            (write_id,),
        )
    run_command(bench, "writes", "uncertain", "--look-up", "--tenant", shop.tenant.id)
    ((state,),) = bench.query("SELECT state FROM writes WHERE id = ?", write_id)
    return str(state)


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
    assert looked_up(bench, shop, write_id) == ("done" if gone else "uncertain")


def test_a_second_deletion_at_the_same_time_finds_no_store(bench: Bench, shop: Shop) -> None:
    def delete(number: int) -> bool:
        with bench.connect(shop.tenant) as connected:
            asked = {"store_identifier": shop.label, "idempotency_key": str(number)}
            return connected.call_tool("stores_delete", asked).is_error

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(delete, range(4))) == [False, True, True, True]


def test_a_label_that_another_store_has_is_a_conflict(shop: Shop, client: Client) -> None:
    for dry_run in (True, False):
        asked = {**SECOND, "label": shop.label, "dry_run": dry_run}
        assert fail(client, "stores_register", asked)["code"] == "CONFLICT_ERROR"
    assert succeed(client, "stores_list")["count"] == 1


def again(shop: Shop, **changes: Any) -> dict[str, Any]:
    """The shop's registration once more."""
    same = {"store_id": shop.account.store_id, "api_key": shop.account.api_key, "store_name": shop.name}
    return {**same, **changes}


def test_a_store_registered_again_is_served_under_the_new_key_at_once_and_stays_active(
    shop: Shop, client: Client
) -> None:
    succeed(client, "stores_register", SECOND)
    order = {"order_id": shop.orders[0]}
    succeed(client, "orders_get", order)
    assert succeed(client, "orders_get", order)["cached"]
    wrong = succeed(client, "stores_register", again(shop, api_key="wrong-key"))
    assert wrong["message"] == f"Store {shop.account.store_id} was registered already: API key replaced"
    assert wrong["store"] == view(shop)
    assert fail(client, "orders_get", order)["code"] == "AUTH_ERROR"
    renamed = succeed(client, "stores_register", again(shop, store_name="Renamed", label="new"))
    assert renamed["message"].endswith("API key and name and label replaced")
    assert renamed["store"] == {**view(shop), "store_name": "Renamed", "label": "new"}
    assert succeed(client, "orders_get", order)["status"] == "success"
    assert succeed(client, "stores_list")["stores"][0] == renamed["store"]


def test_a_dry_run_of_a_registration_tells_what_would_be_replaced_and_no_key(
    bench: Bench, shop: Shop, client: Client
) -> None:
    asked = again(shop, api_key="another-key", store_name="Renamed", dry_run=True)
    result = succeed(client, "stores_register", asked)
    store = f"Store {shop.account.store_id}"
    assert [(line["object"], line["field"]) for line in result["changes"]] == [
        (store, "store_name"),
        (store, "api_key"),
    ]
    for secret in ("another-key", shop.account.api_key):
        assert secret not in str(result)
    assert succeed(client, "stores_list")["stores"] == [view(shop)]
    (first,) = succeed(client, "stores_register", {**SECOND, "dry_run": True})["changes"]
    assert first["after"] == {"store_id": "777001", "store_name": "Second", "label": "two", "active": False}
    rows = bench.query("SELECT count(*) FROM stores WHERE tenant_id = ?", shop.tenant.id)
    assert rows == [(1,)]


def test_a_registration_that_changes_nothing_says_so(shop: Shop, client: Client) -> None:
    result = succeed(client, "stores_register", again(shop))
    assert "nothing was changed" in result["message"]
    assert result["store"] == view(shop)
    assert "write_id" not in result


def test_a_repeated_registration_under_its_key_is_replayed_and_never_replaces_a_later_key(
    shop: Shop, client: Client
) -> None:
    asked = again(shop, api_key="first-key", idempotency_key="rotation")
    first = succeed(client, "stores_register", asked)
    succeed(client, "stores_register", again(shop))
    assert succeed(client, "stores_register", asked) == {**first, "replayed": True}
    assert succeed(client, "orders_list", {"limit": 1})["status"] == "success"
    assert fail(client, "stores_register", {**asked, "api_key": "second-key"})["code"] == "CONFLICT_ERROR"


def test_another_tenant_s_registration_of_the_same_store_keeps_its_key(bench: Bench, shop: Shop) -> None:
    with bench.connect(shop.tenant) as mine, bench.connect(bench.new_tenant("other")) as theirs:
        succeed(theirs, "stores_register", again(shop, label="theirs"))
        succeed(theirs, "stores_register", again(shop, api_key="wrong-key"))
        assert fail(theirs, "orders_list", {"limit": 1})["code"] == "AUTH_ERROR"
        assert succeed(mine, "orders_list", {"limit": 1})["status"] == "success"
        assert succeed(mine, "stores_list")["stores"] == [view(shop)]


@pytest.mark.parametrize("replaced", [True, False], ids=["it happened", "it did not"])
def test_a_replaced_key_whose_server_ended_is_settled_by_what_the_rows_show(
    replaced: bool,  # noqa: FBT001
    bench: Bench,
    shop: Shop,
    client: Client,
) -> None:
    write_id = succeed(client, "stores_register", again(shop, api_key="new-key"))["write_id"]
    if not replaced:
        succeed(client, "stores_register", again(shop))
    assert looked_up(bench, shop, write_id) == ("done" if replaced else "uncertain")


def test_what_another_server_has_just_done_is_not_taken_for_undone(bench: Bench, shop: Shop, tmp_path: Path) -> None:
    with (
        start_bench(bench.upstream, bench.environment, tmp_path) as other,
        bench.connect(shop.tenant) as here,
        other.connect(shop.tenant) as there,
    ):
        succeed(here, "stores_register", SECOND)
        for identifier in ("two", shop.label) * 3:
            for client in (there, here):
                succeed(client, "stores_list")  # known for a second
            succeed(there, "stores_use_store", {"identifier": identifier})
            assert succeed(here, "stores_use_store", {"identifier": shop.label})["store"]["active"]
            assert bench.query("SELECT label FROM stores WHERE is_default AND tenant_id = ?", shop.tenant.id) == [
                (shop.label,)
            ]
            succeed(there, "stores_register", again(shop, api_key="wrong-key"))
            succeed(here, "stores_register", again(shop))
            assert succeed(here, "orders_list", {"limit": 1})["status"] == "success"


@pytest.mark.parametrize("name", ["store_name", "label"])
@pytest.mark.parametrize(
    "text", ["two\nlines", "\x1b[2Jcleared", "\x9b31m", "a\x7f", "tab\there", "a\u2028b", "\u202egpj.exe"], ids=ascii
)
def test_a_name_that_would_reach_into_an_operator_s_terminal_is_refused(name: str, text: str, client: Client) -> None:
    error = fail(client, "stores_register", {**SECOND, name: text})
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["invalid_fields"] == {name: "must be one line of text without control characters"}


def test_names_of_any_script_are_taken(client: Client) -> None:
    name = "Café \u5e97\u3000\U0001f469\u200d\U0001f373 \u05d7\u05e0\u05d5\u05ea"
    assert succeed(client, "stores_register", {**SECOND, "store_name": name})["store"]["store_name"] == name


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
