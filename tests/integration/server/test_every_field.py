"""Every field that the rules let clients write, emptied and set: done and shown, or refused; and taken back."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.client import Client
from harness.repository import REPOSITORY
from server.orderdesk.kinds import ITEM, ORDER, PRODUCT, SHIPMENT, Kind
from server.orderdesk.rules import Rules
from tests.integration.server.bench import Bench, Shop

Record = dict[str, Any]
NOTES = "order_notes"
OLD, NEW = 0, 1
NORMAL = "a value"
VALUES = (None, "", NORMAL)
ITEMS = "order_items"


@dataclass(frozen=True)
class Way:
    """A tool that changes objects of a kind: `paths` are those it writes, `asked` makes its arguments."""

    tool: str
    kind: Kind
    paths: Callable[[Bench, Shop], list[str]]
    asked: Callable[[str, Record], Record]


def order_paths(_bench: Bench, shop: Shop) -> list[str]:
    return [f"/orders/{order_id}" for order_id in shop.orders[:3]]


def item_paths(bench: Bench, shop: Shop) -> list[str]:
    item = bench.upstream.order(shop.account, shop.orders[0])["order_items"][0]
    return [f"/orders/{shop.orders[0]}/order-items/{item['id']}"]


def shipment_paths(bench: Bench, shop: Shop) -> list[str]:
    path = f"/orders/{shop.orders[0]}/shipments"
    added = bench.upstream.request(shop.account, "POST", path, {"tracking_number": "T-0"})
    return [f"{path}/{added['shipment']['id']}"]


def product_paths(bench: Bench, shop: Shop) -> list[str]:
    listed = bench.upstream.request(shop.account, "GET", "/inventory-items?limit=2")["inventory_items"]
    return [f"/inventory-items/{product['id']}" for product in listed]


def named(*names: str) -> Callable[[str, Record], Record]:
    def asked(path: str, changes: Record) -> Record:
        return {**dict(zip(names, path.split("/")[2::2], strict=True)), "changes": changes}

    return asked


def batched(path: str, changes: Record) -> Record:
    return {"products": [named("product_id")(path, changes)]}


WAYS = (
    Way("orders_update", ORDER, order_paths, named("order_id")),
    Way("order_items_update", ITEM, item_paths, named("order_id", "item_id")),
    Way("shipments_update", SHIPMENT, shipment_paths, named("order_id", "shipment_id")),
    Way("products_update", PRODUCT, product_paths, named("product_id")),
    Way("products_batch_update", PRODUCT, product_paths, batched),
)


def path_for(way: Way, field: str, paths: list[str]) -> str:
    """Parts and the whole that they are of are changed in objects of their own, else one would leave the other nothing.

    So are items: what is emptied of them cannot be had back, nor what was changed in their order before.
    """
    return paths[2 if field == ITEMS else int(field in way.kind.rules.parts)]


def value_of(rules: Rules, name: str, age: int) -> Any:
    """A value that a field can hold, another one for the other age."""
    if name == NOTES:
        return [{"content": f"Note {age}", "username": "Ada", "date_added": "2026-01-01 00:00:00"}]
    if name in rules.lists:
        return [whole(rules.parts[name], age)]
    if name in rules.maps:
        return whole(rules.parts[name], age) if name in rules.parts else {"key": f"{name} {age}"}
    if name in rules.numbers:
        return 3.5 + age
    return ("download", "future")[age] if name in rules.defaults else f"{name} {age}"


def whole(rules: Rules, age: int) -> Record:
    return {name: value_of(rules, name, age) for name in sorted(rules.writable)}


def changes_of(rules: Rules, current: Record, value: str | None) -> Iterator[tuple[str, Record]]:
    """Every change of one field, of one part of a map, of one part of a list's entry; each with its path."""
    for name in sorted(rules.writable):
        yield name, {name: value_of(rules, name, NEW) if value is NORMAL else value}
        if name not in rules.parts:
            continue
        for part in sorted(rules.parts[name].writable):
            inner = {part: value_of(rules.parts[name], part, NEW) if value is NORMAL else value}
            if name in rules.maps:
                yield f"{name}.{part}", {name: inner}
            else:
                first, *rest = current[name]
                yield f"{name}.0.{part}", {name: [{**first, **inner}, *rest]}


def refusable(rules: Rules, value: str | None) -> set[str]:
    """The fields that cannot take a value: what an object needs, and a text where none can stand."""
    if value is NORMAL:
        return set()
    refused = {*rules.needed, *(name for name in rules.writable if name == NOTES)}
    if value == "":
        refused |= rules.lists | rules.maps
        for name, part in rules.parts.items():
            place = ".0" if name in rules.lists else ""
            refused |= {f"{name}{place}.{inner}" for inner in part.lists | part.maps}
    return refused


def held(bench: Bench, shop: Shop, way: Way, path: str) -> Record:
    found: Record = bench.upstream.request(shop.account, "GET", path)[way.kind.member]
    return found


def is_blank(value: Any) -> bool:
    return all(map(is_blank, value.values())) if isinstance(value, dict) else value in ("", 0, [], "ship", None)


def is_shown(found: Any, wanted: Any) -> bool:
    """Judged apart from the server: blank where nothing was wanted, else all of what was."""
    if wanted in (None, ""):
        return is_blank(found)
    if isinstance(wanted, dict):
        return all(is_shown(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return all(any(is_shown(each, entry) for each in found) for entry in wanted)
    return bool(found == wanted)


def kept(record: Record, *changed: str) -> Record:
    return {name: value for name, value in record.items() if name not in {*changed, "date_updated"}}


def revert(bench: Bench, shop: Shop) -> list[Record]:
    command = (
        sys.executable,
        "-m",
        "server",
        "writes",
        "revert",
        "--json",
        "--tenant",
        shop.tenant.id,
        "--since",
        "1h",
    )
    done = subprocess.run(
        command, env=dict(bench.environment), cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    outcomes: list[Record] = json.loads(done.stdout)["outcomes"]
    return outcomes


def prepare(bench: Bench, shop: Shop, way: Way, path: str) -> Record:
    """The object, after it was given a value in each field."""
    before = held(bench, shop, way, path)
    body = {**before, **whole(way.kind.rules, OLD)}
    if "source_id" in body:
        body["source_id"] = before["source_id"]
    if "tracking_number" in body:
        body["tracking_number"] = f"T-{before['id']}"
    assert bench.upstream.request(shop.account, "PUT", path, body)["status"] == "success"
    return held(bench, shop, way, path)


def write(bench: Bench, shop: Shop, client: Client, way: Way, path: str, changes: Record) -> bool:
    """Whether a change was made and shows; else it was refused, and nothing sent."""
    before, since = held(bench, shop, way, path), bench.upstream.control.last_sequence()
    outcome = client.call_tool(way.tool, way.asked(path, changes))
    after = held(bench, shop, way, path)
    if outcome.is_error:
        assert outcome.structured is not None
        assert outcome.structured["error"]["code"] == "VALIDATION_ERROR", (changes, outcome.text)
        assert bench.upstream.applied(shop.account, since) == []
        return False
    assert is_shown(after, changes), (changes, after)
    totals = [name for name in after if name.endswith("_total") and name not in way.kind.rules.writable]
    assert kept(after, *changes, *totals) == kept(before, *changes, *totals)
    return True


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.tool)
def test_a_field_is_emptied_or_set_or_refused_and_taken_back(
    way: Way, value: str | None, bench: Bench, shop: Shop
) -> None:
    paths = way.paths(bench, shop)
    objects = {path: prepare(bench, shop, way, path) for path in paths}
    refused, written = set(), 0
    with bench.connect(shop.tenant) as client:
        for field, changes in changes_of(way.kind.rules, objects[paths[0]], value):
            if write(bench, shop, client, way, path_for(way, field, paths), changes):
                written += 1
            else:
                refused.add(field)
    assert refused == refusable(way.kind.rules, value)
    outcomes = revert(bench, shop)
    outcomes = [outcome for outcome in outcomes if outcome["tool"] == way.tool]
    assert len(outcomes) == written
    left = [outcome for outcome in outcomes if not outcome["reverted"]]
    # Items that a list left out alone are not had back, and the revert says so.
    lost = value != "" and way.kind is ORDER
    assert [outcome["target"] for outcome in left] == ([shop.orders[2]] if lost else [])
    assert all("cannot give it back its id" in outcome["why"] for outcome in left)
    for path in paths[:2] if lost else paths:
        assert kept(held(bench, shop, way, path)) == kept(objects[path])


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.tool)
def test_what_is_empty_is_not_emptied_again(way: Way, bench: Bench, shop: Shop) -> None:
    path = way.paths(bench, shop)[0]
    before = prepare(bench, shop, way, path)
    changes = dict.fromkeys(way.kind.rules.writable - way.kind.rules.needed.keys() - {NOTES})
    with bench.connect(shop.tenant) as client:
        assert write(bench, shop, client, way, path, changes)
        since = bench.upstream.control.last_sequence()
        assert write(bench, shop, client, way, path, changes)
    assert bench.upstream.calls(shop.account, since, "PUT") == []
    assert before != held(bench, shop, way, path)
