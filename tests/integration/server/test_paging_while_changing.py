"""Ten thousand orders listed page by page while others create, change and delete them."""

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any, Self

import httpx
import pytest

from harness.client import Client
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from tests.integration.parts import StartTarget
from tests.integration.server.bench import succeed

ORDERS = 10_000 if os.environ.get("QUARTERMASTER_FULL") else 1_500
PAGE = 100
MOST_PAGES = 2 * ORDERS // PAGE  # a listing that does not end would pass this

pytestmark = pytest.mark.timeout(600)


class Others:
    """Another integration of the same store, which creates, changes and deletes orders all the time."""

    def __init__(self, target: LocalTarget) -> None:
        sandbox = target.sandbox
        headers = {"ORDERDESK-STORE-ID": sandbox.store_id, "ORDERDESK-API-KEY": sandbox.api_key}
        self._http = httpx.Client(base_url=f"{sandbox.base_url}/api/v2", headers=headers, trust_env=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        # How many orders there were, by the sandbox's own clock: enough for what a page may say.
        self.totals: list[int] = [ORDERS]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._http.close()

    def _work(self) -> None:
        listed = self._http.get("/orders", params={"limit": 500, "offset": ORDERS // 2}).json()["orders"]
        victims = (str(order["id"]) for order in listed)
        for number in itertools.count():
            if self._stop.wait(0.005):
                return
            if number % 3 == 0:
                self._http.post("/orders", json=new_order(number))
                self.totals.append(self.totals[-1] + 1)
            elif number % 3 == 1:
                victim = next(victims, None)
                if victim is not None:
                    self.totals.append(self.totals[-1] - 1)  # before it happens: a page may show it at once
                    self._http.delete(f"/orders/{victim}")
            else:
                order = listed[0]
                self._http.put(f"/orders/{listed[-1]['id']}", json={**order, "email": f"changed{number}@example.com"})


def new_order(number: int) -> dict[str, Any]:
    items = [{"name": "Mug", "price": 5, "quantity": 1}]
    return {"source_id": f"other-{number}", "customer": {"last_name": "Other"}, "order_items": items}


def pages(client: Client, others: Others) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Each page with every total that held while it was asked for."""
    offset = 0
    for _ in range(MOST_PAGES):
        since = len(others.totals) - 1
        page = succeed(client, "orders_list", {"limit": PAGE, "offset": offset, "order_by": "id", "order": "ASC"})
        yield page, others.totals[since:]
        if not page["pagination"]["has_more"]:
            return
        offset += page["pagination"]["count"]
    pytest.fail("the listing does not end")


def list_all(client: Client, others: Others) -> list[str]:
    """The ids on all pages, each page's own account of itself checked."""
    listed = []
    for page, totals in pages(client, others):
        pagination = page["pagination"]
        assert pagination["count"] == len(page["orders"])
        assert pagination["total"] in range(min(totals) - 1, max(totals) + 2)
        reached = pagination["offset"] + pagination["count"]
        assert pagination["has_more"] == (pagination["count"] > 0 and reached < pagination["total"])
        listed += [str(order["id"]) for order in page["orders"]]
    return listed


def test_paging_ends_invents_nothing_and_tells_the_truth_about_more(start_target: StartTarget) -> None:
    settings = {"RATE_LIMIT_RPM": "1000000", "CACHE_TTL_ORDERS_SECONDS": "0"}
    target = start_target(settings=settings, orders=ORDERS)
    with (
        SandboxClient(target.sandbox.base_url) as sandbox,
        target.connect("2026-07-28") as client,
    ):
        sandbox.bucket(enabled=False)
        before = sandbox.last_sequence()
        with Others(target) as others:
            listed = list_all(client, others)
        journal = sandbox.journal(before)
    created = {change["id"] for entry in journal for change in entry["changes"] if change["operation"] == "create"}
    deleted = {change["id"] for entry in journal for change in entry["changes"] if change["operation"] == "delete"}
    assert len(created) > 5
    assert len(deleted) > 5
    first = min(int(order_id) for order_id in listed)
    invented = {int(order_id) for order_id in listed if order_id not in created} - set(range(first, first + ORDERS))
    assert not invented
    # Offsets shift when an order before them goes away: so many, and no more, may be missed, and none is seen twice
    # but where one was added before it.
    missed = set(range(first, first + ORDERS)) - {int(order_id) for order_id in listed} - {int(one) for one in deleted}
    assert len(missed) <= len(deleted)
    assert len(listed) - len(set(listed)) <= len(created)
