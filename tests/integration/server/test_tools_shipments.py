import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import ConnectionReset, ErrorInside200, Fault, Latency, LostResponse, Match, ServerError
from tests.integration.server.bench import ERAS, Bench, Shop, fail, succeed
from tests.integration.server.conftest import StartBench

Ask = tuple[str, dict[str, Any]]

NUMBERS = (f"TRACK-{number}" for number in itertools.count(1))
# Each way to write a shipment: one that can be carried out, on the shop's first two orders.
WRITES = ("add", "add without a number", "update", "delete", "batch")


@pytest.fixture
def era() -> str:
    """The tools are the same in both eras: the newest revision stands."""
    return ERAS[-1]


@pytest.fixture
def number() -> str:
    return next(NUMBERS)


@pytest.fixture
def shipments(bench: Bench, shop: Shop) -> Callable[[str], list[dict[str, Any]]]:
    """An order's shipments as the sandbox holds them."""

    def look(order_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = bench.upstream.order(shop.account, order_id)["order_shipments"]
        return found

    return look


@pytest.fixture
def ship(bench: Bench, shop: Shop) -> Callable[..., dict[str, Any]]:
    """Another integration adds a shipment to an order."""

    def add(order_id: str, **fields: Any) -> dict[str, Any]:
        answer = bench.upstream.request(shop.account, "POST", f"/orders/{order_id}/shipments", fields)
        shipment: dict[str, Any] = answer["shipment"]
        return shipment

    return add


@pytest.fixture(params=WRITES)
def asked(request: pytest.FixtureRequest, shop: Shop, ship: Callable[..., dict[str, Any]], number: str) -> Ask:
    """A tool and arguments that it carries out."""
    first, second = shop.orders[:2]
    if request.param == "add":
        return "shipments_add", {"order_id": first, "tracking_number": number, "carrier_code": "UPS", "weight": 1.5}
    if request.param == "add without a number":
        ship(first, tracking_number="n/a", shipment_method="Pickup")  # a parcel of before that looks the same
        return "shipments_add", {"order_id": first, "tracking_number": "n/a", "shipment_method": "Pickup"}
    if request.param == "batch":
        entries = [
            {"order_id": first, "tracking_number": number},
            {"order_id": second, "tracking_number": number, "carrier_code": "FedEx"},
            {"order_id": second, "tracking_number": "n/a"},
        ]
        return "shipments_batch", {"shipments": entries}
    there = {"order_id": first, "shipment_id": ship(first, tracking_number=number, carrier_code="UPS")["id"]}
    if request.param == "update":
        return "shipments_update", {**there, "changes": {"carrier_code": "USPS", "cost": 4.2}}
    return "shipments_delete", there


def sent(bench: Bench, shop: Shop, since: int) -> list[dict[str, Any]]:
    """Everything but reads that the sandbox was sent."""
    return [call for call in bench.upstream.calls(shop.account, since) if call["method"] != "GET"]


def fields(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "order_id"}


def writing(shop: Shop, fault: Fault) -> Iterator[Fault]:
    """The fault for each kind of write; reads are left alone."""
    for method in ("POST", "PUT", "DELETE"):
        yield fault.model_copy(update={"match": Match(method=method, store_id=shop.account.store_id)})


def meanwhile(bench: Bench, act: Callable[[], Any], call: Callable[[], Any]) -> Any:
    """What `call` returns, `act` having been done while the first fault held it up."""
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(call)
        deadline = time.monotonic() + 10
        while not bench.upstream.control.faults()[0]["fired"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        act()
        return result.result()


def test_shipments_are_listed_page_by_page_and_read_from_the_cached_order(
    bench: Bench, shop: Shop, client: Client, ship: Callable[..., dict[str, Any]], number: str
) -> None:
    order_id = shop.orders[0]
    for carrier in ("UPS", "USPS", "FedEx"):
        ship(order_id, tracking_number=f"{number}-{carrier}", carrier_code=carrier)
    everything = bench.upstream.order(shop.account, order_id)["order_shipments"]
    since = bench.upstream.control.last_sequence()
    listed = succeed(client, "shipments_list", {"order_id": order_id})
    assert (listed["shipments"], listed["cached"]) == (everything, False)
    page = succeed(client, "shipments_list", {"order_id": order_id, "limit": 1, "offset": 1})
    assert (page["shipments"], page["cached"]) == (everything[1:2], True)
    assert page["pagination"]["has_more"] is True
    assert page["pagination"]["total"] == len(everything)
    one = succeed(client, "shipments_get", {"order_id": order_id, "shipment_id": everything[-1]["id"]})
    assert one == {"status": "success", "shipment": everything[-1], "cached": True}
    assert len(bench.upstream.calls(shop.account, since)) == 1


def test_an_added_shipment_is_on_the_order_and_seen_by_the_next_read(
    bench: Bench, shop: Shop, client: Client, shipments: Callable[[str], list[dict[str, Any]]], number: str
) -> None:
    order_id = shop.orders[0]
    before = succeed(client, "shipments_list", {"order_id": order_id})["shipments"]
    since = bench.upstream.control.last_sequence()
    result = succeed(
        client,
        "shipments_add",
        {
            "order_id": order_id,
            "tracking_number": number,
            "carrier_code": "UPS",
            "shipment_method": "Ground",
            "tracking_url": f"https://ups.example.com/{number}",
            "weight": 2.5,
            "cost": 7,
        },
    )
    assert shipments(order_id) == [*before, result["shipment"]]
    shown = {name: result["shipment"][name] for name in ("tracking_number", "carrier_code", "weight", "cost")}
    assert shown == {"tracking_number": number, "carrier_code": "UPS", "weight": 2.5, "cost": 7}
    assert result["write_id"].startswith("w_")
    assert [call["path"] for call in bench.upstream.applied(shop.account, since)] == [f"/orders/{order_id}/shipments"]
    after = succeed(client, "shipments_list", {"order_id": order_id})
    assert (after["shipments"], after["cached"]) == (shipments(order_id), False)


@pytest.mark.parametrize("spelling", ["n/a", "N/A"])
def test_parcels_without_a_number_may_be_many(
    spelling: str, shop: Shop, client: Client, shipments: Callable[[str], list[dict[str, Any]]]
) -> None:
    before = len(shipments(shop.orders[0]))
    for _ in range(2):
        succeed(client, "shipments_add", {"order_id": shop.orders[0], "tracking_number": spelling})
    assert [found["tracking_number"] for found in shipments(shop.orders[0])[before:]] == ["n/a", "n/a"]


def test_a_tracking_number_that_the_order_has_is_a_conflict_and_not_sent(
    bench: Bench, shop: Shop, client: Client, ship: Callable[..., dict[str, Any]], number: str
) -> None:
    existing = ship(shop.orders[0], tracking_number=number)
    since = bench.upstream.control.last_sequence()
    error = fail(client, "shipments_add", {"order_id": shop.orders[0], "tracking_number": number})
    assert (error["code"], error["details"]["existing_id"]) == ("CONFLICT_ERROR", str(existing["id"]))
    assert sent(bench, shop, since) == []


def test_a_tracking_number_that_another_adds_meanwhile_is_a_conflict(
    bench: Bench,
    shop: Shop,
    client: Client,
    faults: Callable[..., int],
    ship: Callable[..., dict[str, Any]],
    shipments: Callable[[str], list[dict[str, Any]]],
    number: str,
) -> None:
    order_id = shop.orders[0]
    faults(Latency(milliseconds=800, count=1, match=Match(method="POST", store_id=shop.account.store_id)))
    error = meanwhile(
        bench,
        lambda: ship(order_id, tracking_number=number),
        lambda: fail(client, "shipments_add", {"order_id": order_id, "tracking_number": number}),
    )
    assert (error["code"], error["message"]) == ("CONFLICT_ERROR", "Shipment Not Added")
    assert sum(found["tracking_number"] == number for found in shipments(order_id)) == 1


def test_a_change_alters_that_field_and_nothing_else(
    shop: Shop,
    client: Client,
    ship: Callable[..., dict[str, Any]],
    shipments: Callable[[str], list[dict[str, Any]]],
    number: str,
) -> None:
    order_id = shop.orders[0]
    before = ship(order_id, tracking_number=number, carrier_code="UPS", weight=3, cost=5)
    asked = {"order_id": order_id, "shipment_id": before["id"], "changes": {"cost": 6.5, "carrier_code": None}}
    result = succeed(client, "shipments_update", asked)
    assert result["shipment"] == shipments(order_id)[-1] == {**before, "cost": 6.5, "carrier_code": ""}
    assert result["message"] == f"Shipment {before['id']} updated successfully"


def test_a_deleted_shipment_is_gone_and_the_others_stay(
    shop: Shop,
    client: Client,
    ship: Callable[..., dict[str, Any]],
    shipments: Callable[[str], list[dict[str, Any]]],
    number: str,
) -> None:
    order_id = shop.orders[0]
    before = shipments(order_id)
    added = ship(order_id, tracking_number=number)
    succeed(client, "shipments_list", {"order_id": order_id})
    result = succeed(client, "shipments_delete", {"order_id": order_id, "shipment_id": added["id"]})
    assert result["deleted_id"] == str(added["id"])
    assert shipments(order_id) == before
    assert succeed(client, "shipments_list", {"order_id": order_id})["shipments"] == before


def test_a_dry_run_tells_the_difference_and_changes_nothing(
    asked: Ask, bench: Bench, shop: Shop, client: Client, shipments: Callable[[str], list[dict[str, Any]]]
) -> None:
    tool, arguments = asked
    before = shipments(shop.orders[0])
    since = bench.upstream.control.last_sequence()
    result = succeed(client, tool, {**arguments, "dry_run": True})
    assert result["dry_run"] is True
    assert sent(bench, shop, since) == []
    assert shipments(shop.orders[0]) == before
    order = f"Order {shop.orders[0]}"
    shipment = f"Shipment {arguments.get('shipment_id')} of order {shop.orders[0]}"
    expected: list[tuple[str, str, Any, Any]]
    if tool == "shipments_update":
        expected = [(shipment, "carrier_code", "UPS", "USPS"), (shipment, "cost", 0, 4.2)]
    elif tool == "shipments_delete":
        expected = [(shipment, "", before[-1], None)]
    elif tool == "shipments_add":
        expected = [(order, "new", None, fields(arguments))]
    else:
        expected = [
            (f"Order {entry['order_id']}", f"new {place}", None, fields(entry))
            for place, entry in enumerate(arguments["shipments"], 1)
        ]
        assert [line["status"] for line in result["results"]] == ["planned"] * len(expected)
    assert [tuple(line.values()) for line in result["changes"]] == expected


def test_a_repetition_under_the_same_key_is_replayed_and_carried_out_once(
    asked: Ask, bench: Bench, shop: Shop, client: Client
) -> None:
    tool, arguments = asked
    since = bench.upstream.control.last_sequence()
    first = succeed(client, tool, {**arguments, "idempotency_key": "once"})
    assert succeed(client, tool, {**arguments, "idempotency_key": "once"}) == {**first, "replayed": True}
    assert len(sent(bench, shop, since)) == len(bench.upstream.applied(shop.account, since)) == 1


@pytest.mark.parametrize("fault", [LostResponse(count=1), ServerError(applied=True, count=1)], ids=lambda it: it.kind)
def test_a_write_whose_answer_was_lost_is_found_and_reported_as_done(
    fault: Fault,
    asked: Ask,
    bench: Bench,
    shop: Shop,
    client: Client,
    faults: Callable[..., int],
    shipments: Callable[[str], list[dict[str, Any]]],
) -> None:
    tool, arguments = asked
    since = faults(*writing(shop, fault))
    result = succeed(client, tool, {**arguments, "idempotency_key": "lost"})
    assert len(sent(bench, shop, since)) == len(bench.upstream.applied(shop.account, since)) == 1
    if tool in {"shipments_add", "shipments_update"}:
        assert result["shipment"] == shipments(shop.orders[0])[-1]
    if tool == "shipments_batch":
        added = [shipments(shop.orders[0])[-1], *shipments(shop.orders[1])[-2:]]
        assert [entry["shipment_id"] for entry in result["results"]] == [str(found["id"]) for found in added]
        assert (result["added"], result["failed"]) == (3, 0)
    assert succeed(client, tool, {**arguments, "idempotency_key": "lost"})["replayed"] is True
    assert len(sent(bench, shop, since)) == 1


def test_a_write_that_never_arrived_is_uncertain_and_its_repetition_is_never_sent(
    asked: Ask, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    tool, arguments = asked
    since = faults(*writing(shop, ConnectionReset(count=1)))
    for _ in range(3):
        error = fail(client, tool, {**arguments, "idempotency_key": "reset"})
        assert error["code"] == "WRITE_UNCERTAIN"
        assert error["details"]["write_id"].startswith("w_")
    assert len(sent(bench, shop, since)) == 1
    assert bench.upstream.applied(shop.account, since) == []


def test_a_lost_parcel_without_a_number_is_not_guessed_among_two(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int], ship: Callable[..., dict[str, Any]]
) -> None:
    order_id = shop.orders[0]
    matched = Match(method="POST", store_id=shop.account.store_id)
    faults(Latency(milliseconds=800, count=1, match=matched), LostResponse(count=1, match=matched))
    error = meanwhile(
        bench,
        lambda: ship(order_id, tracking_number="n/a"),
        lambda: fail(client, "shipments_add", {"order_id": order_id, "tracking_number": "n/a"}),
    )
    assert error["code"] == "WRITE_UNCERTAIN"


def test_a_batch_is_one_request_and_tells_of_each_entry(
    bench: Bench, shop: Shop, client: Client, shipments: Callable[[str], list[dict[str, Any]]], number: str
) -> None:
    first, second = shop.orders[:2]
    entries = [
        {"order_id": first, "tracking_number": number, "cost": 3},
        {"order_id": second, "tracking_number": number},
        {"order_id": first, "tracking_number": f"{number}-2"},
    ]
    for order_id in (first, second):
        succeed(client, "shipments_list", {"order_id": order_id})
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "shipments_batch", {"shipments": entries})
    assert [call["path"] for call in bench.upstream.applied(shop.account, since)] == ["/batch-shipments"]
    assert (result["added"], result["failed"]) == (3, 0)
    assert result["message"] == "3 of 3 shipments added"
    added = [shipments(first)[-2], shipments(second)[-1], shipments(first)[-1]]
    assert [(entry["status"], entry["shipment_id"]) for entry in result["results"]] == [
        ("added", str(found["id"])) for found in added
    ]
    assert succeed(client, "shipments_list", {"order_id": second})["shipments"] == shipments(second)


def test_entries_that_cannot_be_added_are_told_and_keep_no_other_back(
    bench: Bench, shop: Shop, client: Client, ship: Callable[..., dict[str, Any]], number: str
) -> None:
    first, second = shop.orders[:2]
    ship(first, tracking_number=number)
    entries = [
        {"order_id": first, "tracking_number": number},
        {"order_id": "999999999", "tracking_number": number},
        {"order_id": second, "tracking_number": number},
        {"order_id": second, "tracking_number": number, "carrier_code": "UPS"},
    ]
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "shipments_batch", {"shipments": entries, "idempotency_key": "partial"})
    assert [entry["status"] for entry in result["results"]] == ["failed", "failed", "added", "failed"]
    assert (result["added"], result["failed"]) == (1, 3)
    assert result["message"] == "1 of 4 shipments added, 3 failed"
    (post,) = bench.upstream.applied(shop.account, since)
    assert [change["id"] for change in post["changes"]] == [second]
    again = succeed(client, "shipments_batch", {"shipments": entries, "idempotency_key": "partial"})
    assert again == {**result, "replayed": True}


def test_an_entry_that_orderdesk_itself_refuses_is_never_a_success(
    bench: Bench,
    shop: Shop,
    client: Client,
    faults: Callable[..., int],
    ship: Callable[..., dict[str, Any]],
    number: str,
) -> None:
    first, second = shop.orders[:2]
    entries = [{"order_id": order_id, "tracking_number": number} for order_id in (first, second)]
    batch = Match(method="POST", path_prefix="/batch-shipments", store_id=shop.account.store_id)
    faults(Latency(milliseconds=800, count=1, match=batch))
    result = meanwhile(
        bench,
        lambda: ship(first, tracking_number=number),
        lambda: succeed(client, "shipments_batch", {"shipments": entries}),
    )
    assert [(entry["status"], entry["message"]) for entry in result["results"]] == [
        ("failed", "Shipment Not Added"),
        ("added", "Shipment added"),
    ]
    assert (result["added"], result["failed"]) == (1, 1)


def test_a_batch_of_which_orderdesk_adds_nothing_is_a_conflict(
    bench: Bench,
    shop: Shop,
    client: Client,
    faults: Callable[..., int],
    ship: Callable[..., dict[str, Any]],
    number: str,
) -> None:
    order_id = shop.orders[0]
    batch = Match(method="POST", path_prefix="/batch-shipments", store_id=shop.account.store_id)
    faults(Latency(milliseconds=800, count=1, match=batch))
    error = meanwhile(
        bench,
        lambda: ship(order_id, tracking_number=number),
        lambda: fail(client, "shipments_batch", {"shipments": [{"order_id": order_id, "tracking_number": number}]}),
    )
    assert error["code"] == "CONFLICT_ERROR"
    assert [entry["message"] for entry in error["details"]["results"]] == ["Shipment Not Added"]


def test_a_batch_of_which_nothing_can_be_added_is_an_error_and_not_sent(
    bench: Bench, shop: Shop, client: Client, ship: Callable[..., dict[str, Any]], number: str
) -> None:
    ship(shop.orders[0], tracking_number=number)
    taken = {"order_id": shop.orders[0], "tracking_number": number}
    since = bench.upstream.control.last_sequence()
    assert fail(client, "shipments_batch", {"shipments": [taken]})["code"] == "CONFLICT_ERROR"
    mixed = fail(client, "shipments_batch", {"shipments": [taken, {**taken, "order_id": "999999999"}]})
    assert mixed["code"] == "ORDERDESK_API_ERROR"
    assert [entry["status"] for entry in mixed["details"]["results"]] == ["failed", "failed"]
    assert sent(bench, shop, since) == []


def test_a_batch_that_orderdesk_refuses_whole_leaves_its_key_free(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int], number: str
) -> None:
    asked = {"shipments": [{"order_id": shop.orders[0], "tracking_number": number}], "idempotency_key": "again"}
    since = faults(*writing(shop, ErrorInside200(message="Not now", count=1)))
    error = fail(client, "shipments_batch", asked)
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Not now")
    assert "replayed" not in succeed(client, "shipments_batch", asked)
    assert len(bench.upstream.applied(shop.account, since)) == 1


@pytest.mark.timeout(60)
def test_batches_and_single_shipments_of_the_same_orders_all_arrive(
    bench: Bench, shop: Shop, shipments: Callable[[str], list[dict[str, Any]]]
) -> None:
    orders = shop.orders[:3]
    before = {order_id: len(shipments(order_id)) for order_id in orders}

    def add(place: int) -> None:
        # Each begins with another order, which would hold them all up for ever if locks were taken as they come.
        mine = [orders[(place + step) % 3] for step in range(3)]
        with bench.connect(shop.tenant) as client:
            entries = [{"order_id": order_id, "tracking_number": f"BATCH-{place}"} for order_id in mine]
            succeed(client, "shipments_batch", {"shipments": entries})
            succeed(client, "shipments_add", {"order_id": mine[0], "tracking_number": f"SINGLE-{place}"})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(add, range(3)))
    assert {order_id: len(shipments(order_id)) - before[order_id] for order_id in orders} == dict.fromkeys(orders, 4)


def test_every_shipment_of_a_batch_counts_towards_the_cap(start: StartBench) -> None:
    bench = start(DESTRUCTIVE_CAP_PER_HOUR="3")
    shop = bench.open_shop()
    since = bench.upstream.control.last_sequence()
    with bench.connect(shop.tenant) as client:
        entries = [{"order_id": order_id, "tracking_number": "n/a"} for order_id in shop.orders[:4]]
        error = fail(client, "shipments_batch", {"shipments": entries})
        assert (error["code"], error["details"]["limit"]) == ("RATE_LIMIT_EXCEEDED", "destructive_per_hour")
        assert sent(bench, shop, since) == []
        succeed(client, "shipments_batch", {"shipments": entries[:3]})
        added = bench.upstream.order(shop.account, shop.orders[0])["order_shipments"][-1]
        last = {"order_id": shop.orders[0], "shipment_id": added["id"]}
        assert fail(client, "shipments_delete", last)["code"] == "RATE_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("shipments_list", {}),
        ("shipments_get", {"shipment_id": "1"}),
        ("shipments_add", {"tracking_number": "1"}),
        ("shipments_update", {"shipment_id": "1", "changes": {"cost": 1}}),
        ("shipments_delete", {"shipment_id": "1"}),
    ],
)
def test_what_is_not_there_is_not_found(tool: str, arguments: dict[str, Any], shop: Shop, client: Client) -> None:
    assert fail(client, tool, {"order_id": "999999999", **arguments})["code"] == "NOT_FOUND"
    if "shipment_id" in arguments:
        assert fail(client, tool, {"order_id": shop.orders[0], **arguments})["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("tool", "arguments", "missing", "invalid"),
    [
        ("shipments_list", {"order": "1"}, ["order_id"], ["order"]),
        ("shipments_get", {"order_id": "1"}, ["shipment_id"], []),
        ("shipments_add", {"order_id": "1", "traking_number": "5"}, ["tracking_number"], ["traking_number"]),
        ("shipments_add", {"order_id": "1", "tracking_number": "5", "weight": -1}, [], ["weight"]),
        ("shipments_update", {"order_id": "1"}, ["shipment_id", "changes"], []),
        ("shipments_delete", {"shipment_id": "1"}, ["order_id"], []),
        ("shipments_batch", {}, ["shipments"], []),
        ("shipments_batch", {"shipments": []}, [], ["shipments"]),
        ("shipments_batch", {"shipments": [{"order_id": "1", "tracking_number": "5"}] * 26}, [], ["shipments"]),
        (
            "shipments_batch",
            {"shipments": [{"tracking_number": "5", "carrier": "UPS"}]},
            ["shipments.0.order_id"],
            ["shipments.0.carrier"],
        ),
    ],
)
def test_missing_and_unknown_arguments_are_named(
    tool: str, arguments: dict[str, Any], missing: list[str], invalid: list[str], client: Client
) -> None:
    error = fail(client, tool, arguments)
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["missing_fields"] == missing
    assert list(error["details"]["invalid_fields"]) == invalid


@pytest.mark.parametrize("changes", [{}, {"id": 5}, {"order_id": "1"}, {"carier_code": "UPS"}], ids=str)
def test_a_change_that_cannot_be_made_is_refused_before_anything_is_written(
    changes: dict[str, Any],
    bench: Bench,
    shop: Shop,
    client: Client,
    ship: Callable[..., dict[str, Any]],
    number: str,
) -> None:
    there = {"order_id": shop.orders[0], "shipment_id": ship(shop.orders[0], tracking_number=number)["id"]}
    since = bench.upstream.control.last_sequence()
    assert fail(client, "shipments_update", {**there, "changes": changes})["code"] == "VALIDATION_ERROR"
    assert sent(bench, shop, since) == []
