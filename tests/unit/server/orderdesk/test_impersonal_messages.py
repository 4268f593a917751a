"""What OrderDesk says goes to clients and operators without the customers it speaks of."""

import string

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import NotFoundError, OrderDeskError
from server.orderdesk.answers import read_answer
from server.orderdesk.batch import outcomes
from server.orderdesk.messages import LENGTH, WORDS, impersonal
from tests.unit.server.parts import seeded


@pytest.mark.parametrize(
    "message",
    [
        "Order Not Found",
        "Inventory Item Not Found",
        "Shipment Not Added",
        "Order already exists: 100042",
        "Duplicate order (id 4711).",
        "Order item 9001 is not in this order",
        "A first_name, last_name or company is required in customer or shipping",
        "delivery_type must be one of ship, noship, download, future",
        "order_metadata must have at most 2000 characters",
        "at most 250 history entries are allowed",
        "Invalid order_by: price",
        "Folder is locked",
        "Connection Successful",
    ],
)
def test_what_speaks_of_orders_in_general_is_told_word_for_word(message: str) -> None:
    assert impersonal(message) == message


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("May Will Rose have this order", "[…] have this order"),
        ("Customer Ada Lovelace is blocked", "Customer […] is blocked"),
        ("Invalid email: ada@example.com", "Invalid email: […]"),
        ("The email 'ada@example.com' is not valid.", "The email […] is not valid."),
        ("Invalid phone +44 (0)20 7946 0958", "Invalid phone […]"),
        ("Card 4111-1111-1111-1111 (12/27) declined", "Card […] declined"),
        ("Card XXXXXXXXXXXX1111 declined", "Card […] declined"),
        ("Card 4111 1111 1111 1111 declined", "Card […] declined"),
        ("Order 4111111111111111 is invalid", "Order […] is invalid"),
        ("Address 12 Analytical Row, Leeds LS1 4DY not found", "Address […] not found"),
        ("Duplicate: 100042 for Ada", "Duplicate: […] for […]"),
        ("<b>Ada</b> not allowed", "[…] not allowed"),
        ('{"first_name":"Ada"}', ""),
        ("Lovelace", ""),
        ("Ada, Lovelace!", ""),
        ("- : -", ""),
        ("", ""),
        (None, ""),
        (["Ada"], ""),
        ({"name": "Ada"}, ""),
        (4711, ""),
    ],
)
def test_what_may_be_a_customer_s_is_left_out(message: object, told: str) -> None:
    assert impersonal(message) == told


@seeded
@given(st.text(max_size=300) | st.lists(st.sampled_from([*WORDS]) | st.text(max_size=9)).map(" ".join))
def test_nothing_passes_but_known_words_punctuation_and_ids(message: str) -> None:
    told = impersonal(message)
    assert len(told) <= LENGTH
    # The last word may have been cut.
    for chunk in told.split()[:-1]:
        word = chunk.strip(string.punctuation).casefold()
        assert chunk == "[…]" or not word or word in WORDS or word.isdigit()


def test_words_are_words() -> None:
    assert all(word == word.casefold() and not word.isdigit() for word in WORDS)


def answer(status: int, message: object) -> httpx.Response:
    return httpx.Response(status, json={"status": "error", "message": message})


@pytest.mark.parametrize(
    ("response", "error", "told"),
    [
        (answer(200, "Order of Ada Lovelace Not Found"), NotFoundError, "Order of […] Not Found"),
        (answer(404, "Ada"), NotFoundError, "OrderDesk does not know it."),
        (answer(200, "Ada Lovelace (ada@example.com)"), OrderDeskError, "OrderDesk refused the request."),
        (answer(400, "Invalid email ada@example.com"), OrderDeskError, "Invalid email […]"),
    ],
)
def test_errors_are_told_without_names(
    response: httpx.Response, error: type[NotFoundError | OrderDeskError], told: str
) -> None:
    with pytest.raises(error) as raised:
        read_answer(response, reading=True)
    assert raised.value.message == told


def test_so_are_the_outcomes_of_a_batch() -> None:
    results = [{"status": "error", "message": "Order of Ada Lovelace is locked", "order_id": "1"}]
    assert outcomes({"results": results}, "order_id", ["1"])[0].message == "Order of […] is locked"
