"""What the journal says is what happened: it is compared with what the API shows before and after."""

from typing import Any

import pytest

from tests.unit.harness.sandbox.desk import Desk


def last_request(desk: Desk) -> dict[str, Any]:
    return next(entry for entry in reversed(desk.journal()) if entry["kind"] == "request")


def test_every_request_is_entered_with_what_it_asked_and_got(desk: Desk) -> None:
    desk.api("GET", "/orders?limit=1", headers={"X-Request-ID": "r-1"})
    desk.api("GET", "/orders/1")
    desk.send("GET", "/api/v2/test", headers={"ORDERDESK-STORE-ID": "someone"})
    first, second, third = desk.journal()
    assert [entry["sequence"] for entry in (first, second, third)] == [1, 2, 3]
    assert (first["method"], first["path"], first["query"], first["status"]) == ("GET", "/orders", "limit=1", 200)
    assert (first["store_id"], first["request_id"], first["order_id"]) == (desk.stores[0].id, "r-1", None)
    assert (first["kind"], first["answered"], first["applied"], first["changes"]) == ("request", True, False, [])
    assert (first["monotonic"], first["wall"]) == (51.0, 1_795_000_001.5)
    assert (second["status"], second["order_id"], second["request_id"]) == (404, "1", None)
    assert (third["status"], third["store_id"]) == (401, "someone")


def test_a_key_is_never_entered(desk: Desk) -> None:
    desk.ok("GET", "/store")
    desk.send("GET", "/api/v2/test", headers={**desk.headers(), "ORDERDESK-STORE-ID": "x"})
    assert desk.stores[0].api_key not in desk.send("GET", "/_sandbox/journal").text


def writes(desk: Desk) -> list[tuple[str, str, Any]]:
    order = desk.order(desk.first_id)
    item = order["order_items"][0]
    path = f"/orders/{order['id']}"
    return [
        ("PUT", path, {**order, "email": "a@example.com", "order_notes": []}),
        ("PUT", path, {"shipping": {"city": "Leeds"}}),
        ("POST", f"{path}/order-items", {"name": "x", "price": 2, "quantity": 1}),
        ("PUT", f"{path}/order-items/{item['id']}", {"name": "gone already"}),
        ("POST", f"{path}/shipments", {"tracking_number": "1"}),
        ("POST", f"{path}/shipments", {"tracking_number": "1"}),
        ("POST", "/batch-shipments", [{"order_id": order["id"], "tracking_number": "2"}, {}]),
        ("POST", f"{path}/order-history", {"note": "x"}),
        ("POST", "/move-orders", {"order_id_list": [order["id"]], "destination_folder_name": "Closed"}),
        ("PUT", path, {"order_items": [{"id": "5"}]}),
        ("PUT", path, []),
        ("DELETE", path, None),
    ]


def test_an_orders_changes_lead_from_what_was_shown_before_to_what_is_shown_after(desk: Desk) -> None:
    applied = 0
    for method, path, body in writes(desk):
        before = desk.api("GET", f"/orders/{desk.first_id}").json().get("order")
        desk.api(method, path, **({} if body is None else {"json": body}))
        entry = last_request(desk)
        after = desk.api("GET", f"/orders/{desk.first_id}").json().get("order", {})
        changes = [change for change in entry["changes"] if change["resource"] == "order"]
        assert entry["applied"] == (before != after) == bool(entry["changes"])
        replayed = dict(before)
        for change in changes:
            applied += 1
            assert change["id"] == str(desk.first_id)
            for name, values in change["fields"].items():
                assert replayed.get(name) == values["before"] != values["after"]
                replayed[name] = values["after"]
        assert {name: value for name, value in replayed.items() if value is not None} == after
    assert applied == 8


def test_created_and_deleted_orders_are_entered_whole(desk: Desk) -> None:
    body = {"customer": {"company": "x"}, "order_items": [{"name": "y"}]}
    created = desk.ok("POST", "/orders", body)["order"]
    entry = last_request(desk)
    (change,) = entry["changes"]
    assert (entry["order_id"], change["operation"], change["id"]) == (created["id"], "create", created["id"])
    assert {name: values["after"] for name, values in change["fields"].items()} == created
    desk.ok("DELETE", f"/orders/{created['id']}")
    (change,) = last_request(desk)["changes"]
    assert change["operation"] == "delete"
    assert {name: values["before"] for name, values in change["fields"].items()} == created


def test_history_and_inventory_changes_are_entered_too(desk: Desk) -> None:
    desk.ok("POST", f"/orders/{desk.first_id}/order-history", {"note": "Packed"})
    history, _ = last_request(desk)["changes"]
    assert (history["resource"], history["fields"]["note"]["after"]) == ("order_history", "Packed")
    item = desk.ok("GET", "/inventory-items")["inventory_items"][0]
    desk.ok("PUT", f"/inventory-items/{item['id']}", {**item, "stock": 1_000})
    (change,) = last_request(desk)["changes"]
    assert (change["resource"], change["id"]) == ("inventory_item", str(item["id"]))
    assert change["fields"]["stock"] == {"before": item["stock"], "after": 1_000}


def test_it_is_read_from_where_one_left_off(desk: Desk) -> None:
    for _ in range(5):
        desk.api("GET", "/test")
    page = desk.control("GET", "/journal?since=2&limit=2")
    assert [entry["sequence"] for entry in page["entries"]] == [3, 4]
    assert (page["last_sequence"], page["dropped"]) == (5, 0)
    assert desk.control("GET", "/journal?since=5")["entries"] == []
    assert desk.control("GET", "/journal?since=500")["entries"] == []


def test_a_full_journal_drops_the_oldest_and_says_so() -> None:
    desk = Desk(journal_limit=3)
    for _ in range(5):
        desk.api("GET", "/test")
    page = desk.control("GET", "/journal")
    assert [entry["sequence"] for entry in page["entries"]] == [3, 4, 5]
    assert page["dropped"] == 2
    assert desk.control("GET", "/journal?since=1")["dropped"] == 1
    assert desk.control("GET", "/journal?since=2")["dropped"] == 0


def test_clearing_it_keeps_the_numbers_and_counters_going(desk: Desk) -> None:
    desk.api("GET", "/test")
    assert desk.control("DELETE", "/journal") == {"last_sequence": 1}
    assert desk.control("GET", "/journal?since=1") == {"entries": [], "last_sequence": 1, "dropped": 0}
    assert desk.control("GET", "/journal")["dropped"] == 1
    desk.api("GET", "/test")
    assert [entry["sequence"] for entry in desk.journal(since=1)] == [2]
    assert desk.control("GET", "/stats")["requests"]["total"] == 2


@pytest.mark.parametrize("query", ["since=-1", "limit=0", "limit=10001", "since=x", "from=3"])
def test_a_page_that_makes_no_sense_is_refused(desk: Desk, query: str) -> None:
    answer = desk.send("GET", f"/_sandbox/journal?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["error"]


def test_the_counters_agree_with_the_journal(desk: Desk) -> None:
    desk.api("GET", f"/orders/{desk.first_id}", headers={"Content-Type": "application/json"})
    desk.api("GET", "/test", content=b"{}")
    desk.api("DELETE", f"/orders/{desk.first_id}")
    desk.api("GET", "/nowhere")
    assert desk.control("GET", "/stats") == {
        "requests": {"total": 4, "applied": 1, "foreign": 0, "get_with_content_type": 1, "get_with_body": 1},
        "status": {"200": 3, "404": 1},
        "route": {"GET /orders/{id}": 1, "GET /test": 1, "DELETE /orders/{id}": 1, "GET ": 1},
        "fault": {},
        "last_sequence": 4,
    }
    assert len(desk.journal()) == 4


def test_the_control_path_itself_is_not_entered(desk: Desk) -> None:
    desk.control("GET", "/stats")
    assert desk.journal() == []


def test_control_paths_and_methods_that_do_not_exist_are_told_apart(desk: Desk) -> None:
    assert desk.send("GET", "/_sandbox/orders").status_code == 404
    assert desk.send("POST", "/_sandbox/journal").status_code == 405
