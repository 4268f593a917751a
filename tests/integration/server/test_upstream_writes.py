from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import (
    ConnectionReset,
    ErrorInside200,
    Fault,
    Latency,
    LostResponse,
    ServerError,
    SlowBody,
    TooManyRequests,
    WrongJson,
)
from tests.integration.server.bench import Bench, Shop, fail, only, succeed
from tests.integration.server.upstream_faults import NEWEST_ERA, wait_for_fault

pytestmark = NEWEST_ERA

NOTE = {"order_notes": "Call first"}


def test_a_429_to_a_write_is_tried_again_for_nothing_was_written(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(TooManyRequests(count=1, match=only(shop, "PUT")))
    succeed(client, "orders_update", {"order_id": shop.orders[0], "changes": NOTE})
    assert [call["status"] for call in bench.upstream.calls(shop.account, since, "PUT")] == [429, 200]
    assert len(bench.upstream.applied(shop.account, since)) == 1


@pytest.mark.parametrize("reading", [1, 2], ids=["at the first reading", "at the re-check"])
def test_an_error_inside_a_200_is_never_put_back(
    reading: int, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    fault = ErrorInside200(message="Not now", count=1, match=only(shop, "GET"))
    # A slow first answer lets the fault meet the second one only.
    if reading == 2:
        update: dict[str, Any] = {}
        with ThreadPoolExecutor(1) as pool:
            faults(Latency(milliseconds=500, count=1, match=only(shop, "GET")))
            since = bench.upstream.control.last_sequence()
            call = pool.submit(fail, client, "orders_update", {"order_id": order_id, "changes": NOTE})
            wait_for_fault(bench)
            faults(fault)
            update = call.result()
    else:
        since = faults(fault)
        update = fail(client, "orders_update", {"order_id": order_id, "changes": NOTE})
    assert update["code"] == "ORDERDESK_API_ERROR"
    assert bench.upstream.calls(shop.account, since, "PUT") == []
    assert bench.upstream.order(shop.account, order_id) == before


def test_an_error_inside_a_200_to_a_write_is_no_success(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    faults(ErrorInside200(message="Locked", count=1, match=only(shop, "PUT")))
    error = fail(client, "orders_update", {"order_id": shop.orders[0], "changes": NOTE})
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Locked")
    assert "Call first" not in bench.upstream.notes(shop.account, shop.orders[0])


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LostResponse(count=1), id="lost"),
        pytest.param(ServerError(status=502, applied=True, count=1), id="502 after it was applied"),
        pytest.param(WrongJson(form="truncated", count=1), id="cut JSON"),
        pytest.param(WrongJson(form="html", count=1), id="HTML in a 200"),
        pytest.param(SlowBody(milliseconds=20_000, count=1), id="a body that drips"),
    ],
)
def test_a_write_whose_answer_was_lost_is_found_by_looking(
    fault: Fault, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    since = faults(fault.model_copy(update={"match": only(shop, "PUT")}))
    result = succeed(client, "orders_update", {"order_id": order_id, "changes": NOTE})
    assert len(bench.upstream.applied(shop.account, since)) == 1
    assert bench.upstream.notes(shop.account, order_id).count("Call first") == 1
    assert result["order"] == bench.upstream.order(shop.account, order_id)


@pytest.mark.parametrize("field", ["email", "order_metadata"])
def test_a_removal_whose_answer_was_lost_is_found_though_orderdesk_shows_it_as_blank(
    field: str, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_metadata": {"gift": "yes"}}})
    metadata = bench.upstream.order(shop.account, order_id)["order_metadata"]
    since = faults(LostResponse(count=1, match=only(shop, "PUT")))
    changes = {field: None if field == "email" else dict.fromkeys(metadata)}
    succeed(client, "orders_update", {"order_id": order_id, "changes": changes})
    assert len(bench.upstream.applied(shop.account, since)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(ConnectionReset(count=1), id="reset"),
        pytest.param(ServerError(status=503, count=1), id="503"),
        pytest.param(Latency(milliseconds=5_000, count=1), id="no answer in time"),
    ],
)
def test_a_write_of_unknown_outcome_is_uncertain_and_not_sent_again(
    fault: Fault, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    asked = {"order_id": order_id, "changes": NOTE, "idempotency_key": "uncertain"}
    since = faults(fault.model_copy(update={"match": only(shop, "PUT")}))
    error = fail(client, "orders_update", asked)
    assert error["code"] == "WRITE_UNCERTAIN"
    assert error["details"]["target"] == order_id
    assert fail(client, "orders_update", asked)["code"] == "WRITE_UNCERTAIN"
    assert len(bench.upstream.calls(shop.account, since, "PUT")) <= 1
    states = bench.query("SELECT state FROM writes WHERE tenant_id = ? AND target = ?", shop.tenant.id, order_id)
    assert states == [("uncertain",)]


def test_a_write_that_cannot_be_looked_up_is_uncertain(
    shop: Shop, client: Client, bench: Bench, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    with ThreadPoolExecutor(1) as pool:
        faults(Latency(milliseconds=700, count=1, match=only(shop, "PUT")), LostResponse(match=only(shop)))
        call = pool.submit(fail, client, "orders_update", {"order_id": order_id, "changes": NOTE})
        wait_for_fault(bench)
        faults(ServerError(match=only(shop, "GET")))
        assert call.result()["code"] == "WRITE_UNCERTAIN"


def test_a_failed_write_leaves_its_idempotency_key_free(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    asked = {"order_id": shop.orders[0], "changes": NOTE, "idempotency_key": "again"}
    since = faults(ErrorInside200(count=1, match=only(shop, "PUT")))
    assert fail(client, "orders_update", asked)["code"] == "ORDERDESK_API_ERROR"
    assert "replayed" not in succeed(client, "orders_update", asked)
    assert len(bench.upstream.applied(shop.account, since)) == 1
