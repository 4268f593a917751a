"""Two tenants on one server: whatever one knows of the other gets it nothing, while the owner's same call succeeds."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.client import Client, ToolOutcome
from server.tools.registry import ALL
from tests.integration.server.bench import ERAS, Account, Bench, Shop, Tenant, fail, succeed

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A call about something of the owner's. `forbidden` says whether it must be an error for the stranger."""

    arguments: Arguments
    code: str | None

    @property
    def forbidden(self) -> bool:
        return self.code is not None


def _naming(argument: str, code: str = "STORE_NOT_FOUND", /, **more: Any) -> Callable[[Shop], list[Case]]:
    """Cases that name the owner's store in each way it can be named."""

    def cases(owner: Shop) -> list[Case]:
        names: list[Any] = [owner.account.store_id, int(owner.account.store_id), owner.label, owner.label.upper()]
        names += [owner.name, owner.tenant.id, owner.tenant.name]
        filled = {name: value(owner) if callable(value) else value for name, value in more.items()}
        return [Case({argument: name, **filled}, code) for name in names]

    return cases


def _order(owner: Shop) -> str:
    return owner.orders[0]


def _product(owner: Shop) -> str:
    # Any of the hundred that every store has.
    return str(int(owner.account.order_ids[0]) // 10_000_000 * 10_000_000 + 57)


def _of_order(**more: Any) -> Callable[[Shop], list[Case]]:
    """Cases that name the owner's order, in the owner's store and in the stranger's own."""
    return lambda owner: [
        *_naming("store_identifier", order_id=_order, **more)(owner),
        Case({"order_id": _order(owner), **more}, "NOT_FOUND"),
        *([] if not more else [Case({"order_id": _order(owner), **more, "dry_run": True}, "NOT_FOUND")]),
    ]


def _of_product(**more: Any) -> Callable[[Shop], list[Case]]:
    """Cases that name the owner's product, in the owner's store and in the stranger's own."""
    return lambda owner: [
        *_naming("store_identifier", product_id=_product, **more)(owner),
        Case({"product_id": _product(owner), **more}, "NOT_FOUND"),
    ]


def _of_store(**more: Any) -> Callable[[Shop], list[Case]]:
    """Cases that name the owner's store, and the same in the stranger's own."""
    return lambda owner: [*_naming("store_identifier", **more)(owner), Case(more, None)]


CHANGES = {"email": "stranger@example.com"}
PART = {"item_id": "1"}
PARCEL = {"tracking_number": "1Z-STRANGER"}
NEW_ORDER = {"customer": {"company": "Stranger"}, "order_items": [{"name": "Oak Tray", "quantity": 1}]}
# Every tool that asks OrderDesk, and so needs a store.
ASKING = frozenset(tool.name for tool in ALL if tool.open_world)

# For every tool, what a stranger may try with what it knows of the owner. A tool without an entry fails its test.
CASES: dict[str, Callable[[Shop], list[Case]]] = {
    "tenant_use_master_key": lambda owner: [
        Case({"master_key": owner.tenant.key}, "AUTH_ERROR"),
        Case({"master_key": owner.tenant.key.partition(".")[0]}, "AUTH_ERROR"),
        Case({"master_key": owner.tenant.id}, "AUTH_ERROR"),
    ],
    "stores_list": lambda owner: [Case({}, None)],
    "stores_register": lambda owner: [
        # The same names are free to another tenant: to refuse them would tell that somebody has them.
        Case(
            {
                "store_id": owner.account.store_id,
                "api_key": "a-guess",
                "store_name": owner.name,
                "label": owner.label,
            },
            None,
        )
    ],
    "stores_resolve": _naming("identifier"),
    "stores_use_store": _naming("identifier"),
    "stores_delete": _naming("store_identifier"),
    "orders_list": lambda owner: [
        *_naming("store_identifier")(owner),
        *_naming("store_identifier", limit=2)(owner),
        Case({"source_id": _order(owner)}, None),
    ],
    "orders_get": lambda owner: [
        *_naming("store_identifier", order_id=_order)(owner),
        Case({"order_id": _order(owner)}, "NOT_FOUND"),
    ],
    "orders_update": lambda owner: [
        *_naming("store_identifier", order_id=_order, changes=CHANGES)(owner),
        *_naming("store_identifier", order_id=_order, changes=CHANGES, idempotency_key="owner-key")(owner),
        *_naming("store_identifier", order_id=_order, changes=CHANGES, dry_run=True)(owner),
        Case({"order_id": _order(owner), "changes": CHANGES}, "NOT_FOUND"),
        Case({"order_id": _order(owner), "changes": CHANGES, "dry_run": True}, "NOT_FOUND"),
        Case({"order_id": _order(owner), "changes": CHANGES, "idempotency_key": "owner-key"}, "NOT_FOUND"),
    ],
    "stores_test": _of_store(),
    "stores_settings": _of_store(),
    "stores_folders": _of_store(),
    "orders_find": lambda owner: [
        *_naming("store_identifier", source_id=_order)(owner),
        Case({"source_id": _order(owner)}, None),
    ],
    "orders_create": _of_store(order_data=NEW_ORDER),
    "orders_delete": _of_order(),
    "orders_move": lambda owner: [
        *_naming("store_identifier", order_ids=lambda shop: [_order(shop)], destination_folder_name="New")(owner),
        Case({"order_ids": [_order(owner)], "destination_folder_name": "New"}, "NOT_FOUND"),
    ],
    "orders_add_note": _of_order(note="Stranger"),
    "orders_add_history": _of_order(note="Stranger"),
    "order_items_list": _of_order(),
    "order_items_get": lambda owner: [
        *_naming("store_identifier", order_id=_order, **PART)(owner),
        Case({"order_id": _order(owner), **PART}, "NOT_FOUND"),
    ],
    "order_items_add": _of_order(name="Oak Tray"),
    "order_items_update": _of_order(**PART, changes={"quantity": 1}),
    "order_items_delete": _of_order(**PART),
    "shipments_list": _of_order(),
    "shipments_get": lambda owner: [
        *_naming("store_identifier", order_id=_order, shipment_id="1")(owner),
        Case({"order_id": _order(owner), "shipment_id": "1"}, "NOT_FOUND"),
    ],
    "shipments_add": _of_order(**PARCEL),
    "shipments_update": _of_order(shipment_id="1", changes=PARCEL),
    "shipments_delete": _of_order(shipment_id="1"),
    "shipments_batch": lambda owner: [
        *_naming("store_identifier", shipments=lambda shop: [{"order_id": _order(shop), **PARCEL}])(owner),
        Case({"shipments": [{"order_id": _order(owner), **PARCEL}]}, "ORDERDESK_API_ERROR"),
    ],
    "products_create": _of_store(name="Stranger", code="STRANGER-1"),
    "products_update": _of_product(changes={"stock": 1}),
    "products_delete": _of_product(),
    "products_batch_update": lambda owner: [
        *_naming("store_identifier", products=lambda shop: [{"product_id": _product(shop), "changes": {"stock": 1}}])(
            owner
        ),
        Case({"products": [{"product_id": _product(owner), "changes": {"stock": 1}}]}, "NOT_FOUND"),
    ],
    "products_adjust_stock": _of_product(by=1),
    "products_list": lambda owner: [*_naming("store_identifier")(owner), *_naming("store_identifier", limit=2)(owner)],
    "products_get": lambda owner: [
        *_naming("store_identifier", product_id=_product)(owner),
        Case({"product_id": _product(owner)}, "NOT_FOUND"),
    ],
}


def own_calls(owner: Shop) -> list[tuple[str, Arguments]]:
    """What the owner does before and after; it fills every cache that the stranger might be answered from."""
    return [
        ("tenant_use_master_key", {"master_key": owner.tenant.key}),
        ("stores_list", {}),
        ("stores_resolve", {"identifier": owner.label}),
        ("orders_list", {"limit": 2}),
        ("orders_list", {}),
        ("orders_get", {"order_id": _order(owner)}),
        ("order_items_list", {"order_id": _order(owner)}),
        ("shipments_list", {"order_id": _order(owner)}),
        ("stores_settings", {}),
        ("stores_folders", {}),
        ("products_list", {"limit": 2}),
        ("products_list", {}),
        ("products_get", {"product_id": _product(owner)}),
    ]


def marks(bench: Bench, owner: Shop) -> set[str]:
    """Texts that nobody but the owner should ever see."""
    order = bench.upstream.order(owner.account, _order(owner))
    return {
        owner.tenant.key,
        owner.tenant.key.partition(".")[2],
        owner.tenant.id,
        owner.tenant.name,
        owner.account.store_id,
        owner.account.api_key,
        owner.name,
        owner.label,
        order["email"],
        order["customer_id"],
        order["source_id"],
        *owner.orders,
        "The owner's note",
    }


@pytest.fixture
def owner(bench: Bench) -> Shop:
    shop = bench.open_shop("owner")
    with bench.connect(shop.tenant) as client:
        arguments = {"order_id": _order(shop), "changes": {"order_notes": "The owner's note"}}
        succeed(client, "orders_update", {**arguments, "idempotency_key": "owner-key"})
        for tool, own in own_calls(shop):
            succeed(client, tool, own)
    return shop


@pytest.fixture(params=["without a store", "with a store of its own"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stranger(kind: str, bench: Bench) -> Tenant:
    return bench.new_tenant("stranger") if kind == "without a store" else bench.open_shop("stranger").tenant


@pytest.fixture
def era(kind: str) -> str:
    """Each kind of stranger speaks one era: what belongs to whom is settled behind both."""
    return ERAS[0] if kind == "without a store" else ERAS[1]


@pytest.fixture
def client(bench: Bench, stranger: Tenant, era: str) -> Iterator[Client]:
    with bench.connect(stranger, era) as client:
        yield client


def has_store(client: Client) -> bool:
    return bool(succeed(client, "stores_list")["stores"])


def told(outcome: ToolOutcome, arguments: Arguments) -> str:
    """What the stranger learned: the answer without the texts that it sent itself."""
    text = outcome.text + json.dumps(outcome.structured) + str(outcome.headers)
    for value in sorted(texts(arguments), key=len, reverse=True):
        text = text.replace(value, "").replace(value.casefold(), "")
    return text


def texts(value: Any) -> list[str]:
    """Every single value in some arguments, as text."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [str(value)] if parts is None else [text for part in parts for text in texts(part)]


@pytest.mark.parametrize("tool", [tool.name for tool in ALL])
def test_no_identifier_of_one_tenant_gets_another_anything(
    tool: str, bench: Bench, owner: Shop, client: Client
) -> None:
    assert tool in CASES, f"say in CASES what a stranger may try with {tool}"
    before = snapshot(bench, owner)
    secret = marks(bench, owner)
    since = bench.upstream.control.last_sequence()
    storeless = not has_store(client)
    cases = CASES[tool](owner)
    assert cases
    for case in cases:
        outcome = client.call_tool(tool, case.arguments)
        assert outcome.structured is not None
        code = outcome.structured.get("error", {}).get("code")
        expected = "STORE_NOT_FOUND" if storeless and tool in ASKING else case.code
        assert code == expected, (case.arguments, outcome.text)
        learned = told(outcome, case.arguments)
        assert [mark for mark in secret if mark in learned] == [], (case.arguments, outcome.text)
        if case.forbidden:
            assert_no_difference(client, tool, case.arguments, owner, outcome)
    # Nothing that the stranger did reached the owner's store, and the owner finds all as it was.
    assert bench.upstream.calls(owner.account, since) == []
    assert snapshot(bench, owner) == before


def snapshot(bench: Bench, owner: Shop) -> list[Any]:
    """What the owner sees, and what the database holds of it."""
    with bench.connect(owner.tenant) as client:
        answers = [{**succeed(client, tool, own), "cached": None} for tool, own in own_calls(owner)]
        replay = {"order_id": _order(owner), "changes": {"order_notes": "The owner's note"}}
        answers.append(succeed(client, "orders_update", {**replay, "idempotency_key": "owner-key"}))
    rows = [
        bench.query("SELECT * FROM stores WHERE tenant_id = ?", owner.tenant.id),
        bench.query("SELECT * FROM writes WHERE tenant_id = ?", owner.tenant.id),
        bench.query("SELECT * FROM tenant_keys WHERE tenant_id = ?", owner.tenant.id),
    ]
    return [*answers, *rows]


def assert_no_difference(client: Client, tool: str, arguments: Arguments, owner: Shop, outcome: ToolOutcome) -> None:
    """Something that exists is refused in the very words in which something that does not exist is."""
    swaps = {
        owner.account.store_id: "909090",
        owner.label: "no-such-label",
        owner.label.upper(): "NO-SUCH-LABEL",
        owner.name: "no such name",
        owner.tenant.id: "t_0000000000000000",
        owner.tenant.name: "no such tenant",
        owner.tenant.key: f"qm_{'a' * 16}.{'B' * 43}",
        owner.tenant.key.partition(".")[0]: f"qm_{'a' * 16}",
        _order(owner): "999999999",
        _product(owner): "999999999",
    }

    def swapped(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: swapped(part) for name, part in value.items()}
        if isinstance(value, list):
            return [swapped(part) for part in value]
        return swaps.get(str(value), value)

    invented = swapped(arguments)
    assert invented != arguments
    reference = client.call_tool(tool, invented)
    assert outcome.structured is not None
    assert reference.structured is not None

    def words(structured: Any, sent: Arguments) -> str:
        text = json.dumps({**structured["error"], "request_id": None})
        for value in sorted(texts(sent), key=len, reverse=True):
            text = text.replace(value, "*")
        return text

    assert words(outcome.structured, arguments) == words(reference.structured, invented)


def test_every_tool_has_a_case() -> None:
    assert set(CASES) == {tool.name for tool in ALL}


def test_a_store_under_the_same_id_with_a_guessed_key_is_answered_nothing_that_was_cached(
    bench: Bench, owner: Shop
) -> None:
    with bench.connect(bench.new_tenant("guesser")) as client:
        names = {"store_id": owner.account.store_id, "store_name": owner.name, "label": owner.label}
        succeed(client, "stores_register", {**names, "api_key": "a-guess"})
        for tool, arguments in own_calls(owner):
            if tool in ASKING:
                assert fail(client, tool, arguments)["code"] == "AUTH_ERROR"
    with bench.connect(owner.tenant) as client:
        assert succeed(client, "orders_get", {"order_id": _order(owner)})["cached"] is True


def test_two_tenants_of_one_account_share_its_truth_and_no_entry_of_the_cache(bench: Bench, owner: Shop) -> None:
    partner = Shop(bench.new_tenant("partner"), owner.account, "partner shop", "partner-label")
    order_id = owner.orders[1]
    with bench.connect(owner.tenant) as first, bench.connect(partner.tenant) as second:
        bench.register(second, partner)
        for client in (first, second):
            assert succeed(client, "orders_get", {"order_id": order_id})["cached"] is False
            assert succeed(client, "orders_get", {"order_id": order_id})["cached"] is True
        succeed(second, "orders_update", {"order_id": order_id, "changes": {"email": "partner@example.com"}})
        # A change by one is a change of the account: the other is not served what was cached before it.
        assert succeed(first, "orders_get", {"order_id": order_id})["order"]["email"] == "partner@example.com"


def test_the_same_idempotency_key_is_two_keys_for_two_tenants(bench: Bench, owner: Shop) -> None:
    other = bench.open_shop("other")
    asked = {"changes": {"order_notes": "The owner's note"}, "idempotency_key": "owner-key"}
    with bench.connect(other.tenant) as client:
        result = succeed(client, "orders_update", {"order_id": other.orders[0], **asked})
    assert "replayed" not in result
    partner = Shop(bench.new_tenant("partner"), owner.account, "partner shop", "partner-label")
    with bench.connect(partner.tenant) as client:
        bench.register(client, partner)
        result = succeed(client, "orders_update", {"order_id": _order(owner), **asked})
    assert "replayed" not in result


def test_one_tenant_s_choice_of_store_and_deletion_leave_the_other_s_alone(bench: Bench, owner: Shop) -> None:
    account = Account(owner.account.store_id, owner.account.api_key, owner.orders)
    partner = Shop(bench.new_tenant("partner"), account, owner.name, owner.label)
    with bench.connect(partner.tenant) as client:
        bench.register(client, partner)
        extra = {"store_id": "900900", "api_key": secrets.token_hex(4), "store_name": "extra"}
        succeed(client, "stores_register", extra)
        succeed(client, "stores_use_store", {"identifier": "900900"})
        succeed(client, "stores_delete", {"store_identifier": owner.label})
    with bench.connect(owner.tenant) as client:
        stores = succeed(client, "stores_list")["stores"]
        assert [(store["store_id"], store["active"]) for store in stores] == [(owner.account.store_id, True)]
        assert succeed(client, "orders_get", {"order_id": _order(owner)})["status"] == "success"


def test_an_audit_row_belongs_to_the_tenant_that_called(bench: Bench, owner: Shop, stranger: Tenant) -> None:
    with bench.connect(stranger) as client:
        refused = client.call_tool("orders_update", {"order_id": _order(owner), "changes": CHANGES})
        assert refused.is_error
    rows = bench.query("SELECT tenant_id FROM audit WHERE request_id = ?", refused.request_id)
    assert rows == [(stranger.id,)]
