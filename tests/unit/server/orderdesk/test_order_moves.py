from typing import Any

import pytest

from server.errors import (
    NotFoundError,
    OrderDeskError,
    RateLimitError,
    ToolError,
    UpstreamUnavailableError,
    WriteUncertainError,
)
from server.orderdesk.move import Move
from server.writes.operation import Plan
from tests.unit.server.orderdesk.seats import LIMITED, RETRIES, FakeSeat, no_revision


def order(number: int, folder: int | str) -> dict[str, Any]:
    return {"id": number, "folder_id": folder, "email": "a@example.com"}


HELD = {"1": order(1, 10), "2": order(2, 10), "3": order(3, 20)}


def move(desk: FakeSeat, *order_ids: str, folder: str = "20") -> Move:
    async def destination() -> str:
        return folder

    return Move(desk.seat, order_ids, destination, objects=len(order_ids))


def statuses(result: dict[str, Any] | None) -> dict[str, str]:
    assert result is not None
    assert [result[name] for name in ("moved", "unchanged", "failed")] == [
        sum(line["status"] == name for line in result["results"]) for name in ("moved", "unchanged", "failed")
    ]
    return {line["order_id"]: line["status"] for line in result["results"]}


async def test_a_plan_keeps_the_whole_orders_before_and_only_their_folder_changes() -> None:
    plan = await move(FakeSeat(HELD), "1", "3", "9").plan()
    assert plan == Plan(
        {"1": order(1, 10), "3": order(3, 20), "9": None}, {"1": order(1, 20), "3": order(3, 20), "9": None}
    )


async def test_orders_that_are_all_there_already_need_no_write() -> None:
    plan = await move(FakeSeat(HELD), "3", "9").plan()
    assert statuses(plan.unchanged) == {"3": "unchanged", "9": "failed"}


@pytest.mark.parametrize("order_ids", [("9",), ("8", "9")])
async def test_without_any_order_there_is_nothing_to_move(order_ids: tuple[str, ...]) -> None:
    with pytest.raises(NotFoundError):
        await move(FakeSeat(HELD), *order_ids).plan()


async def test_a_folder_s_id_is_written_as_the_order_writes_it() -> None:
    plan = await move(FakeSeat({"1": order(1, "10")}), "1").plan()
    assert plan.after["1"]["folder_id"] == "20"


async def test_only_what_is_not_there_yet_is_sent_and_orderdesk_is_believed_that_names_the_folder_left() -> None:
    desk = FakeSeat(HELD, lambda _: {"results": [{"order_id": 1, "message": "ok", "original_folder_id": "10"}]})
    operation = move(desk, "1", "3", "9")
    result = await operation.apply(await operation.plan(), no_revision)
    assert statuses(result) == {"1": "moved", "3": "unchanged", "9": "failed"}
    assert desk.written == [("POST", "/move-orders", {"order_id_list": ["1"], "destination_folder_id": "20"})]
    assert result["results"][0]["original_folder_id"] == "10"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"order_id": "2", "message": "Locked", "original_folder_id": None}, id="no folder"),
        pytest.param({"order_id": "2", "message": "Locked", "original_folder_id": 99}, id="another folder"),
        pytest.param({"order_id": "2", "message": "Locked"}, id="nothing of a folder"),
        pytest.param(None, id="no answer"),
    ],
)
@pytest.mark.parametrize("folder", [10, 20], ids=["stayed", "moved all the same"])
async def test_an_order_that_is_not_clearly_moved_is_looked_at(answer: dict[str, Any] | None, folder: int) -> None:
    def reply(_body: Any) -> dict[str, Any]:
        desk.orders["2"] = order(2, folder)
        done = {"order_id": "1", "message": "Order Moved", "original_folder_id": 10}
        return {"results": [done, *([answer] if answer else [])]}

    desk = FakeSeat(HELD, reply)
    operation = move(desk, "1", "2")
    result = await operation.apply(await operation.plan(), no_revision)
    assert statuses(result) == {"1": "moved", "2": "moved" if folder == 20 else "failed"}
    if folder == 10:
        assert result["results"][1]["message"] == ("Locked" if answer else "OrderDesk did not move it")
        assert result["message"] == "1 of 2 orders moved to folder 20, 1 failed"


async def test_an_order_that_a_rule_may_have_moved_on_is_neither_moved_nor_failed() -> None:
    def reply(_body: Any) -> dict[str, Any]:
        desk.orders["2"] = order(2, 30)
        return {"results": [{"order_id": "1", "original_folder_id": 10}, {"order_id": "2", "message": "Order Moved"}]}

    desk = FakeSeat(HELD, reply)
    operation = move(desk, "1", "2")
    with pytest.raises(WriteUncertainError, match="order 2"):
        await operation.apply(await operation.plan(), no_revision)


async def test_after_a_wait_only_what_is_not_there_by_then_is_sent_and_the_plan_is_kept_anew() -> None:
    def reply(body: Any) -> Any:
        if len(desk.written) == 1:
            desk.orders |= {"1": order(1, 20), "2": order(2, 15)}
            return LIMITED
        return {"results": [{"order_id": number, "original_folder_id": 15} for number in body["order_id_list"]]}

    desk = FakeSeat(HELD, reply)
    operation = move(desk, "1", "2")
    result = await operation.apply(await operation.plan(), desk.revise)
    assert [body["order_id_list"] for *_, body in desk.written] == [["1", "2"], ["2"]]
    assert [plan.before for plan in desk.revised] == [{"1": order(1, 20), "2": order(2, 15)}]
    assert statuses(result) == {"1": "unchanged", "2": "moved"}


async def test_after_a_wait_in_which_others_moved_them_all_nothing_is_sent() -> None:
    def reply(_body: Any) -> Any:
        desk.orders["1"] = order(1, 20)
        return LIMITED

    desk = FakeSeat(HELD, reply)
    operation = move(desk, "1")
    assert statuses(await operation.apply(await operation.plan(), desk.revise)) == {"1": "unchanged"}
    assert len(desk.written) == len(desk.revised) == 1


async def test_what_is_refused_unread_each_time_ends_with_the_reason() -> None:
    desk = FakeSeat(HELD, lambda _: LIMITED)
    operation = move(desk, "1")
    with pytest.raises(RateLimitError):
        await operation.apply(await operation.plan(), no_revision)
    assert len(desk.written) == RETRIES + 1


@pytest.mark.parametrize("results", [[], None, "nonsense", [5], [{"order_id": "1", "message": "Locked"}]], ids=str)
async def test_none_moved_is_an_error_that_says_so_of_each(results: Any) -> None:
    desk = FakeSeat(HELD, lambda _: {"results": results})
    operation = move(desk, "1", "2")
    with pytest.raises(OrderDeskError) as refused:
        await operation.apply(await operation.plan(), no_revision)
    assert [line["status"] for line in refused.value.details["results"]] == ["failed", "failed"]


async def test_an_order_that_cannot_be_looked_at_makes_the_move_uncertain() -> None:
    def reply(_body: Any) -> dict[str, Any]:
        desk.orders["2"] = UpstreamUnavailableError("away")
        return {"results": [{"order_id": "1", "original_folder_id": 10}]}

    desk = FakeSeat(HELD, reply)
    operation = move(desk, "1", "2")
    with pytest.raises(WriteUncertainError) as uncertain:
        await operation.apply(await operation.plan(), no_revision)
    assert uncertain.value.details["order_ids"] == ["1", "2"]


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ({"1": order(1, 20), "2": order(2, "20")}, {"1": "moved", "2": "moved", "3": "unchanged"}),
        ({"1": order(1, 20), "2": order(2, 10)}, None),
        ({"1": order(1, 20), "2": order(2, 30)}, None),
        ({"1": order(1, 20)}, {"1": "moved", "2": "failed", "3": "unchanged"}),
        ({}, None),
    ],
    ids=["all", "one not yet", "one moved on", "one deleted since", "all deleted since"],
)
async def test_an_unknown_outcome_is_known_when_every_order_is_in_the_folder(
    now: dict[str, Any], found: dict[str, str] | None
) -> None:
    plan = await move(FakeSeat(HELD), "1", "2", "3").plan()
    result = await move(FakeSeat(now), "1", "2", "3").look_up(plan)
    assert (None if result is None else statuses(result)) == found


async def test_a_look_up_that_fails_says_nothing() -> None:
    plan = await move(FakeSeat(HELD), "1").plan()
    with pytest.raises(ToolError):
        await move(FakeSeat({"1": UpstreamUnavailableError("away")}), "1").look_up(plan)


@pytest.mark.parametrize(("count", "target"), [(1, "1" * 48), (3, "1" * 48 + " and 2 more")])
def test_a_target_fits_its_column(count: int, target: str) -> None:
    operation = move(FakeSeat({}), *["1" * 64] * count)
    assert operation.target == target
    assert len(operation.target) <= 64
