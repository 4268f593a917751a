"""Adding to an order what nothing tells from another like it: an item, an entry of its history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.errors import WriteUncertainError
from server.orderdesk.kinds import ITEM, Reference
from server.orderdesk.merge import differences, shows
from server.orderdesk.operation import StoreOperation, send_renewed
from server.orderdesk.rules import ANYTHING, Rules
from server.orderdesk.sources import list_by_source
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.desk import Seat
    from server.orderdesk.merge import JsonObject

Present = Callable[["Seat", Reference], Awaitable["list[JsonObject] | None"]]
"""What an order holds of that kind now, past the cache; None where OrderDesk does not show it."""

HISTORY = "order_history"


@dataclass(frozen=True)
class Addition:
    """What is added, where, and how it is recognised: `key` tells those that are there apart, well enough to count.

    `member` holds it in OrderDesk's answer, or is None where the answer does not show it; `name` is what results and
    messages call it, `rules` say how OrderDesk shows its fields.
    """

    name: str
    endpoint: str
    member: str | None
    key: str
    present: Present
    rules: Rules


async def _items(seat: Seat, order: Reference) -> list[JsonObject] | None:
    return _records((await seat.fetch(order)).get("order_items"))


async def _history(seat: Seat, order: Reference) -> list[JsonObject] | None:
    """Only lists show the history: that of the order's own source is asked, so that it holds little else."""
    found = await seat.fetch(order)
    if not found.get("source_id"):
        return None
    source = str(found["source_id"]), found.get("source_name")
    for listed in await list_by_source(seat, *source, get_order_history="1"):
        if str(listed.get("id")) == order.id:
            return _records(listed.get(HISTORY))
    return None


NEW_ITEM = Addition("item", ITEM.collection, ITEM.member, "id", _items, ITEM.rules)
HISTORY_ENTRY = Addition("entry", "/orders/{id}/order-history", None, "date_added", _history, ANYTHING)


@dataclass(frozen=True)
class Append(StoreOperation):
    """An operation that adds `body` to an order.

    The plan keeps what was there of the same content, so that after an unknown outcome exactly one more is what was
    sent. (Somebody who adds the same at that moment cannot be told apart.)
    """

    order: Reference
    addition: Addition
    body: JsonObject

    @property
    def target(self) -> str:
        """The order's id."""
        return self.order.target

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """The order."""
        return ((self.seat.store.upstream, self.order.lock),)

    async def plan(self) -> Plan:
        """What is there like it, and the same with it. Raises NotFoundError where the order is not there."""
        alike = await self._alike(self.body)
        before = {"alike": None if alike is None else [str(found.get(self.addition.key)) for found in alike]}
        return Plan(before, {**before, self.addition.name: self.body})

    def preview(self, plan: Plan) -> dict[str, Any]:
        """What would be added to the order."""
        return {"changes": differences(self.order.name, plan.before, plan.after)}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """POST it."""
        return await send_renewed(plan, self.plan, revise, self._send, retries=self.seat.desk.retries)

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """What was added, if exactly one more is there."""
        known = plan.before["alike"]
        alike = await self._alike(plan.after[self.addition.name])
        if known is None or alike is None:
            return None
        known = list(known)
        added = []
        for found in alike:
            key = str(found.get(self.addition.key))
            if key in known:
                known.remove(key)
            else:
                added.append(found)
        return self._result(added[0]) if len(added) == 1 else None

    async def _send(self, plan: Plan) -> dict[str, Any]:
        sent, member = plan.after[self.addition.name], self.addition.member
        body = await self.seat.attempt(
            "POST", self.addition.endpoint, *self.order.ids, body=sent, touches=(self.order,)
        )
        if member is None:
            return self._result(sent)
        if not isinstance(body.get(member), dict):
            raise WriteUncertainError(f"OrderDesk confirmed the {self.addition.name} and did not show it.")
        return self._result(body[member])

    async def _alike(self, sent: JsonObject) -> list[JsonObject] | None:
        present = await self.addition.present(self.seat, self.order)
        return None if present is None else [found for found in present if shows(self.addition.rules, found, sent)]

    def _result(self, added: JsonObject) -> dict[str, Any]:
        name = self.addition.name
        message = f"{name.capitalize()} added to order {self.order.id}"
        return {"status": "success", name: added, "message": message}


def _records(value: object) -> list[JsonObject] | None:
    """The entries of a list. None where OrderDesk shows no list at all."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else None
