from typing import Any

import pytest

from server.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    RateLimitError,
    ToolError,
    UpstreamUnavailableError,
)
from server.orderdesk.kinds import ORDER, Reference
from server.orderdesk.remove import Remove
from server.writes.operation import Plan
from server.writes.reversals import RemoveUnchanged
from tests.unit.server.orderdesk.seats import LIMITED, RETRIES, FakeSeat, no_revision

FIRST = {"id": "5", "email": "first@example.com"}
PAID = {**FIRST, "payment_status": "Captured"}
DELETED = {"status": "success", "deleted_id": "5", "message": "Order 5 deleted successfully"}
REFERENCE = Reference(ORDER, ("5",))


def deleted(_body: Any) -> dict[str, Any]:
    return {"status": "success"}


async def test_what_is_deleted_is_kept_as_it_was_last() -> None:
    desk = FakeSeat({"5": FIRST}, deleted)
    operation = Remove(desk.seat, REFERENCE)
    plan = await operation.plan()
    desk.orders["5"] = PAID
    assert await operation.apply(plan, desk.revise) == DELETED
    assert desk.revised == [Plan(PAID, None)]
    assert desk.written == [("DELETE", "/orders/{id}", "5", None)]


async def test_it_is_read_anew_after_each_wait() -> None:
    def reply(_body: Any) -> Any:
        if len(desk.written) == 1:
            desk.orders["5"] = PAID
            return LIMITED
        return deleted(_body)

    desk = FakeSeat({"5": FIRST}, reply)
    operation = Remove(desk.seat, REFERENCE)
    assert await operation.apply(await operation.plan(), desk.revise) == DELETED
    assert desk.revised == [Plan(PAID, None)]


async def test_what_somebody_changed_while_its_deletion_waited_is_not_deleted_by_a_revert() -> None:
    def reply(_body: Any) -> Any:
        desk.orders["5"] = {**FIRST, "email": "second@example.com"}
        return LIMITED

    desk = FakeSeat({"5": FIRST}, reply)
    operation = RemoveUnchanged(desk.seat, REFERENCE, created=FIRST)
    with pytest.raises(ConflictError):
        await operation.apply(await operation.plan(), no_revision)
    assert len(desk.written) == 1


async def test_what_somebody_else_deleted_while_ours_waited_was_not_deleted_by_us() -> None:
    def reply(_body: Any) -> Any:
        del desk.orders["5"]
        return LIMITED

    desk = FakeSeat({"5": FIRST}, reply)
    operation = Remove(desk.seat, REFERENCE)
    with pytest.raises(NotFoundError):
        await operation.apply(await operation.plan(), no_revision)


async def test_a_deletion_that_is_refused_unread_each_time_ends_with_the_reason() -> None:
    desk = FakeSeat({"5": FIRST}, lambda _: LIMITED)
    operation = Remove(desk.seat, REFERENCE)
    with pytest.raises(RateLimitError):
        await operation.apply(await operation.plan(), no_revision)
    assert len(desk.written) == RETRIES + 1


async def test_an_unknown_outcome_is_known_when_it_is_gone() -> None:
    assert await Remove(FakeSeat({}).seat, REFERENCE).look_up(Plan(FIRST, None)) == DELETED
    assert await Remove(FakeSeat({"5": FIRST}).seat, REFERENCE).look_up(Plan(FIRST, None)) is None


@pytest.mark.parametrize("ails", [UpstreamUnavailableError("away"), AuthenticationError("refused")], ids=repr)
async def test_it_is_not_known_to_be_gone_from_a_store_that_does_not_answer(ails: ToolError) -> None:
    desk = FakeSeat({})
    desk.unreachable = ails
    with pytest.raises(type(ails)):
        await Remove(desk.seat, REFERENCE).look_up(Plan(FIRST, None))
