from typing import Any

import pytest

from server.errors import ConflictError, OrderDeskError, ToolError, UpstreamUnavailableError, WriteUncertainError
from server.orderdesk.create import Create, Find
from server.orderdesk.kinds import ORDER
from tests.unit.server.orderdesk.seats import LIMITED, FakeSeat, no_revision

BODY = {"source_id": "7"}


def finding(*answers: Any) -> Find:
    """Answers in turn, the last for ever."""
    left = list(answers)

    async def find(_seat: Any, body: dict[str, Any]) -> dict[str, Any] | None:
        assert body == BODY
        answer: Any = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, ToolError):
            raise answer
        found: dict[str, Any] | None = answer
        return found

    return find


def creating(answer: Any, find: Find | None) -> Create:
    desk = FakeSeat({}, lambda _: answer)
    return Create(desk.seat, ORDER, (), BODY, find, ("orders", "7"), "7", traces={"source_id": "7"})


async def outcome(answer: Any, find: Find | None) -> dict[str, Any]:
    operation = creating(answer, find)
    return await operation.apply(await operation.plan(), no_revision)


async def test_what_is_there_already_is_a_conflict_before_anything_is_sent() -> None:
    with pytest.raises(ConflictError) as refused:
        await creating(None, finding({"id": 12})).plan()
    assert refused.value.details == {"existing_id": "12"}


async def test_the_created_object_is_the_one_that_orderdesk_shows() -> None:
    result = await outcome({"order": {"id": "12"}}, finding(None))
    assert result == {"status": "success", "order": {"id": "12"}, "message": "Order 12 created successfully"}


@pytest.mark.parametrize("answer", [{"status": "success"}, {"order": []}, {"order": None}])
async def test_a_confirmation_without_the_object_is_uncertain_and_says_what_to_look_for(answer: dict[str, Any]) -> None:
    with pytest.raises(WriteUncertainError) as uncertain:
        await outcome(answer, finding(None))
    assert uncertain.value.details["source_id"] == "7"


async def test_a_refusal_is_a_conflict_when_somebody_created_the_same_meanwhile() -> None:
    with pytest.raises(ConflictError) as refused:
        await outcome(OrderDeskError("No"), finding(None, {"id": "12"}))
    assert refused.value.details["existing_id"] == "12"


async def test_what_somebody_created_while_ours_waited_is_a_conflict() -> None:
    with pytest.raises(ConflictError) as refused:
        await outcome(LIMITED, finding(None, {"id": "12"}))
    assert refused.value.details["existing_id"] == "12"


@pytest.mark.parametrize(
    ("message", "existing"),
    [
        ("Order already exists: 4711", "4711"),
        ("Duplicate order of source 7 (id 4711).", "4711"),
        ("This order already exists", None),
    ],
)
@pytest.mark.parametrize("find", [None, finding(None)], ids=["without a look-up", "that finds none"])
async def test_a_refusal_that_speaks_of_a_duplicate_is_a_conflict(
    message: str, existing: str | None, find: Find | None
) -> None:
    with pytest.raises(ConflictError) as refused:
        await outcome(OrderDeskError(message), find)
    assert refused.value.details["existing_id"] == existing


@pytest.mark.parametrize("second", [None, UpstreamUnavailableError("away")], ids=["found none", "could not look"])
async def test_any_other_refusal_stays_what_it_is(second: Any) -> None:
    with pytest.raises(OrderDeskError, match="Locked"):
        await outcome(OrderDeskError("Locked"), finding(None, second))


async def test_without_a_look_up_an_unknown_outcome_stays_unknown() -> None:
    operation = creating(None, None)
    assert await operation.look_up(await operation.plan()) is None
