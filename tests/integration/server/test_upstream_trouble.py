import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import (
    ConnectionReset,
    ErrorInside200,
    Fault,
    ForeignWriter,
    Latency,
    LostResponse,
    Match,
    ServerError,
    SlowBody,
    TooManyRequests,
    WrongJson,
)
from tests.integration.server.bench import ERAS, Bench, Shop, fail, succeed

NOTE = {"order_notes": "Call first"}


@pytest.fixture
def era() -> str:
    """What happens upstream is the same in both eras, and much of it takes its time: the newest revision stands."""
    return ERAS[-1]


def on(shop: Shop, method: Any = None) -> Match:
    return Match(method=method, store_id=shop.account.store_id)


@pytest.fixture
def faults(bench: Bench) -> Callable[..., int]:
    """Set faults; returns the journal's position from which to look."""

    def use(*faults: Fault) -> int:
        bench.upstream.control.set_faults(*faults)
        return bench.upstream.control.last_sequence()

    return use


def notes(bench: Bench, shop: Shop, order_id: str) -> list[str]:
    bench.upstream.control.clear_faults()
    return [note["content"] for note in bench.upstream.order(shop.account, order_id)["order_notes"]]


def applied(bench: Bench, shop: Shop, since: int) -> list[dict[str, Any]]:
    return [call for call in bench.upstream.calls(shop.account, since) if call["applied"]]


def test_a_429_is_tried_again_after_the_seconds_that_orderdesk_named(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(TooManyRequests(count=1, retry_after=2, match=on(shop)))
    succeed(client, "orders_get", {"order_id": shop.orders[0]})
    first, second = bench.upstream.calls(shop.account, since)
    assert (first["status"], second["status"]) == (429, 200)
    assert second["monotonic"] - first["monotonic"] >= 2


def test_a_429_keeps_every_call_to_that_store_waiting_and_no_other_store(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    other = bench.open_shop()
    since = faults(TooManyRequests(count=1, retry_after=1, match=on(shop)))
    with ThreadPoolExecutor(3) as pool, bench.connect(other.tenant) as stranger:
        limited = [pool.submit(succeed, client, "orders_get", {"order_id": order}) for order in shop.orders[:2]]
        began = time.monotonic()
        succeed(stranger, "orders_get", {"order_id": other.orders[0]})
        assert time.monotonic() - began < 0.9
        assert [call.result()["status"] for call in limited] == ["success"] * 2
    calls = bench.upstream.calls(shop.account, since)
    refused = min(call["monotonic"] for call in calls if call["status"] == 429)
    late = [call for call in calls if call["status"] == 200 and call["monotonic"] > refused + 0.1]
    assert late
    assert all(call["monotonic"] - refused >= 1 for call in late)


def test_a_429_that_outlasts_the_deadline_is_told_at_once_with_the_wait(
    shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    faults(TooManyRequests(retry_after=60, match=on(shop)))
    began = time.monotonic()
    outcome = client.call_tool("orders_get", {"order_id": shop.orders[0]})
    assert time.monotonic() - began < 3
    assert outcome.structured is not None
    error = outcome.structured["error"]
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["details"]["limit"] == "orderdesk"
    assert 50 <= error["details"]["retry_after_seconds"] <= 61
    assert outcome.headers["retry-after"] == str(error["details"]["retry_after_seconds"])


def test_a_429_to_a_write_is_tried_again_for_nothing_was_written(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(TooManyRequests(count=1, match=on(shop, "PUT")))
    succeed(client, "orders_update", {"order_id": shop.orders[0], "changes": NOTE})
    assert [call["status"] for call in bench.upstream.calls(shop.account, since, "PUT")] == [429, 200]
    assert len(applied(bench, shop, since)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(ServerError(status=503, count=2), id="503"),
        pytest.param(ServerError(status=500, count=2), id="500"),
        pytest.param(ServerError(status=502, count=2), id="502"),
        pytest.param(ConnectionReset(count=2), id="reset"),
        pytest.param(WrongJson(form="truncated", count=2), id="cut JSON"),
        pytest.param(WrongJson(form="html", count=2), id="HTML in a 200"),
    ],
)
def test_a_read_that_fails_is_tried_again(
    fault: Fault, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(fault.model_copy(update={"match": on(shop)}))
    succeed(client, "orders_get", {"order_id": shop.orders[0]})
    assert len(bench.upstream.calls(shop.account, since)) == 3


def test_a_read_is_given_up_after_the_tries_that_are_set_and_not_cached(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(ServerError(status=503, count=4, match=on(shop)))
    error = fail(client, "orders_list", {"limit": 1})
    assert error["code"] == "UPSTREAM_UNAVAILABLE"
    assert len(bench.upstream.calls(shop.account, since)) == 4
    assert succeed(client, "orders_list", {"limit": 1})["cached"] is False


def test_an_upstream_that_hangs_costs_no_more_than_the_deadline(
    shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    faults(Latency(milliseconds=60_000, match=on(shop)))
    began = time.monotonic()
    assert fail(client, "products_list", {"limit": 1})["code"] == "UPSTREAM_UNAVAILABLE"
    assert time.monotonic() - began < 8


def test_a_body_that_drips_is_cut_off_like_one_that_does_not_come(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(SlowBody(milliseconds=20_000, count=1, match=on(shop)))
    began = time.monotonic()
    succeed(client, "orders_get", {"order_id": shop.orders[0]})
    assert time.monotonic() - began < 8
    assert len(bench.upstream.calls(shop.account, since)) == 2


@pytest.mark.parametrize("tool", ["orders_get", "orders_list", "products_list"])
def test_an_error_inside_a_200_is_an_error_and_is_not_cached(
    tool: str, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    arguments = {"order_id": shop.orders[0]} if tool == "orders_get" else {"limit": 1}
    faults(ErrorInside200(message="Store is closed", count=1, match=on(shop)))
    error = fail(client, tool, arguments)
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Store is closed")
    assert succeed(client, tool, arguments)["cached"] is False


@pytest.mark.parametrize("reading", [1, 2], ids=["at the first reading", "at the re-check"])
def test_an_error_inside_a_200_is_never_put_back(
    reading: int, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    fault = ErrorInside200(message="Not now", count=1, match=on(shop, "GET"))
    # A slow first answer lets the fault meet the second one only.
    if reading == 2:
        update: dict[str, Any] = {}
        with ThreadPoolExecutor(1) as pool:
            faults(Latency(milliseconds=500, count=1, match=on(shop, "GET")))
            since = bench.upstream.control.last_sequence()
            call = pool.submit(fail, client, "orders_update", {"order_id": order_id, "changes": NOTE})
            deadline = time.monotonic() + 10
            while bench.upstream.control.faults()[0]["fired"] == 0:
                assert time.monotonic() < deadline
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
    faults(ErrorInside200(message="Locked", count=1, match=on(shop, "PUT")))
    error = fail(client, "orders_update", {"order_id": shop.orders[0], "changes": NOTE})
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Locked")
    assert "Call first" not in notes(bench, shop, shop.orders[0])


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
    since = faults(fault.model_copy(update={"match": on(shop, "PUT")}))
    result = succeed(client, "orders_update", {"order_id": order_id, "changes": NOTE})
    assert len(applied(bench, shop, since)) == 1
    assert notes(bench, shop, order_id).count("Call first") == 1
    assert result["order"] == bench.upstream.order(shop.account, order_id)


@pytest.mark.parametrize("field", ["email", "order_metadata"])
def test_a_removal_whose_answer_was_lost_is_found_though_orderdesk_shows_it_as_blank(
    field: str, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_metadata": {"gift": "yes"}}})
    metadata = bench.upstream.order(shop.account, order_id)["order_metadata"]
    since = faults(LostResponse(count=1, match=on(shop, "PUT")))
    changes = {field: None if field == "email" else dict.fromkeys(metadata)}
    succeed(client, "orders_update", {"order_id": order_id, "changes": changes})
    assert len(applied(bench, shop, since)) == 1


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
    since = faults(fault.model_copy(update={"match": on(shop, "PUT")}))
    error = fail(client, "orders_update", asked)
    assert error["code"] == "WRITE_UNCERTAIN"
    assert error["details"]["order_id"] == order_id
    assert fail(client, "orders_update", asked)["code"] == "WRITE_UNCERTAIN"
    assert len(bench.upstream.calls(shop.account, since, "PUT")) <= 1
    states = bench.query("SELECT state FROM writes WHERE tenant_id = ?", shop.tenant.id)
    assert states == [("uncertain",)]


def test_a_write_that_cannot_be_looked_up_is_uncertain(
    shop: Shop, client: Client, bench: Bench, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    with ThreadPoolExecutor(1) as pool:
        faults(Latency(milliseconds=700, count=1, match=on(shop, "PUT")), LostResponse(match=on(shop)))
        call = pool.submit(fail, client, "orders_update", {"order_id": order_id, "changes": NOTE})
        deadline = time.monotonic() + 10
        while bench.upstream.control.faults()[0]["fired"] == 0:
            assert time.monotonic() < deadline
        faults(ServerError(match=on(shop, "GET")))
        assert call.result()["code"] == "WRITE_UNCERTAIN"


def test_a_foreign_change_between_reading_and_writing_is_kept(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    since = faults(ForeignWriter(count=2, tokens=0, match=on(shop)))
    result = succeed(client, "orders_update", {"order_id": order_id, "changes": {"email": "ours@example.com"}})
    after = bench.upstream.order(shop.account, order_id)
    assert after["email"] == "ours@example.com"
    assert after["order_metadata"]["warehouse_sync"]
    assert result["order"] == after
    (put,) = bench.upstream.calls(shop.account, since, "PUT")
    (change,) = put["changes"]
    assert set(change["fields"]) - {"date_updated"} == {"email"}


def test_an_order_that_others_never_stop_changing_is_a_conflict_and_nothing_is_written(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(ForeignWriter(tokens=0, match=on(shop)))
    error = fail(client, "orders_update", {"order_id": shop.orders[0], "changes": {"email": "ours@example.com"}})
    assert error["code"] == "CONFLICT_ERROR"
    assert error["details"]["retries_attempted"] == 5
    assert bench.upstream.calls(shop.account, since, "PUT") == []


def test_a_failed_write_leaves_its_idempotency_key_free(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    asked = {"order_id": shop.orders[0], "changes": NOTE, "idempotency_key": "again"}
    since = faults(ErrorInside200(count=1, match=on(shop, "PUT")))
    assert fail(client, "orders_update", asked)["code"] == "ORDERDESK_API_ERROR"
    assert "replayed" not in succeed(client, "orders_update", asked)
    assert len(applied(bench, shop, since)) == 1


def test_updates_of_one_order_at_the_same_time_all_survive(bench: Bench, shop: Shop) -> None:
    order_id = shop.orders[0]
    since = bench.upstream.control.last_sequence()
    bench.upstream.control.set_faults(Latency(milliseconds=30, match=on(shop)))
    changes: list[dict[str, Any]] = [
        {"shipping": {"city": "Leeds"}},
        {"shipping": {"address1": "1 New Street"}},
        {"email": "new@example.com"},
        {"order_notes": "One"},
        {"order_notes": "Two"},
    ]

    def update(change: dict[str, Any], version: str) -> None:
        with bench.connect(shop.tenant, version) as client:
            succeed(client, "orders_update", {"order_id": order_id, "changes": change})

    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(update, changes, itertools.cycle(("2025-11-25", "2026-07-28"))))
    after = bench.upstream.order(shop.account, order_id)
    assert after["shipping"]["city"] == "Leeds"
    assert after["shipping"]["address1"] == "1 New Street"
    assert after["email"] == "new@example.com"
    assert {"One", "Two"} <= {note["content"] for note in after["order_notes"]}
    puts = bench.upstream.calls(shop.account, since, "PUT")
    touched = sorted(sorted(set(put["changes"][0]["fields"]) - {"date_updated"}) for put in puts)
    assert touched == [["email"], ["order_notes"], ["order_notes"], ["shipping"], ["shipping"]]


def test_the_same_idempotency_key_at_the_same_time_is_carried_out_once(bench: Bench, shop: Shop) -> None:
    order_id = shop.orders[0]
    since = bench.upstream.control.last_sequence()
    asked = {"order_id": order_id, "changes": NOTE, "idempotency_key": "race"}

    def update(_number: int) -> dict[str, Any]:
        with bench.connect(shop.tenant) as client:
            return succeed(client, "orders_update", asked)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(update, range(4)))
    assert sum("replayed" not in result for result in results) == 1
    assert len(applied(bench, shop, since)) == 1


def test_a_client_that_goes_away_does_not_stop_a_write_half_way(
    bench: Bench, shop: Shop, faults: Callable[..., int]
) -> None:
    import httpx

    order_id = shop.orders[0]
    since = faults(Latency(milliseconds=800, match=on(shop, "PUT")))
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "orders_update", "arguments": {"order_id": order_id, "changes": NOTE}},
    }
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            bench.url,
            json=body,
            headers={"Authorization": f"Bearer {shop.tenant.key}"},
            timeout=0.4,
            trust_env=False,
        )
    deadline = time.monotonic() + 10
    while bench.query("SELECT state FROM writes WHERE tenant_id = ?", shop.tenant.id) != [("done",)]:
        assert time.monotonic() < deadline, "the write was not carried to its end"
        time.sleep(0.05)
    assert len(applied(bench, shop, since)) == 1
    audited = bench.query("SELECT tool, status FROM audit WHERE tenant_id = ? AND target = ?", shop.tenant.id, order_id)
    assert audited == [("orders_update", "success")]
