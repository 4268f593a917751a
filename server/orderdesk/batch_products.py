"""Changing many products at once: fetch each, merge, re-check each, PUT them together, an outcome for each."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server.errors import ArgumentsError, ConflictError, NotFoundError, OrderDeskError, ToolError
from server.orderdesk.batch import PLANNED, Outcome, changes, outcomes, summary, target, unshown
from server.orderdesk.client import NotAppliedError
from server.orderdesk.kinds import PRODUCT, Reference
from server.orderdesk.merge import merge, same, shows
from server.orderdesk.operation import StoreOperation
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject

ENDPOINT: Final = "/batch-inventory-items"
NO_PRODUCT: Final = "Inventory Item Not Found"

Found = Mapping[str, "JsonObject | None"]
"""Products by their ids, None where there is no such product."""


@dataclass(frozen=True)
class UpdateProducts(StoreOperation):
    """An operation that changes some fields of many products; `changes` are by product id.

    A product that is not there keeps none of the others back; changes that cannot be made do. As for one product, a
    foreign change is overwritten that falls between the re-checks, which are made together, and OrderDesk's own write.
    """

    changes: Mapping[str, Mapping[str, Any]]

    @property
    def target(self) -> str:
        """The products."""
        return target(list(self.changes))

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """Every product."""
        return tuple((self.seat.store.upstream, reference.lock) for reference in self._references(self.changes))

    async def plan(self) -> Plan:
        """The products now, and with the changes merged in.

        Raises NotFoundError where there is none of them, ArgumentsError that names each change that cannot be made.
        """
        return self._plan(await self._fetch(self.changes))

    def preview(self, plan: Plan) -> dict[str, Any]:
        """What would change in each product, and which could not be updated."""
        told = self._result(plan, {})
        results = [
            {**line, "status": PLANNED, "message": "Would be updated"} if line["status"] == "updated" else line
            for line in told["results"]
        ]
        counts = {name: told[name] for name in ("unchanged", "failed")}
        return {"changes": changes(PRODUCT, plan), "results": results, **counts}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """PUT the products if all are still as they were fetched; else merge anew, a bounded number of times."""
        refused: ToolError | None = None
        for _ in range(self.seat.desk.retries + 1):
            latest = await self._fetch(self.changes)
            if latest == plan.before:
                try:
                    return await self._put(plan)
                except NotAppliedError as error:
                    refused = error.error
                    continue
            plan = self._plan(latest)
            await revise(plan)
            if plan.unchanged is not None:
                return plan.unchanged
        raise refused or ConflictError(
            "The products kept being changed by others; nothing was written.", retries_attempted=self.seat.desk.retries
        )

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if every product that was sent shows its changes."""
        sent = _sent(plan)
        found = await self._fetch(sent)
        return None if self._unshown(found) else self._result(plan, {})

    def _plan(self, found: Found) -> Plan:
        if not any(found.values()):
            raise NotFoundError("None of these products exists.")
        invalid: dict[str, str] = {}
        after = {}
        for number, (product_id, product) in enumerate(found.items()):
            try:
                after[product_id] = product and self._merged(product_id, product)
            except ArgumentsError as error:
                reasons = error.details["invalid_fields"].items()
                invalid |= {f"products.{number}.{name}": reason for name, reason in reasons}
        if invalid:
            message = "; ".join(f"{name} {reason}" for name, reason in invalid.items())
            raise ArgumentsError(message, invalid_fields=invalid)
        plan = Plan(found, after)
        return plan if _sent(plan) else Plan(found, after, self._result(plan, {}))

    def _merged(self, product_id: str, product: JsonObject) -> JsonObject:
        merged = merge(PRODUCT.rules, product, self.changes[product_id], self.seat.desk.now())
        return product if same(PRODUCT.rules, merged, product) else merged

    async def _fetch(self, ids: Sequence[str] | Mapping[str, Any]) -> dict[str, JsonObject | None]:
        """The products as they are now, read together so that little time passes between the first and the PUT."""
        found = await asyncio.gather(*map(self._product, ids), return_exceptions=True)
        products = {}
        for product_id, product in zip(ids, found, strict=True):
            if isinstance(product, BaseException):
                raise product
            products[product_id] = product
        return products

    async def _product(self, product_id: str) -> JsonObject | None:
        try:
            return await self.seat.fetch(Reference(PRODUCT, (product_id,)))
        except NotFoundError:
            return None

    async def _put(self, plan: Plan) -> dict[str, Any]:
        sent = _sent(plan)
        body = [plan.after[product_id] for product_id in sent]
        answer = await self.seat.attempt("PUT", ENDPOINT, body=body, touches=self._references(sent))
        answered = dict(zip(sent, outcomes(answer, "id", sent), strict=True))
        await self._verify([product_id for product_id, outcome in answered.items() if outcome.done])
        result = self._result(plan, answered)
        if not result["updated"]:
            raise OrderDeskError("None of the products was updated: see results.", results=result["results"])
        return result

    async def _verify(self, confirmed: Sequence[str]) -> None:
        """Raise WriteUncertainError unless OrderDesk shows the changes that it says it made."""
        try:
            absent = self._unshown(await self._fetch(confirmed))
        except ToolError:
            absent = list(confirmed)
        if absent:
            raise unshown(absent, product_ids=absent)

    def _unshown(self, found: Found) -> list[str]:
        """The products that do not show their changes; one that is gone shows none."""
        return [
            product_id
            for product_id, product in found.items()
            if product is None or not shows(PRODUCT.rules, product, self.changes[product_id])
        ]

    def _references(self, ids: Sequence[str] | Mapping[str, Any]) -> list[Reference]:
        return [Reference(PRODUCT, (product_id,)) for product_id in ids]

    def _result(self, plan: Plan, answered: Mapping[str, Outcome]) -> dict[str, Any]:
        """What became of each product; one without an outcome in `answered` is taken to show its changes."""
        sent = _sent(plan)
        results = []
        for product_id, product in plan.before.items():
            outcome = answered.get(product_id)
            if product is None:
                status, message = "failed", NO_PRODUCT
            elif product_id not in sent:
                status, message = "unchanged", "Has these values already"
            elif outcome is None or outcome.done:
                status, message = "updated", "Product updated"
            else:
                status, message = "failed", outcome.message or "Refused"
            results.append({"product_id": product_id, "status": status, "message": message})
        counts = {
            status: sum(result["status"] == status for result in results)
            for status in ("updated", "unchanged", "failed")
        }
        return {
            "status": "success",
            "results": results,
            **counts,
            "message": summary(counts, "products"),
        }


def _sent(plan: Plan) -> list[str]:
    """The products that are to be written."""
    return [product_id for product_id, product in plan.after.items() if product != plan.before[product_id]]
