"""The operator's story: what a client does on its first day, told in both protocol eras and read back at the upstream.

Each step is a check. Against a target that is not local only the reading steps are made: the others need a sandbox
that keeps a journal, and tenants that may be made at will.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.client import LATEST_LEGACY, LATEST_MODERN, Client, HttpStatusError, RpcError, connect
from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.sandbox.client import SandboxClient
from harness.targets.model import LocalTarget, RunningTarget

ERAS = {"legacy": LATEST_LEGACY, "modern": LATEST_MODERN}
NEEDS_LOCAL = "needs a sandbox's journal and tenants of its own: only the local target has them"
PAGE = 20


REGISTER = "A new tenant registers a store and makes it the active one"
UPDATE = "A note is added to an order, and the upstream's journal shows that and nothing else"
STRANGERS = "Another tenant, and nobody at all, cannot reach the store"


@dataclass(frozen=True)
class Teller:
    """One telling: an era's client, and where its checks go. `naming` is the argument that names the target's store."""

    run: Run
    era: str
    client: Client
    naming: Mapping[str, str]

    def id(self, step: str) -> str:
        """The check id of a step, the same from run to run."""
        return f"story.{self.era}.{step}"

    def ask(self, check: OpenCheck, tool: str, arguments: Mapping[str, Any], *needed: str) -> dict[str, Any]:
        """Return a call's structured result, which has the fields `needed`.

        An error of the tool or of the protocol, or a missing field, fails the check and ends it.
        """
        try:
            outcome = self.client.call_tool(tool, arguments)
        except RpcError as error:
            raise _ended(check, f"{tool} was refused with {error}") from error
        if outcome.is_error or outcome.structured is None:
            raise _ended(check, f"{tool} answered without a structured result: {outcome.text[:300]}")
        if missing := [name for name in needed if name not in outcome.structured]:
            raise _ended(check, f"{tool} answered without {', '.join(missing)}")
        check.examined += 1
        return dict(outcome.structured)

    def first(self, check: OpenCheck, what: str, rows: Any) -> str:
        """Return the id of a page's first row; a page that is empty or too long fails the check."""
        if not isinstance(rows, list) or not 0 < len(rows) <= PAGE:
            raise _ended(check, f"a page of {PAGE} {what} is not a list of 1 to {PAGE}")
        return str(rows[0]["id"])


def tell_story(run: Run, target: RunningTarget) -> None:
    """Make the story's checks on the target, `story.legacy.*` and `story.modern.*`."""
    for era, version in ERAS.items():
        local = isinstance(target, LocalTarget)
        key = target.new_tenant(f"story-{era}") if isinstance(target, LocalTarget) else target.token
        naming = {"store_identifier": target.store} if target.store and not local else {}
        client = None
        with run.check(f"story.{era}.connect", f"A client of revision {version} connects and lists the tools") as check:
            client = connect(target.url, key, version=version)
            tools = {tool["name"] for tool in client.list_tools()}
            for name in ("orders_list", "orders_get", "products_list", "products_get"):
                check.expect(name in tools, f"tools/list lacks {name}")
        if client:
            with client:
                _tell(Teller(run, era, client, naming), target)


def _tell(teller: Teller, target: RunningTarget) -> None:
    if isinstance(target, LocalTarget):
        _register(teller, target)
        order_id = _read_orders(teller)
        _read_products(teller)
        _update(teller, target, order_id)
        _refuse_strangers(teller, target, order_id)
        return
    _read_orders(teller)
    _read_products(teller)
    for step, title in (("register", REGISTER), ("update", UPDATE), ("strangers", STRANGERS)):
        with teller.run.check(teller.id(step), title) as check:
            check.not_applicable(NEEDS_LOCAL)


def _register(teller: Teller, target: LocalTarget) -> None:
    sandbox = target.sandbox
    store = {"store_id": sandbox.store_id, "api_key": sandbox.api_key, "store_name": "Story"}
    with teller.run.check(teller.id("register"), REGISTER) as check:
        before = teller.ask(check, "stores_list", {}, "stores")
        check.expect(before["stores"] == [], "a tenant that was just made has stores")
        registered = teller.ask(check, "stores_register", store)
        check.expect(sandbox.api_key not in str(registered), "the answer repeats the API key")
        teller.ask(check, "stores_use_store", {"identifier": "story"})
        after = teller.ask(check, "stores_list", {}, "stores")
        active = [each.get("store_id") for each in after["stores"] if each.get("active")]
        check.expect(active == [sandbox.store_id], f"the active stores are {active}, not {sandbox.store_id}")


def _read_orders(teller: Teller) -> str | None:
    """Return the id of an order that was listed and read."""
    with teller.run.check(teller.id("orders"), "Orders are listed, and one is read") as check:
        page = teller.ask(check, "orders_list", {"limit": PAGE, **teller.naming}, "orders", "pagination")
        listed = teller.first(check, "orders", page["orders"])
        check.expect(page["pagination"]["count"] == len(page["orders"]), f"pagination says {page['pagination']}")
        order = teller.ask(check, "orders_get", {"order_id": listed, **teller.naming}, "order")["order"]
        check.expect(str(order["id"]) == listed, f"asked for order {listed}, got {order['id']}")
        return listed
    return None


def _read_products(teller: Teller) -> None:
    with teller.run.check(teller.id("products"), "Products are listed, and one is read") as check:
        page = teller.ask(check, "products_list", {"limit": PAGE, **teller.naming}, "products")
        listed = teller.first(check, "products", page["products"])
        product = teller.ask(check, "products_get", {"product_id": listed, **teller.naming}, "product")["product"]
        check.expect(str(product["id"]) == listed, f"asked for product {listed}, got {product['id']}")


def _update(teller: Teller, target: LocalTarget, order_id: str | None) -> None:
    # Told apart from other runs: a note that an order has already is not added again.
    note = f"The {teller.era} story of {teller.run.directory.name}"
    with (
        teller.run.check(teller.id("update"), UPDATE) as check,
        SandboxClient(target.sandbox.base_url) as sandbox,
    ):
        if order_id is None:
            raise Inconclusive("no order was read that could be changed")
        since = sandbox.last_sequence()
        asked = {"order_id": order_id, "changes": {"order_notes": [note]}}
        message = teller.ask(check, "orders_update", asked, "message")["message"]
        check.expect(message == f"Order {order_id} updated successfully", f"it says {message!r}")
        order = teller.ask(check, "orders_get", {"order_id": order_id}, "order")["order"]
        check.expect(note in [each["content"] for each in order["order_notes"]], "the note is not in what is read back")
        changes = [change for entry in sandbox.journal(since) if entry["applied"] for change in entry["changes"]]
        check.expect(len(changes) == 1, f"the upstream applied {len(changes)} changes, 1 was asked for")
        for change in changes:
            touched = set(change["fields"]) - {"date_updated"}
            check.expect((change["id"], touched) == (order_id, {"order_notes"}), f"the upstream changed {change}")


def _refuse_strangers(teller: Teller, target: LocalTarget, order_id: str | None) -> None:
    with teller.run.check(teller.id("strangers"), STRANGERS) as check:
        if order_id is None:
            raise Inconclusive("no order was read that could be asked for")
        asked = {"order_id": order_id, "store_identifier": target.sandbox.store_id}
        version = ERAS[teller.era]
        with connect(target.url, target.new_tenant(f"stranger-{teller.era}"), version=version) as stranger:
            refused = stranger.call_tool("orders_get", asked)
        code = ((refused.structured or {}).get("error") or {}).get("code")
        check.expect(refused.is_error and code == "STORE_NOT_FOUND", f"another tenant got {refused.text[:300]}")
        check.expect(order_id not in refused.text, "the refusal tells the order's id")
        status = 200
        try:
            connect(target.url, "nobody.nothing", version=version).close()
        except (RpcError, HttpStatusError) as error:
            status = error.status
        check.expect(status == 401, f"an unknown key got HTTP {status}")
        # In the same run the owner's same call succeeds: the refusals above are not an outage.
        teller.ask(check, "orders_get", asked, "order")


def _ended(check: OpenCheck, reason: str) -> Inconclusive:
    """Fail the check, and return what to raise: its remaining questions cannot be asked."""
    check.fail(reason)
    return Inconclusive("what follows was not asked")
