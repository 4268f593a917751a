import json
import random

from security.probe.isolation.invented import invented
from security.probe.isolation.private import Private, identifying, private, texts_of

ANSWER = json.dumps(
    {
        "orders": [
            {
                "id": "10000039",
                "email": "customer4.s0@example.org",
                "customer_id": "C0-10004",
                "date_added": "2026-10-26 16:06:18",
                "quantity": 70000,
                "shipping_method": "Express",
                "ip_address": "192.0.2.234",
                "folder_id": 21000,
                "item_id": "7",
            }
        ],
        "message": "write to help@example.org",
    }
)


def test_ids_and_addresses_are_told_from_words_times_and_counts() -> None:
    assert set(identifying(ANSWER)) == {
        "10000039", "customer4.s0@example.org", "C0-10004", "21000", "help@example.org",
    }  # fmt: skip
    assert set(identifying("no JSON, but a@example.com")) == {"a@example.com"}


def test_what_the_other_tenant_sees_too_is_not_private() -> None:
    secret = private(
        [ANSWER], ["help@example.org", '{"id": "110000039", "folder_id": 21000}'], always=("store-1", None)
    )
    assert secret.texts == {"10000039", "customer4.s0@example.org", "C0-10004", "store-1"}


def test_a_text_is_told_where_it_stands_by_itself_and_was_not_sent() -> None:
    secret = Private(frozenset({"10000039", "a@example.com"}))
    assert secret.told('{"id": 10000039}', {}) == ["10000039"]
    assert secret.told("order 110000039, or 10000039-7", {}) == []
    assert secret.told("there is no order 10000039 (a@example.com)", {"order_id": "10000039"}) == ["a@example.com"]
    assert secret.told("there is no order 10000039", {"order_ids": [{"id": 10000039}]}) == []
    assert Private(frozenset()).told("anything", {}) == []


def test_made_up_ids_have_the_shape_of_those_that_exist_and_stand_everywhere_for_the_same() -> None:
    ids = Private(frozenset({"1000", "t_ab12", "21000"}))
    sent = {"order_id": "1000", "parts": [{"order_id": 1000}], "tenant": "t_ab12", "note": "as it is", "flag": True}
    made = invented(sent, ids, random.Random(1))
    assert made["order_id"] == str(made["parts"][0]["order_id"]) != "1000"
    assert made["order_id"].isdigit()
    assert isinstance(made["parts"][0]["order_id"], int)
    assert made["tenant"].startswith("t")
    assert made["tenant"] != "t_ab12"
    assert (made["note"], made["flag"]) == ("as it is", True)
    assert texts_of(sent) == ["1000", "1000", "t_ab12", "as it is"]
