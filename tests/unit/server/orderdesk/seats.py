"""A seat of no real desk: what operations fetch and write is what the test says."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from server.errors import NotFoundError, RateLimitError, ToolError
from server.orderdesk.client import NotAppliedError
from server.orderdesk.desk import Seat
from server.orderdesk.kinds import Kind, Reference
from server.writes.operation import Plan

Answer = dict[str, Any] | Exception

RETRIES = 2
LIMITED = NotAppliedError(RateLimitError("Used up"))


class FakeSeat:
    """Holds orders by id. A write asks `answer`, which may change `orders`; errors that it returns are raised.

    An order's "shipments" are what is listed of it. `unreachable` is what ails the store.
    """

    def __init__(self, orders: Mapping[str, Any], answer: Callable[..., Answer] | None = None) -> None:
        self.orders = dict(orders)
        self.answer = answer
        self.written: list[tuple[Any, ...]] = []
        self.revised: list[Plan] = []
        self.unreachable: ToolError | None = None
        self.desk = SimpleNamespace(retries=RETRIES, now=lambda: "2026-11-23 04:00:00")

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

    async def list(self, kind: Kind, order_id: str) -> dict[str, Any]:
        """The order's shipments."""
        return {"shipments": (await self.fetch(Reference(kind, (order_id,)))).get("shipments", [])}

    async def check(self) -> None:
        """Raise what ails the store."""
        if self.unreachable is not None:
            raise self.unreachable

    async def revise(self, plan: Plan) -> None:
        """Note the plan."""
        self.revised.append(plan)

    async def attempt(self, method: str, endpoint: str, *ids: str, body: Any = None, touches: Any) -> dict[str, Any]:
        """What `answer` says, the write noted."""
        assert touches
        assert self.answer is not None
        self.written.append((method, endpoint, *ids, body))
        answer = self.answer(body)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def no_revision(_plan: Plan) -> None:
    """Some operations never revise their plan."""
    raise AssertionError
