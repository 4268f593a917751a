"""What every tool that writes to an order promises, each against the sandbox's journal of what really happened."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import ConnectionReset, ErrorInside200, LostResponse, ServerError, TooManyRequests
from tests.integration.server.bench import ERAS, Bench, Shop, fail, succeed
from tests.integration.server.writings import ITEM_WRITINGS, ORDER_WRITINGS, Writing

Faults = Callable[..., int]

WRITINGS = (*ORDER_WRITINGS, *ITEM_WRITINGS)
each_writing = pytest.mark.parametrize("writing", [pytest.param(writing, id=writing.tool) for writing in WRITINGS])
each_of_an_order = pytest.mark.parametrize(
    "writing", [pytest.param(writing, id=writing.tool) for writing in WRITINGS if writing.absent]
)


@pytest.fixture
def era() -> str:
    """What happens upstream is the same in both eras: the newest revision stands."""
    return ERAS[-1]


@each_writing
def test_a_write_is_applied_once_and_repeated_under_its_key_tells_the_same(
    writing: Writing, bench: Bench, shop: Shop, client: Client
) -> None:
    asked = {**writing.asked(bench, shop), "idempotency_key": "once"}
    since = bench.upstream.control.last_sequence()
    first = succeed(client, writing.tool, asked)
    assert len(bench.upstream.applied(shop.account, since)) == 1
    assert first["write_id"].startswith("w_")
    again = succeed(client, writing.tool, asked)
    assert again == {**first, "replayed": True}
    assert len(writing.calls(bench, shop, since)) == 1
    states = bench.query("SELECT tool, state FROM writes WHERE id = ?", first["write_id"])
    assert states == [(writing.tool, "done")]


@each_writing
def test_a_dry_run_tells_the_difference_and_leaves_the_journal_untouched(
    writing: Writing, bench: Bench, shop: Shop, client: Client
) -> None:
    asked = writing.asked(bench, shop)
    since = bench.upstream.control.last_sequence()
    result = succeed(client, writing.tool, {**asked, "dry_run": True, "idempotency_key": "dry"})
    assert result["dry_run"] is True
    assert writing.field(asked) in [line["field"] for line in result["changes"]]
    assert "write_id" not in result
    assert {call["method"] for call in bench.upstream.calls(shop.account, since)} == {"GET"}
    assert "replayed" not in succeed(client, writing.tool, {**asked, "idempotency_key": "dry"})


@each_writing
def test_a_write_whose_answer_was_lost_is_found_by_looking(
    writing: Writing, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = writing.asked(bench, shop)
    since = faults(LostResponse(count=1, match=writing.match(shop)))
    result = succeed(client, writing.tool, asked)
    assert result["status"] == "success"
    assert len(bench.upstream.applied(shop.account, since)) == 1
    assert len(writing.calls(bench, shop, since)) == 1


@each_writing
def test_a_write_that_never_arrived_is_uncertain_and_not_sent_again_under_its_key(
    writing: Writing, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = {**writing.asked(bench, shop), "idempotency_key": "uncertain"}
    since = faults(ConnectionReset(count=1, match=writing.match(shop)))
    error = fail(client, writing.tool, asked)
    assert error["code"] == "WRITE_UNCERTAIN"
    write_id = error["details"]["write_id"]
    named = {"order_id", "order_ids", "source_id"} & set(error["details"])
    assert named, "the details say what to look for"
    again = fail(client, writing.tool, asked)
    assert (again["code"], again["details"]["write_id"]) == ("WRITE_UNCERTAIN", write_id)
    assert len(writing.calls(bench, shop, since)) == 1
    assert bench.upstream.applied(shop.account, since) == []


@each_writing
def test_a_write_that_arrives_late_is_found_by_its_repetition(
    writing: Writing, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = {**writing.asked(bench, shop), "idempotency_key": "late"}
    faults(ConnectionReset(count=1, match=writing.match(shop)))
    assert fail(client, writing.tool, asked)["code"] == "WRITE_UNCERTAIN"
    bench.upstream.control.clear_faults()
    writing.arrive(bench, shop, asked)
    since = bench.upstream.control.last_sequence()
    found = succeed(client, writing.tool, asked)
    assert found["replayed"] is True
    assert writing.calls(bench, shop, since) == []
    assert succeed(client, writing.tool, asked) == found


@each_writing
def test_a_5xx_to_a_write_is_uncertain(
    writing: Writing, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = writing.asked(bench, shop)
    since = faults(ServerError(count=1, match=writing.match(shop)))
    assert fail(client, writing.tool, asked)["code"] == "WRITE_UNCERTAIN"
    assert len(writing.calls(bench, shop, since)) == 1


@each_writing
def test_a_429_to_a_write_is_tried_again_for_nothing_was_written(
    writing: Writing, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = writing.asked(bench, shop)
    since = faults(TooManyRequests(count=1, match=writing.match(shop)))
    succeed(client, writing.tool, asked)
    assert [call["status"] for call in writing.calls(bench, shop, since)] == [429, 200]
    assert len(bench.upstream.applied(shop.account, since)) == 1


@each_writing
def test_an_error_inside_a_200_is_no_success_and_leaves_the_key_free(
    writing: Writing, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = {**writing.asked(bench, shop), "idempotency_key": "again"}
    since = faults(ErrorInside200(message="Locked", count=1, match=writing.match(shop)))
    error = fail(client, writing.tool, asked)
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Locked")
    assert bench.upstream.applied(shop.account, since) == []
    assert "replayed" not in succeed(client, writing.tool, asked)
    assert len(bench.upstream.applied(shop.account, since)) == 1


@each_of_an_order
def test_an_order_that_is_not_there_is_not_found_and_nothing_is_sent(
    writing: Writing, bench: Bench, shop: Shop, client: Client
) -> None:
    since = bench.upstream.control.last_sequence()
    assert writing.absent is not None
    for dry_run in (True, False):
        error = fail(client, writing.tool, {**writing.absent, "dry_run": dry_run})
        assert error["code"] == "NOT_FOUND"
    assert writing.calls(bench, shop, since) == []


@each_writing
def test_missing_arguments_are_named_before_orderdesk_is_asked(
    writing: Writing, bench: Bench, shop: Shop, client: Client
) -> None:
    since = bench.upstream.control.last_sequence()
    error = fail(client, writing.tool, {})
    assert error["code"] == "VALIDATION_ERROR"
    assert set(error["details"]["missing_fields"]) == writing.required
    assert error["details"]["example_request"]
    assert bench.upstream.calls(shop.account, since) == []


@each_writing
def test_another_request_under_the_same_key_is_a_conflict(
    writing: Writing, bench: Bench, shop: Shop, client: Client
) -> None:
    asked: dict[str, Any] = {**writing.asked(bench, shop), "idempotency_key": "taken"}
    succeed(client, writing.tool, asked)
    since = bench.upstream.control.last_sequence()
    other: dict[str, Any] = {
        name: {"quantity": 1} if name == "changes" else "x" if name in {"note", "name"} else value
        for name, value in asked.items()
    }
    if "order_data" in other:
        other["order_data"] = {**other["order_data"], "email": "other@example.com"}
    if "order_ids" in other:
        other["order_ids"] = other["order_ids"][:1]
    if other == asked:
        other["order_id"] = shop.orders[3]
    assert fail(client, writing.tool, other)["code"] == "CONFLICT_ERROR"
    assert writing.calls(bench, shop, since) == []
