"""`python -m server writes`: what an operator sees of clients' writes, and takes back."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from harness.client import Client
from harness.repository import REPOSITORY
from harness.sandbox.faults import ConnectionReset, ErrorInside200, Latency, LostResponse, Match
from tests.integration.server.bench import Bench, Shop, fail, only, succeed
from tests.integration.server.operating import wait_until

ROUND = 100 if os.environ.get("QUARTERMASTER_FULL") else 15  # as many orders as a shop has


@pytest.fixture
def reader(bench: Bench, shop: Shop) -> Iterator[Client]:
    with bench.connect(shop.tenant) as client:
        yield client


def writes(bench: Bench, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "server", "writes", *arguments)
    return subprocess.run(
        command, env=dict(bench.environment), cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def revert(bench: Bench, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = writes(bench, "revert", "--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    outcomes: list[dict[str, Any]] = json.loads(done.stdout)["outcomes"]
    return outcomes


def without_date(order: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in order.items() if name != "date_updated"}


def mixed_changes(number: int) -> dict[str, Any]:
    changes: list[dict[str, Any]] = [
        {"shipping": {"city": "Leeds", "address2": None}, "email": "new@example.com"},
        {"order_notes": ["Call first", {"content": "Fragile", "username": "Ada"}]},
        {"order_metadata": {"gift": "yes"}, "shipping_total": 12.5},
        {"checkout_data": {"Gift message": "Hello"}, "payment_status": "Captured"},
    ]
    return changes[number % len(changes)]


def test_every_changed_order_is_restored_to_its_before_image(bench: Bench) -> None:
    restored = 0
    while restored < ROUND:
        shop = bench.open_shop()
        before = {order_id: bench.upstream.order(shop.account, order_id) for order_id in shop.orders}
        with bench.connect(shop.tenant) as client:
            for number, order_id in enumerate(shop.orders):
                succeed(client, "orders_update", {"order_id": order_id, "changes": mixed_changes(number)})
                changed = without_date(bench.upstream.order(shop.account, order_id))
                assert changed != without_date(before[order_id])
        outcomes = revert(bench, "--tenant", shop.tenant.name, "--since", "1h", "--tool", "orders_update")
        assert [outcome["reverted"] for outcome in outcomes] == [True] * len(shop.orders)
        for order_id, order in before.items():
            assert without_date(bench.upstream.order(shop.account, order_id)) == without_date(order)
        restored += len(outcomes)


def test_what_others_changed_since_is_kept_and_what_stands_in_the_way_is_named(
    bench: Bench, shop: Shop, reader: Client
) -> None:
    beside, across = shop.orders[:2]
    for order_id in (beside, across):
        succeed(reader, "orders_update", {"order_id": order_id, "changes": {"shipping": {"city": "Leeds"}}})
    for order_id, address in ((beside, {"address1": "9 New Road"}), (across, {"city": "York"})):
        order = bench.upstream.order(shop.account, order_id)
        foreign = {**order, "shipping": {**order["shipping"], **address}}
        bench.upstream.request(shop.account, "PUT", f"/orders/{order_id}", foreign)
    city = bench.upstream.order(shop.account, across)["shipping"]["city"]
    outcomes = {outcome["target"]: outcome for outcome in revert(bench, *ids(bench, shop), code=1)}
    assert outcomes[beside]["reverted"]
    after = bench.upstream.order(shop.account, beside)["shipping"]
    assert (after["address1"], after["city"] != "Leeds") == ("9 New Road", True)
    assert not outcomes[across]["reverted"]
    assert "shipping.city was changed since" in outcomes[across]["why"]
    assert bench.upstream.order(shop.account, across)["shipping"]["city"] == city == "York"


def ids(bench: Bench, shop: Shop) -> list[str]:
    """The shop's writes to OrderDesk, oldest first."""
    rows = bench.query(
        "SELECT id FROM writes WHERE tenant_id = ? AND tool NOT LIKE 'stores%' ORDER BY created_at", shop.tenant.id
    )
    return [str(write_id) for (write_id,) in rows]


def test_a_write_is_reverted_once(bench: Bench, shop: Shop, reader: Client) -> None:
    succeed(reader, "orders_update", {"order_id": shop.orders[0], "changes": {"email": "new@example.com"}})
    (write_id,) = ids(bench, shop)
    (row,) = revert(bench, write_id)
    assert row["reverted"]
    (by,) = bench.query("SELECT id FROM writes WHERE reverts = ?", write_id)
    since = bench.upstream.control.last_sequence()
    for again in ((write_id,), (write_id, "--dry-run"), ("--tenant", shop.tenant.id, "--since", "1h")):
        (outcome,) = revert(bench, *again)
        assert (outcome["reverted"], outcome["reverted_by"]) == (False, list(by))
    assert bench.upstream.applied(shop.account, since) == []
    told = writes(bench, "revert", write_id).stdout.splitlines()
    first = f"[1/1] {write_id} orders_update {shop.orders[0]}: reverted already, by {by[0]}"
    assert told == [first, "0 reverted, 1 reverted already, 0 not"]


def test_a_dry_run_over_several_writes_to_one_object_tells_what_the_run_then_does(
    bench: Bench, shop: Shop, reader: Client
) -> None:
    order_id, other = shop.orders[:2]
    email = bench.upstream.order(shop.account, order_id)["email"]
    for address in ("b@example.com", "c@example.com", "d@example.com"):
        succeed(reader, "orders_update", {"order_id": order_id, "changes": {"email": address}})
    for address in ("b@example.com", "c@example.com"):
        succeed(reader, "orders_update", {"order_id": other, "changes": {"email": address}})
    order = {**bench.upstream.order(shop.account, other), "email": "foreign@example.com"}
    bench.upstream.request(shop.account, "PUT", f"/orders/{other}", order)
    chosen = ("--tenant", shop.tenant.name, "--since", "1h")
    foreseen = revert(bench, "--dry-run", *chosen, code=1)
    changes = [change for each in foreseen[2:] for result in each["results"] for change in result["changes"]]
    addresses = [(change["before"], change["after"]) for change in changes if change["field"] == "email"]
    assert addresses == [
        ("d@example.com", "c@example.com"),
        ("c@example.com", "b@example.com"),
        ("b@example.com", email),
    ]
    happened = revert(bench, *chosen, code=1)
    whys = [[each.get("why") for each in outcomes] for outcomes in (foreseen, happened)]
    assert whys[0] == whys[1]
    assert [why is None for why in whys[0]] == [False, False, True, True, True]
    assert bench.upstream.order(shop.account, order_id)["email"] == email


def test_a_dry_run_tells_what_would_change_and_leaves_the_brakes_as_they_are(
    bench: Bench, shop: Shop, reader: Client
) -> None:
    order_id = shop.orders[0]
    email = bench.upstream.order(shop.account, order_id)["email"]
    succeed(reader, "orders_update", {"order_id": order_id, "changes": {"email": "new@example.com"}})
    since = bench.upstream.control.last_sequence()
    done = writes(bench, "revert", "--dry-run", *ids(bench, shop))
    assert done.returncode == 0
    assert f'Order {order_id}, email: "new@example.com" -> "{email}"' in done.stdout
    assert bench.upstream.applied(shop.account, since) == []
    assert bench.query("SELECT * FROM audit WHERE tool LIKE 'brake.%' AND tenant_id = ?", shop.tenant.id) == []
    succeed(reader, "orders_update", {"order_id": order_id, "changes": {"email": "newer@example.com"}})


def test_created_moved_and_added_things_are_taken_back(bench: Bench, shop: Shop, reader: Client) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    folders = succeed(reader, "stores_folders")["folders"]
    elsewhere = next(folder["id"] for folder in folders if str(folder["id"]) != str(before["folder_id"]))
    data = {"customer": {"last_name": "New"}, "order_items": [{"name": "Mug", "price": 5, "quantity": 1}]}
    created = succeed(reader, "orders_create", {"order_data": data})["order"]["id"]
    succeed(reader, "orders_move", {"order_ids": [order_id], "destination_folder_id": elsewhere})
    succeed(reader, "order_items_add", {"order_id": order_id, "name": "Cup", "price": 3, "quantity": 2})
    succeed(reader, "shipments_add", {"order_id": order_id, "tracking_number": "T-1"})
    product = succeed(reader, "products_list", {"limit": 1})["products"][0]
    succeed(reader, "products_adjust_stock", {"product_id": str(product["id"]), "by": 3})
    succeed(reader, "orders_update", {"order_id": created, "changes": {"email": "new@example.com"}})
    added = succeed(reader, "order_items_add", {"order_id": created, "name": "Cup", "price": 3, "quantity": 2})
    item = {"order_id": created, "item_id": str(added["item"]["id"]), "changes": {"quantity": 1}}
    succeed(reader, "order_items_update", item)
    succeed(reader, "shipments_add", {"order_id": created, "tracking_number": "T-2"})
    since = bench.upstream.control.last_sequence()
    foreseen = writes(bench, "revert", "--dry-run", "--tenant", shop.tenant.id, "--since", "1h")
    assert foreseen.returncode == 0, foreseen.stdout
    assert f"    Order {created}: deleted\n" in foreseen.stdout
    assert (
        f"    Order {order_id}, folder_id: {elsewhere} -> {before['folder_id']}\n    (the folder's" in foreseen.stdout
    )
    assert foreseen.stdout.endswith("9 could be reverted, 0 reverted already, 0 not\n")
    assert bench.upstream.applied(shop.account, since) == []
    outcomes = revert(bench, "--tenant", shop.tenant.id, "--since", "1h")
    assert [outcome["reverted"] for outcome in outcomes] == [True] * 9, outcomes
    assert without_date(bench.upstream.order(shop.account, order_id)) == without_date(before)
    gone = bench.upstream.http.get(
        f"{bench.upstream.api_url}/orders/{created}",
        headers={"ORDERDESK-STORE-ID": shop.account.store_id, "ORDERDESK-API-KEY": shop.account.api_key},
    )
    assert gone.status_code == 404
    assert succeed(reader, "products_get", {"product_id": str(product["id"])})["product"]["stock"] == product["stock"]


def test_a_deleted_order_is_not_restored_and_its_before_image_is_shown(
    bench: Bench, shop: Shop, reader: Client
) -> None:
    order_id = shop.orders[-1]
    before = bench.upstream.order(shop.account, order_id)
    succeed(reader, "orders_delete", {"order_id": order_id})
    (write_id,) = ids(bench, shop)
    (outcome,) = revert(bench, write_id, code=1)
    assert "under another id" in outcome["why"]
    shown = json.loads(writes(bench, "show", write_id).stdout)
    assert shown["plan"]["before"] == before


def test_an_unknown_outcome_is_listed_looked_up_and_settled(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    happened, lost = shop.orders[:2]
    faults(ConnectionReset(count=1, match=only(shop, "PUT")))
    error = fail(reader, "orders_update", {"order_id": lost, "changes": {"email": "lost@example.com"}})
    write_id = error["details"]["write_id"]
    listed = writes(bench, "uncertain", "--tenant", shop.tenant.id)
    assert listed.returncode == 1
    assert write_id in listed.stdout
    looked_up = writes(bench, "uncertain", "--look-up", "--tenant", shop.tenant.id)
    assert (looked_up.returncode, f"{write_id}: OrderDesk does not show it" in looked_up.stderr) == (1, True)
    order = {**bench.upstream.order(shop.account, lost), "email": "lost@example.com"}
    bench.upstream.request(shop.account, "PUT", f"/orders/{lost}", order)  # it arrives late
    found = writes(bench, "uncertain", "--look-up", "--tenant", shop.tenant.id)
    assert (found.returncode, f"{write_id}: it happened" in found.stderr) == (0, True)
    faults(LostResponse(count=1, match=only(shop, "PUT")))
    succeed(reader, "orders_update", {"order_id": happened, "changes": {"email": "found@example.com"}})
    assert writes(bench, "uncertain", "--tenant", shop.tenant.id).returncode == 0


def test_an_operator_settles_what_only_a_person_can_tell(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    faults(ConnectionReset(count=1, match=only(shop, "PUT")))
    asked = {"order_id": shop.orders[0], "changes": {"email": "lost@example.com"}, "idempotency_key": "k"}
    write_id = fail(reader, "orders_update", asked)["details"]["write_id"]
    settled = writes(bench, "settle", write_id, "failed")
    assert (settled.returncode, settled.stdout) == (0, f"{write_id} is failed now\n")
    assert writes(bench, "settle", write_id, "done").returncode == 1
    audited = bench.query("SELECT key_id FROM audit WHERE tool = 'writes.settle' AND target = ?", write_id)
    assert audited == [("operator",)]
    assert "replayed" not in succeed(reader, "orders_update", asked)


def test_a_revert_that_stopped_half_way_is_completed_by_the_same_run_again(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    products = [str(product["id"]) for product in succeed(reader, "products_list", {"limit": 2})["products"]]
    before = [located(bench, shop, product_id) for product_id in products]
    changes = [{"product_id": product_id, "changes": {"location": "X"}} for product_id in products]
    write_id = succeed(reader, "products_batch_update", {"products": changes})["write_id"]
    path = f"/inventory-items/{products[1]}"
    faults(ErrorInside200(match=Match(method="PUT", path_prefix=path, store_id=shop.account.store_id)))
    (outcome,) = revert(bench, write_id, code=1)
    assert outcome["why"].startswith("partly: 1 of 2; ")
    assert [located(bench, shop, product_id) for product_id in products] == [before[0], "X"]
    bench.upstream.control.clear_faults()
    assert revert(bench, write_id)[0]["reverted"]
    assert [located(bench, shop, product_id) for product_id in products] == before
    assert len(revert(bench, write_id)[0]["reverted_by"]) == 2


def located(bench: Bench, shop: Shop, product_id: str) -> str:
    product = bench.upstream.request(shop.account, "GET", f"/inventory-items/{product_id}")
    return str(product["inventory_item"]["location"])


def test_a_revert_whose_outcome_is_not_known_is_looked_up_and_completed(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    email = bench.upstream.order(shop.account, order_id)["email"]
    changes = {"order_id": order_id, "changes": {"email": "new@example.com"}}
    write_id = succeed(reader, "orders_update", changes)["write_id"]
    faults(ConnectionReset(count=1, match=only(shop, "PUT")))
    assert not revert(bench, write_id, code=1)[0]["reverted"]
    (row,) = bench.query("SELECT id, state FROM writes WHERE reverts = ?", write_id)
    assert row[1] == "uncertain"
    looked_up = writes(bench, "uncertain", "--look-up", "--tenant", shop.tenant.id)
    assert f"{row[0]}: OrderDesk does not show it" in looked_up.stderr
    assert "Traceback" not in looked_up.stderr
    assert revert(bench, write_id)[0]["reverted"]
    assert bench.upstream.order(shop.account, order_id)["email"] == email
    assert writes(bench, "uncertain", "--tenant", shop.tenant.id).returncode == 0


def test_a_killed_revert_is_completed_and_its_pause_released_by_the_next(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    orders = shop.orders[:4]
    before = [bench.upstream.order(shop.account, order_id)["email"] for order_id in orders]
    asked = [{"order_id": order_id, "changes": {"email": "new@example.com"}} for order_id in orders]
    write_ids = [succeed(reader, "orders_update", each)["write_id"] for each in asked]
    since = bench.upstream.control.last_sequence()
    faults(Latency(milliseconds=900, match=only(shop, "PUT")))
    command = (sys.executable, "-m", "server", "writes", "revert", *write_ids)
    with subprocess.Popen(
        command, env=dict(bench.environment), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not intents(bench, shop) or not bench.upstream.calls(shop.account, since, "PUT"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert [kind for (kind,) in paused(bench, shop)] == ["revert"]
    assert fail(reader, "orders_update", asked[0])["code"] == "READ_ONLY"
    bench.upstream.control.clear_faults()
    assert "Traceback" not in writes(bench, "revert", *write_ids).stderr
    assert [bench.upstream.order(shop.account, order_id)["email"] for order_id in orders] == before
    assert paused(bench, shop) == []
    succeed(reader, "orders_update", asked[0])


def intents(bench: Bench, shop: Shop) -> list[tuple[Any, ...]]:
    query = "SELECT id FROM writes WHERE tenant_id = ? AND tool = 'writes_revert' AND state = 'intent'"
    return bench.query(query, shop.tenant.id)


def paused(bench: Bench, shop: Shop) -> list[tuple[Any, ...]]:
    query = "SELECT kind FROM brakes JOIN stores ON stores.id = brakes.subject WHERE tenant_id = ?"
    return bench.query(query, shop.tenant.id)


def posts(shop: Shop) -> Match:
    return Match(method="POST", store_id=shop.account.store_id)


def test_what_was_settled_by_hand_is_answered_without_its_result_and_not_reverted(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    folder = str(bench.upstream.order(shop.account, order_id)["folder_id"])
    folders = [str(each["id"]) for each in succeed(reader, "stores_folders")["folders"]]
    elsewhere = next(each for each in folders if each != folder)
    faults(ConnectionReset(count=1, match=posts(shop)))
    asked = {"order_ids": [order_id], "destination_folder_id": elsewhere, "idempotency_key": "k"}
    write_id = fail(reader, "orders_move", asked)["details"]["write_id"]
    assert writes(bench, "settle", write_id, "done").returncode == 0
    audited = bench.query("SELECT status, error_code FROM audit WHERE write_id = ?", write_id)
    assert audited == [("success", None)]
    replayed = succeed(reader, "orders_move", asked)
    assert replayed.pop("message")
    assert replayed == {"status": "success", "write_id": write_id, "replayed": True}
    (outcome,) = revert(bench, write_id, code=1)
    assert "its result was not seen" in outcome["why"]


def test_a_write_that_is_under_way_is_neither_settled_nor_looked_up(bench: Bench, shop: Shop, reader: Client) -> None:
    added = succeed(reader, "order_items_add", {"order_id": shop.orders[0], "name": "Cup", "price": 3, "quantity": 1})
    write_id = added["write_id"]
    with contextlib.closing(sqlite3.connect(bench.database)) as connection, connection:
        # As if the write had only begun, and would not end before the commands have.
        late = "UPDATE writes SET state = 'intent', settled_at = NULL, created_at = created_at + 600000 WHERE id = ?"
        connection.execute(late, (write_id,))
    settled = writes(bench, "settle", write_id, "failed")
    assert (settled.returncode, "may still be under way" in settled.stderr) == (1, True)
    looked_up = writes(bench, "uncertain", "--look-up", "--tenant", shop.tenant.id)
    assert (looked_up.returncode, f"{write_id}: it may still be under way" in looked_up.stderr) == (1, True)
    assert bench.query("SELECT state FROM writes WHERE id = ?", write_id) == [("intent",)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "w_unknown"), "there is no write w_unknown"),
        (("settle", "w_unknown", "done"), "there is no write w_unknown"),
        (("revert", "w_unknown"), "there is no write w_unknown"),
        (("list", "--tenant", "nobody"), "no tenant"),
        (("list", "--store", "nowhere"), "no store of any tenant has the OrderDesk id, label or name 'nowhere'"),
        (("revert", "--store", "nowhere", "--since", "1h"), "no store of any tenant"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], said: str, bench: Bench) -> None:
    done = writes(bench, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--since", "yesterday"), "90d, 24h, 15m or 30s"),
        (("revert",), "name the writes by id, or by --since"),
        (("revert", "--since", "1h"), "together with --tenant or --store"),
        (("revert", "w_unknown", "--since", "1h"), "not both"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_apart(arguments: tuple[str, ...], said: str, bench: Bench) -> None:
    done = writes(bench, *arguments)
    assert (done.returncode, said in done.stderr, done.stdout) == (2, True, "")


def test_a_revert_by_filter_says_of_each_write_that_may_have_happened_why_it_is_left(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    first, second = shop.orders[:2]
    before = bench.upstream.order(shop.account, first)
    succeed(reader, "orders_update", {"order_id": first, "changes": {"email": "new@example.com"}})
    faults(ConnectionReset(count=1, match=only(shop, "PUT")))
    error = fail(reader, "orders_update", {"order_id": second, "changes": {"email": "lost@example.com"}})
    chosen = ("--tenant", shop.tenant.id, "--since", "1h")
    for more in (("--dry-run",), ()):
        uncertain, done = revert(bench, *chosen, *more, code=1)
        assert (uncertain["id"], uncertain["reverted"]) == (error["details"]["write_id"], False)
        assert "its outcome is not known" in uncertain["why"]
        assert "why" not in done
    assert without_date(bench.upstream.order(shop.account, first)) == without_date(before)


def test_a_revert_by_filter_says_of_the_first_release_s_writes_that_they_have_no_before_image(
    bench: Bench, shop: Shop, reader: Client
) -> None:
    first, second = (
        succeed(reader, "orders_update", {"order_id": order_id, "changes": {"email": "new@example.com"}})["write_id"]
        for order_id in shop.orders[:2]
    )
    with contextlib.closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE writes SET sealed_plan = NULL, process = NULL WHERE id = ?", (first,))
    for more in (("--dry-run",), ()):
        after, kept_none = revert(bench, "--tenant", shop.tenant.id, "--since", "1h", *more, code=1)
        assert (after["id"], "why" in after) == (second, False)
        assert (kept_none["id"], kept_none["reverted"]) == (first, False)
        assert "kept no before-images" in kept_none["why"]
    assert bench.upstream.order(shop.account, shop.orders[0])["email"] == "new@example.com"


def test_a_revert_by_filter_waits_for_what_is_under_way_and_takes_it_back(
    bench: Bench, shop: Shop, reader: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    faults(Latency(milliseconds=1_200, count=1, match=only(shop, "PUT")))
    with ThreadPoolExecutor(1) as pool:
        asked = {"order_id": order_id, "changes": {"email": "late@example.com"}}
        call = pool.submit(succeed, reader, "orders_update", asked)
        wait_until(lambda: bool(bench.upstream.control.faults()[0]["fired"]), "the write is sent", 10)
        (outcome,) = revert(bench, "--tenant", shop.tenant.id, "--since", "1h")
        assert outcome["id"] == call.result()["write_id"]
    assert outcome["reverted"]
    assert without_date(bench.upstream.order(shop.account, order_id)) == without_date(before)


def test_a_revert_by_filter_takes_back_what_clients_write_until_it_begins(bench: Bench, shop: Shop) -> None:
    orders, stop = shop.orders[:4], Event()
    before = [without_date(bench.upstream.order(shop.account, order_id)) for order_id in orders]

    def write(order_id: str) -> int:
        written = 0
        with bench.connect(shop.tenant) as client:
            while not stop.is_set():
                asked = {"order_id": order_id, "changes": {"email": f"{written}@example.com"}}
                outcome = client.call_tool("orders_update", asked)
                if outcome.is_error:
                    assert dict(outcome.structured or {})["error"]["code"] == "READ_ONLY"
                    break
                written += 1
        return written

    with ThreadPoolExecutor(len(orders)) as pool:
        calls = [pool.submit(write, order_id) for order_id in orders]
        try:
            wait_until(lambda: len(ids(bench, shop)) > 8, "clients write", 10)
            outcomes = revert(bench, "--tenant", shop.tenant.id, "--since", "1h")
        finally:
            stop.set()
        assert len(outcomes) == sum(call.result() for call in calls)
    assert all(outcome["reverted"] for outcome in outcomes)
    assert [without_date(bench.upstream.order(shop.account, order_id)) for order_id in orders] == before
