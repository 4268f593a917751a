"""A seat of no real desk: what operations fetch and write is what the test says."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from server.errors import NotFoundError, ToolError
from server.orderdesk.desk import Seat
from server.orderdesk.kinds import Reference
from server.writes.operation import Plan

Answer = dict[str, Any] | ToolError


class FakeSeat:
    """Holds orders by id. A write asks `answer`, which may change `orders`; errors that it returns are raised."""

    def __init__(self, orders: Mapping[str, Any], answer: Callable[..., Answer] | None = None) -> None:
        self.orders = dict(orders)
        self.answer = answer
        self.written: list[tuple[Any, ...]] = []

    @property
    def seat(self) -> Seat:
        """Itself, as operations know it."""
        return cast("Seat", self)

    async def fetch(self, reference: Reference) -> dict[str, Any]:
        """The order. One that is an error is raised."""
        found = self.orders.get(reference.id, NotFoundError("Order Not Found"))
        if isinstance(found, ToolError):
            raise found
        return dict(found)

    async def write(self, method: str, endpoint: str, *ids: str, body: Any = None, touches: Any) -> dict[str, Any]:
        """What `answer` says, the write noted."""
        assert touches
        assert self.answer is not None
        self.written.append((method, endpoint, *ids, body))
        answer = self.answer(body)
        if isinstance(answer, ToolError):
            raise answer
        return answer


async def no_revision(_plan: Plan) -> None:
    """Some operations never revise their plan."""
    raise AssertionError
