"""The server with faults of its own, each of whose texts is full of a customer's data."""

import asyncio
import sys
from typing import Any

from server.cli import main
from server.orderdesk.change import Change
from server.orderdesk.desk import Seat
from server.orderdesk.kinds import Reference
from server.tools.registry import Registry
from server.webhooks import Webhooks
from server.writes.operation import Plan, Revise


async def lose(value: Any) -> None:
    raise ValueError(f"nobody waits for {value}")


async def fetch(self: Seat, reference: Reference) -> Any:
    found = await real_fetch(self, reference)
    task = asyncio.create_task(lose(found))
    await asyncio.wait({task})
    if self.call.tool == "orders_get":
        raise RuntimeError(f"cannot read {found}") from KeyError(found["email"])
    return found


async def apply(_self: Change, plan: Plan, _revise: Revise) -> dict[str, Any]:
    raise RuntimeError(f"cannot write {plan.before} as {plan.after}")


async def receive(_self: Webhooks, delivery: Any) -> str:
    raise LookupError(delivery)


async def call(self: Registry, caller: Any, name: str, arguments: Any, request_id: str) -> Any:
    if name == "orders_list":
        raise RuntimeError(f"cannot list {arguments}")
    return await real_call(self, caller, name, arguments, request_id)


real_fetch, real_call = Seat.fetch, Registry.call
Seat.fetch = fetch  # type: ignore[method-assign]
Change.apply = apply  # type: ignore[method-assign, assignment]
Webhooks.receive = receive  # type: ignore[method-assign, assignment]
Registry.call = call  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
