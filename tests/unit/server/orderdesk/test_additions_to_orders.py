from typing import Any

import pytest

from server.errors import WriteUncertainError
from server.orderdesk.append import NEW_ITEM, Append
from server.orderdesk.kinds import ORDER, Reference
from server.writes.operation import Plan
from tests.unit.server.orderdesk.seats import LIMITED, FakeSeat, no_revision

TRAY = {"name": "Oak Tray", "quantity": 2}


def held(**items: dict[str, Any]) -> dict[str, Any]:
    return {"5": {"id": "5", "order_items": [{"id": key, "weight": 0, **item} for key, item in items.items()]}}


def adding(desk: FakeSeat) -> Append:
    return Append(desk.seat, Reference(ORDER, ("5",)), NEW_ITEM, TRAY)


async def test_a_plan_keeps_which_items_alike_are_there_already() -> None:
    plan = await adding(FakeSeat(held(a=TRAY, b={"name": "Mug"}))).plan()
    assert plan == Plan({"alike": ["a"]}, {"alike": ["a"], "item": TRAY})


@pytest.mark.parametrize(
    ("now", "found"),
    [
        pytest.param(held(a=TRAY), None, id="nothing came"),
        pytest.param(held(a=TRAY, b=TRAY), "b", id="one came"),
        pytest.param(held(b=TRAY), "b", id="one came and the other went"),
        pytest.param(held(a=TRAY, b={"name": "Mug"}), None, id="another came"),
        pytest.param(held(a=TRAY, b={**TRAY, "quantity": "2.0"}), "b", id="one came, written in OrderDesk's way"),
        pytest.param(held(a=TRAY, b=TRAY, c=TRAY), None, id="two came: either may be somebody else's"),
    ],
)
async def test_an_unknown_outcome_is_known_when_exactly_one_more_is_there(
    now: dict[str, Any], found: str | None
) -> None:
    plan = await adding(FakeSeat(held(a=TRAY))).plan()
    result = await adding(FakeSeat(now)).look_up(plan)
    assert (result and result["item"]["id"]) == found


async def test_where_orderdesk_did_not_show_what_was_there_an_unknown_outcome_stays_unknown() -> None:
    assert await adding(FakeSeat(held(a=TRAY))).look_up(Plan({"alike": None}, {"alike": None, "item": TRAY})) is None


async def test_a_confirmation_that_does_not_show_the_item_is_uncertain() -> None:
    desk = FakeSeat(held(), lambda _: {"status": "success"})
    with pytest.raises(WriteUncertainError):
        await adding(desk).apply(await adding(desk).plan(), no_revision)
    assert desk.written == [("POST", "/orders/{id}/order-items", "5", TRAY)]


async def test_what_somebody_added_while_ours_waited_is_not_taken_for_ours() -> None:
    def reply(_body: Any) -> Any:
        if len(desk.written) == 1:
            desk.orders |= held(a=TRAY, b=TRAY)
            return LIMITED
        return WriteUncertainError("lost")

    desk = FakeSeat(held(a=TRAY), reply)
    operation = adding(desk)
    with pytest.raises(WriteUncertainError):
        await operation.apply(await operation.plan(), desk.revise)
    (plan,) = desk.revised
    assert plan.before == {"alike": ["a", "b"]}
    assert await operation.look_up(plan) is None


async def test_an_item_whose_code_only_reads_as_the_same_number_is_another() -> None:
    tray = {**TRAY, "code": "1.0"}
    append = Append(FakeSeat(held(a={**TRAY, "code": "1"})).seat, Reference(ORDER, ("5",)), NEW_ITEM, tray)
    assert (await append.plan()).before == {"alike": []}
