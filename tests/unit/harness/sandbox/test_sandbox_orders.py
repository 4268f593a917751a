from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.harness.sandbox.desk import Desk, JsonObject

NEW_ORDER: dict[str, Any] = {
    "source_name": "Shopify",
    "source_id": "S-1",
    "email": "ada@example.com",
    "shipping_total": "4.50",
    "customer": {"last_name": "Lovelace"},
    "discount_list": [{"name": "Welcome", "amount": 2}],
    "order_items": [
        {"name": "Mug", "price": 10, "quantity": 3, "weight": 0.5},
        {"name": "Tray", "price": "20.25", "quantity": 1},
    ],
}
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
COMPUTED = ("quantity_total", "weight_total", "product_total", "discount_total", "order_total")


def without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def test_an_unknown_order_is_404_for_every_method(desk: Desk) -> None:
    for method in ("GET", "PUT", "DELETE"):
        for order_id in ("1", "abc", f"{desk.first_id}0", "1_0", "-5", "9" * 30):
            body: JsonObject | None = {} if method == "PUT" else None
            assert desk.refused(method, f"/orders/{order_id}", body, status=404) == "Order Not Found"


class TestCreate:
    def test_a_created_order_is_shown_afterwards(self, desk: Desk) -> None:
        created = desk.ok("POST", "/orders", NEW_ORDER)["order"]
        assert desk.order(created["id"]) == created
        assert created["email"] == "ada@example.com"
        assert created["customer"]["last_name"] == "Lovelace"
        assert created["date_added"] == created["date_updated"] == "2026-11-18 11:06:41"
        assert (created["order_shipments"], created["order_metadata"], created["return_address"]) == ([], [], [])

    def test_orderdesk_computes_the_totals(self, desk: Desk) -> None:
        created = desk.ok("POST", "/orders", {**NEW_ORDER, **dict.fromkeys(COMPUTED, 99999)})["order"]
        assert [created[name] for name in COMPUTED] == [4, 1.5, 50.25, 2, 52.75]

    def test_each_item_gets_an_id(self, desk: Desk) -> None:
        items = desk.ok("POST", "/orders", NEW_ORDER)["order"]["order_items"]
        assert len({item["id"] for item in items}) == 2

    @pytest.mark.parametrize("items", [None, [], "x", [1]])
    def test_items_are_required(self, desk: Desk, items: Any) -> None:
        assert "order_items" in desk.refused("POST", "/orders", {**NEW_ORDER, "order_items": items})

    @pytest.mark.parametrize("person", ["customer", "shipping"])
    @pytest.mark.parametrize("name", ["first_name", "last_name", "company"])
    def test_one_name_of_one_person_is_enough(self, desk: Desk, person: str, name: str) -> None:
        body = without(NEW_ORDER, "customer")
        assert "required" in desk.refused("POST", "/orders", {**body, person: {"city": "London"}})
        assert desk.ok("POST", "/orders", {**body, person: {name: "x"}})["order"][person][name] == "x"

    def test_a_duplicate_is_refused_and_the_existing_id_named(self, desk: Desk) -> None:
        existing = desk.ok("POST", "/orders", NEW_ORDER)["order"]["id"]
        assert existing in desk.refused("POST", "/orders", NEW_ORDER)
        assert desk.ok("GET", "/orders")["total_records"] == 21
        desk.ok("POST", "/orders", {**NEW_ORDER, "source_name": "Etsy"})
        desk.ok("DELETE", f"/orders/{existing}")
        desk.ok("POST", "/orders", NEW_ORDER)

    def test_an_order_of_the_catalogue_counts_as_existing(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        body = {**NEW_ORDER, "source_name": order["source_name"], "source_id": order["source_id"]}
        assert str(order["id"]) in desk.refused("POST", "/orders", body)

    def test_a_copied_orders_item_ids_are_replaced(self, desk: Desk) -> None:
        copied = desk.order(desk.first_id)
        created = desk.ok("POST", "/orders", {**copied, "source_id": "copy"})["order"]
        items = [{**item, "id": None} for item in created["order_items"]]
        assert items == [{**item, "id": None} for item in copied["order_items"]]
        assert created["order_items"][0]["id"] != copied["order_items"][0]["id"]

    def test_without_a_source_id_the_orders_own_id_serves(self, desk: Desk) -> None:
        for _ in range(2):
            created = desk.ok("POST", "/orders", without(NEW_ORDER, "source_id"))["order"]
            assert created["source_id"] == created["id"]

    @pytest.mark.parametrize(("name", "longest"), [("checkout_data", 3_500), ("order_metadata", 2_000)])
    def test_maps_have_a_longest_length(self, desk: Desk, name: str, longest: int) -> None:
        fits = {"k": "ü" * (longest - len('{"k":""}'))}
        assert desk.ok("POST", "/orders", {**NEW_ORDER, name: fits})["order"][name] == fits
        too_long = {"k": fits["k"] + "x"}
        assert str(longest) in desk.refused("POST", "/orders", {**NEW_ORDER, "source_id": "S-2", name: too_long})

    def test_a_folder_can_be_named_and_must_exist(self, desk: Desk) -> None:
        folders = {name: int(number) for number, name in desk.ok("GET", "/store")["store"]["folders"].items()}
        assert desk.ok("POST", "/orders", without(NEW_ORDER, "source_id"))["order"]["folder_id"] == folders["New"]
        closed = folders["Closed"]
        for chosen in ({"folder_name": "Closed"}, {"folder_id": closed}, {"folder_id": str(closed)}):
            created = desk.ok("POST", "/orders", {**without(NEW_ORDER, "source_id"), **chosen})
            assert created["order"]["folder_id"] == closed
        assert desk.refused("POST", "/orders", {**NEW_ORDER, "folder_id": 7}) == "Folder Not Found"

    @pytest.mark.parametrize("sent", [b"", b"{", b"\xff"])
    def test_what_is_not_json_is_400(self, desk: Desk, sent: bytes) -> None:
        assert desk.api("POST", "/orders", content=sent).status_code == 400

    @pytest.mark.parametrize("body", [[], 1, "x"])
    def test_what_is_no_object_is_refused(self, desk: Desk, body: Any) -> None:
        assert "object" in desk.refused("POST", "/orders", body)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"email": {}},
            {"shipping_total": "much"},
            {"shipping_total": "nan"},
            {"shipping_total": True},
            {"shipping_total": 1e300},
            {"customer": "Ada"},
            {"order_metadata": "x"},
            {"order_metadata": ["x"]},
            {"discount_list": {}, "order_notes": ["a plain string"]},
            {"order_items": [{"name": "x", "delivery_type": "teleport"}]},
        ],
    )
    def test_a_value_of_the_wrong_kind_is_refused(self, desk: Desk, wrong: dict[str, Any]) -> None:
        desk.refused("POST", "/orders", {**NEW_ORDER, **wrong})
        assert desk.ok("GET", "/orders")["total_records"] == 20


class TestUpdate:
    def test_putting_back_what_was_read_changes_nothing_but_date_updated(self) -> None:
        desk = Desk(orders=60)
        for number in range(60):
            before = desk.order(desk.first_id + number)
            desk.ok("PUT", f"/orders/{before['id']}", before)
            assert without(desk.order(before["id"]), "date_updated") == without(before, "date_updated")
            assert desk.journal()[-2]["changes"][0]["fields"].keys() == {"date_updated"}

    def test_whatever_is_left_out_becomes_blank(self, desk: Desk) -> None:
        before = desk.order(desk.first_id + 1)
        after = desk.ok("PUT", f"/orders/{before['id']}", {"email": "only@example.com"})["order"]
        assert after == desk.order(before["id"])
        assert after["email"] == "only@example.com"
        for name in ("shipping_method", "payment_status", "cc_exp", "customer_id", "source_name", "ip_address"):
            assert after[name] == ""
        for name in ("shipping_total", "tax_total", "order_total", "quantity_total"):
            assert after[name] == 0
        for name in ("order_items", "order_notes", "checkout_data", "order_metadata", "discount_list"):
            assert after[name] == []
        assert set(after["shipping"].values()) == set(after["customer"].values()) == {""}
        assert set(after) == set(before)

    def test_a_part_of_an_address_wipes_the_rest_of_it(self, desk: Desk) -> None:
        before = desk.order(desk.first_id)
        body = {**before, "shipping": {"city": "Leeds"}}
        after = desk.ok("PUT", f"/orders/{before['id']}", body)["order"]
        assert {name for name, value in after["shipping"].items() if value} == {"city"}
        assert after["customer"] == before["customer"]

    def test_what_orderdesk_keeps_itself_cannot_be_set(self, desk: Desk) -> None:
        before = desk.order(desk.first_id + 2)
        sent = {**before, "id": 5, "date_added": "1999-01-01 00:00:00", "folder_id": 1, "email_count": 77}
        sent |= dict.fromkeys(COMPUTED, 99999)
        after = desk.ok("PUT", f"/orders/{before['id']}", sent)["order"]
        assert without(after, "date_updated") == without(before, "date_updated")

    def test_totals_follow_from_what_was_put(self, desk: Desk) -> None:
        before = desk.order(desk.first_id)
        after = desk.ok("PUT", f"/orders/{before['id']}", {**NEW_ORDER, "source_id": "other"})["order"]
        assert [after[name] for name in COMPUTED] == [4, 1.5, 50.25, 2, 52.75]

    def test_an_item_with_an_id_is_updated_one_without_is_added_one_left_out_is_gone(self, desk: Desk) -> None:
        order = next(order for order in desk.ok("GET", "/orders")["orders"] if len(order["order_items"]) > 1)
        first, second, *_ = order["order_items"]
        sent = [{**first, "id": int(first["id"]), "quantity": 9}, {"name": "Extra", "quantity": 1}]
        items = desk.ok("PUT", f"/orders/{order['id']}", {**order, "order_items": sent})["order"]["order_items"]
        assert items[0] == {**first, "quantity": 9}
        assert (items[1]["name"], items[1]["price"]) == ("Extra", 0)
        assert second["id"] not in [item["id"] for item in items]
        assert items[1]["id"] not in {first["id"], second["id"]}

    def test_an_item_named_twice_or_not_of_the_order_is_refused(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        item = order["order_items"][0]
        for items, named in (([item, item], item["id"]), ([{**item, "id": "77"}], "77")):
            assert named in desk.refused("PUT", f"/orders/{order['id']}", {**order, "order_items": items})
        assert desk.order(order["id"]) == order

    def test_shipments_cannot_be_changed_this_way(self, desk: Desk) -> None:
        shipped = next(order for order in desk.ok("GET", "/orders")["orders"] if order["order_shipments"])
        for sent in ([], [{"tracking_number": "x"}]):
            after = desk.ok("PUT", f"/orders/{shipped['id']}", {**shipped, "order_shipments": sent})["order"]
            assert after["order_shipments"] == shipped["order_shipments"]

    def test_post_with_the_override_header_is_a_put(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        body = {**order, "email": "override@example.com"}
        desk.ok("POST", f"/orders/{order['id']}", body, headers={"X-HTTP-Method-Override": "PUT"})
        assert desk.order(order["id"])["email"] == "override@example.com"
        assert desk.api("POST", f"/orders/{order['id']}", json=body).status_code == 405

    def test_date_updated_moves_with_each_write_but_only_by_whole_seconds(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        path = f"/api/v2/orders/{order['id']}"
        seen = []
        for wait in (0.0, 0.2, 1.0):
            desk.time.advance(wait)
            answer = desk.send("PUT", path, headers=desk.headers(), json={**order, "email": f"at{wait}@example.com"})
            seen.append(answer.json()["order"]["date_updated"])
        assert seen[0] == seen[1] < seen[2]
        assert seen[0] > order["date_updated"]

    def test_notes_are_dated_and_limited(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        note = {"username": "Ada", "content": "Called back"}
        after = desk.ok("PUT", f"/orders/{order['id']}", {**order, "order_notes": [note]})["order"]
        assert after["order_notes"] == [{**note, "date_added": after["date_updated"]}]
        long = [{**note, "content": "x" * 1_950}]
        assert "order_notes" in desk.refused("PUT", f"/orders/{order['id']}", {**order, "order_notes": long})

    def test_empty_maps_come_back_as_lists_at_any_depth(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        sent = {**order, "checkout_data": {}, "order_metadata": {"a": {}, "b": [{}], "c": 1}}
        after = desk.ok("PUT", f"/orders/{order['id']}", sent)["order"]
        assert (after["checkout_data"], after["order_metadata"]) == ([], {"a": [], "b": [[]], "c": 1})

    def test_tags_of_any_name_are_kept(self, desk: Desk) -> None:
        order = desk.order(desk.first_id)
        after = desk.ok("PUT", f"/orders/{order['id']}", {**order, "tag_color": "red", "tag_rush": "yes"})["order"]
        assert (after["tag_color"], after["tag_rush"]) == ("red", "yes")

    @settings(max_examples=60, deadline=None)
    @given(
        body=st.dictionaries(
            st.sampled_from(["email", "shipping", "order_items", "order_metadata", "order_notes", "tax_total"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
                max_leaves=8,
            ),
        )
    )
    def test_any_body_is_applied_as_told_or_refused(self, body: dict[str, Any]) -> None:
        desk = Desk(orders=1)
        before = desk.order(desk.first_id)
        answer = desk.api("PUT", f"/orders/{desk.first_id}", json=body)
        document = answer.json()
        assert answer.status_code in {200, 400}, document
        assert desk.order(desk.first_id) == (document["order"] if document["status"] == "success" else before)


class TestDeleteHistoryMove:
    def test_a_deleted_order_is_gone_and_its_id_not_used_again(self, desk: Desk) -> None:
        last = desk.first_id + 19
        desk.ok("DELETE", f"/orders/{last}")
        assert desk.api("GET", f"/orders/{last}").status_code == 404
        assert desk.api("DELETE", f"/orders/{last}").status_code == 404
        assert int(desk.ok("POST", "/orders", NEW_ORDER)["order"]["id"]) == last + 1

    def test_history_is_appended_apart_from_the_notes(self, desk: Desk) -> None:
        before = desk.order(desk.first_id)
        desk.ok("POST", f"/orders/{desk.first_id}/order-history", {"note": "Packed", "source_name": "Robot"})
        shown = desk.ok("GET", "/orders?get_order_history=1&order=ASC&limit=1")["orders"][0]
        assert [entry["note"] for entry in shown["order_history"]][1:] == ["Packed"]
        assert shown["order_history"][-1]["source_name"] == "Robot"
        assert shown["order_notes"] == before["order_notes"]
        assert shown["date_updated"] > before["date_updated"]
        assert "note" in desk.refused("POST", f"/orders/{desk.first_id}/order-history", {"source_name": "Robot"})
        desk.refused("POST", "/orders/1/order-history", {"note": "x"}, status=404)

    def test_an_order_has_at_most_250_history_entries(self) -> None:
        desk = Desk(orders=1)
        for number in range(249):
            desk.ok("POST", f"/orders/{desk.first_id}/order-history", {"note": str(number)})
        updated = desk.order(desk.first_id)["date_updated"]
        assert "250" in desk.refused("POST", f"/orders/{desk.first_id}/order-history", {"note": "one too many"})
        assert desk.order(desk.first_id)["date_updated"] == updated

    def test_history_can_only_be_posted(self, desk: Desk) -> None:
        for method in ("GET", "PUT", "DELETE"):
            assert desk.api(method, f"/orders/{desk.first_id}/order-history").status_code == 405

    def test_orders_are_moved_with_a_result_for_each(self, desk: Desk) -> None:
        folders = {name: int(number) for number, name in desk.ok("GET", "/store")["store"]["folders"].items()}
        before = [desk.order(desk.first_id + number) for number in range(2)]
        sent = [before[0]["id"], str(before[1]["id"]), 5]
        moved = desk.ok("POST", "/move-orders", {"order_id_list": sent, "destination_folder_name": "On Hold"})
        assert [result["order_id"] for result in moved["results"]] == sent
        originals = [before[0]["folder_id"], before[1]["folder_id"], None]
        assert [result["original_folder_id"] for result in moved["results"]] == originals
        assert moved["results"][2]["message"] == "Order Not Found"
        assert [desk.order(order["id"])["folder_id"] for order in before] == [folders["On Hold"]] * 2
        desk.ok("POST", "/move-orders", {"order_id_list": sent[:1], "destination_folder_id": folders["Closed"]})
        assert desk.order(sent[0])["folder_id"] == folders["Closed"]

    def test_moving_runs_the_folders_rules(self, desk: Desk) -> None:
        desk.ok("POST", "/move-orders", {"order_id_list": [desk.first_id], "destination_folder_name": "On Hold"})
        shown = desk.ok("GET", "/orders?get_order_history=1&order=ASC&limit=1")["orders"][0]
        assert shown["order_history"][-1]["source_name"] == "Folder Rules"

    @pytest.mark.parametrize(
        "body",
        [
            {"order_id_list": [1]},
            {"destination_folder_name": "New"},
            {"order_id_list": [], "destination_folder_name": "New"},
            {"order_id_list": [1], "destination_folder_name": "Nowhere"},
            {"order_id_list": [1], "destination_folder_id": "1"},
        ],
    )
    def test_a_move_without_orders_or_a_known_folder_is_refused(self, desk: Desk, body: dict[str, Any]) -> None:
        desk.refused("POST", "/move-orders", body)
