"""Many clients that write the same few orders, each its own key in each: what they were told, held against the journal.

A client's values only grow, so a key that ever goes back to an older one shows a write that was lost.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integration.server.bench import Bench, Shop

Outcome = tuple[str, str, int]
"""An order, a client's key in it, and a value."""

STARVED_SECONDS = 900.0


@dataclass
class Told:
    """What clients were told of each value they wrote. `waits` holds the seconds until each acknowledgement."""

    acknowledged: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    uncertain: list[Outcome] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    by_client: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.acknowledged)


@dataclass(frozen=True)
class Crowd:
    """Clients of one shop, and the orders that they write."""

    bench: Bench
    shop: Shop
    orders: Sequence[str]
    clients: int
    seed: int = 1
    first: int = 0  # the number of the first client

    @property
    def names(self) -> list[str]:
        return [f"c{number}" for number in range(self.first, self.first + self.clients)]

    async def write(self, told: Told, *, acknowledgements: int, each: int = 0) -> None:
        """Write until so many writes were acknowledged in all, and at least `each` by every client.

        A server that goes away ends it early.
        """
        numbers = itertools.count(len(told.acknowledged) + len(told.failed) + len(told.uncertain) + 1)
        done = asyncio.Event()

        def enough() -> bool:
            return len(told) >= acknowledgements and all(told.by_client[name] >= each for name in self.names)

        async def client(name: str, http: httpx.AsyncClient) -> None:
            rng = random.Random(f"{self.seed}/{name}")
            while not done.is_set():
                order_id, value = rng.choice(self.orders), next(numbers)
                if not await self._one(http, told, (order_id, name, value)):
                    return
                if enough():
                    done.set()

        limits = httpx.Limits(max_connections=self.clients, max_keepalive_connections=self.clients)
        async with httpx.AsyncClient(trust_env=False, timeout=60.0, limits=limits) as http:
            async with asyncio.timeout(STARVED_SECONDS):
                await asyncio.gather(*(client(name, http) for name in self.names))

    async def _one(self, http: httpx.AsyncClient, told: Told, outcome: Outcome) -> bool:
        """Write one value; returns whether the server is still there."""
        order_id, name, value = outcome
        loop = asyncio.get_running_loop()
        began = loop.time()
        arguments = {
            "order_id": order_id,
            "changes": {"order_metadata": {name: str(value)}},
            "idempotency_key": f"{name}-{value}",
        }
        try:
            answer = await self._call(http, arguments)
        except httpx.TransportError:
            told.uncertain.append(outcome)
            return False
        error = answer.get("error")
        if error is None:
            told.acknowledged.append(outcome)
            told.by_client[name] += 1
            told.waits.append(loop.time() - began)
            return True
        told.codes[error["code"]] += 1
        (told.uncertain if error["code"] == "WRITE_UNCERTAIN" else told.failed).append(outcome)
        await asyncio.sleep(min(error["details"].get("retry_after_seconds", 0), 5))
        return True

    async def _call(self, http: httpx.AsyncClient, arguments: Mapping[str, Any]) -> dict[str, Any]:
        response = await http.post(
            self.bench.url,
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "orders_update", "arguments": arguments},
            },
            headers={"Authorization": f"Bearer {self.shop.tenant.key}"},
        )
        found: dict[str, Any] = response.json()["result"]["structuredContent"]
        return found


def applied(journal: Sequence[Mapping[str, Any]], orders: Sequence[str]) -> list[Outcome]:
    """Every value that a client's key took at the upstream, in order; 0 where the key went away."""
    taken = []
    for entry in journal:
        if entry["kind"] != "request" or entry["order_id"] not in orders:
            continue
        for change in entry["changes"]:
            before, after = (_keys(change["fields"].get("order_metadata"), which) for which in ("before", "after"))
            for name in {**before, **after}:
                if name[:1] == "c" and name[1:].isdigit() and before.get(name) != after.get(name):
                    taken += [(str(entry["order_id"]), name, int(after.get(name, 0)))]
    return taken


def _keys(field: Mapping[str, Any] | None, which: str) -> dict[str, Any]:
    value = (field or {}).get(which)
    return value if isinstance(value, dict) else {}


def verify(told: Told, taken: Sequence[Outcome]) -> None:
    """Assert that the journal bears out what the clients were told."""
    times = Counter(taken)
    doubled = {outcome: count for outcome, count in times.items() if count > 1}
    assert not doubled, f"written more than once, or lost and written back: {doubled}"
    missing = [outcome for outcome in told.acknowledged if outcome not in times]
    assert not missing, f"acknowledged and never written: {missing}"
    wrong = [outcome for outcome in told.failed if outcome in times]
    assert not wrong, f"reported as failed and written: {wrong}"
    asked = {*told.acknowledged, *told.failed, *told.uncertain}
    assert not set(taken) - asked, f"written by nobody: {set(taken) - asked}"
    newest: dict[tuple[str, str], int] = {}
    for order_id, name, value in taken:
        assert value > newest.get((order_id, name), 0), f"order {order_id}: {name} went back to {value}"
        newest[order_id, name] = value
