"""The story that every client tells: its steps, and what must be seen in the client and at the upstream after each."""

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from jsonschema import Draft202012Validator

from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget

STORE = "Clients' shop"
PAGE = 3


class RefusedError(Exception):
    """The client could not connect, or a call ended in an error of the protocol; the message is what it told."""


@dataclass(frozen=True)
class Answer:
    """What a client made of a tool's answer. `structured` is None where the client keeps it from its caller."""

    is_error: bool
    structured: Mapping[str, Any] | None
    text: str


class Session(Protocol):
    """A connected client. `revision` is the protocol revision that it says it speaks."""

    @property
    def revision(self) -> str: ...

    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The tools as the client lists them, in the protocol's own JSON."""

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool. Raises RefusedError when the answer is no result."""


Connect = Callable[[str], AbstractContextManager[Session]]
"""Connects with a tenant key; raises RefusedError when the client is turned away."""


@dataclass
class Telling:
    """One client's telling: its answers are checked against the schemas that the client itself was given."""

    session: Session
    target: LocalTarget
    sandbox: SandboxClient
    schemas: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def ask(self, tool: str, **arguments: Any) -> Mapping[str, Any]:
        """Return a successful call's structured result, which its text repeats."""
        answer = self.session.call(tool, arguments)
        assert not answer.is_error, answer.text
        return self._content(tool, answer)

    def fail(self, tool: str, code: str, **arguments: Any) -> Mapping[str, Any]:
        """Return the error of a call that must fail with `code`."""
        answer = self.session.call(tool, arguments)
        assert answer.is_error, answer.text
        error: Mapping[str, Any] = self._content(tool, answer)["error"]
        assert error["code"] == code, error
        assert error["request_id"]
        return error

    def applied(self, since: int) -> list[Mapping[str, Any]]:
        """The changes that OrderDesk really made after the journal's entry `since`."""
        return [change for entry in self.sandbox.journal(since) if entry["applied"] for change in entry["changes"]]

    def _content(self, tool: str, answer: Answer) -> Mapping[str, Any]:
        assert answer.structured is not None, answer.text
        assert json.loads(answer.text) == answer.structured
        Draft202012Validator(self.schemas[tool]).validate(answer.structured)
        return answer.structured


def tell_story(connect: Connect, revision: str, target: LocalTarget, sandbox: SandboxClient) -> None:
    """Tell the whole story with one client in the era of `revision`; an AssertionError says what was wrong."""
    key = target.new_tenant("clients")
    with connect(key) as session:
        telling = Telling(session, target, sandbox)
        assert session.revision == revision
        _tools(telling)
        _store(telling, key)
        order_id = _orders(telling)
        _update(telling, order_id)
        _products(telling)
        _errors(telling)
    _strangers(connect, telling, order_id)


def _tools(telling: Telling) -> None:
    with telling.target.connect() as ours:
        expected = {tool["name"]: tool for tool in ours.list_tools()}
    listed = {tool["name"]: tool for tool in telling.session.tools()}
    assert listed.keys() == expected.keys()
    assert listed.keys() >= {"tenant_use_master_key", "stores_register", "orders_update", "products_get"}
    for name, tool in listed.items():
        for schema in ("inputSchema", "outputSchema"):
            assert tool[schema] == expected[name][schema]
            Draft202012Validator.check_schema(tool[schema])
        telling.schemas[name] = tool["outputSchema"]
    assert listed["orders_update"]["annotations"]["destructiveHint"]
    assert listed["orders_list"]["annotations"]["readOnlyHint"]


def _store(telling: Telling, key: str) -> None:
    tenant = telling.ask("tenant_use_master_key", master_key=key)
    assert tenant["tenant"].startswith("clients-")
    assert telling.ask("stores_list")["stores"] == []
    upstream = telling.target.sandbox
    registered = telling.ask(
        "stores_register", store_id=upstream.store_id, api_key=upstream.api_key, store_name=STORE, label="shop"
    )
    assert upstream.api_key not in json.dumps(registered)
    telling.ask("stores_use_store", identifier="shop")
    active = [store["store_id"] for store in telling.ask("stores_list")["stores"] if store["active"]]
    assert active == [upstream.store_id]


def _orders(telling: Telling) -> str:
    first, second = (telling.ask("orders_list", limit=PAGE, offset=offset) for offset in (0, PAGE))
    ids = [str(order["id"]) for page in (first, second) for order in page["orders"]]
    assert len(set(ids)) == 2 * PAGE
    assert first["pagination"]["has_more"]
    assert (second["pagination"]["offset"], second["pagination"]["page"]) == (PAGE, 2)
    last = telling.ask("orders_list", limit=PAGE, offset=first["pagination"]["total"] - 1)
    assert (last["pagination"]["count"], last["pagination"]["has_more"]) == (1, False)
    order_id = ids[-1]
    assert str(telling.ask("orders_get", order_id=order_id)["order"]["id"]) == order_id
    return order_id


def _update(telling: Telling, order_id: str) -> None:
    mark = secrets.token_hex(4)
    note, city = f"Called back, {mark}", f"Leeds {mark}"
    wanted = {"order_id": order_id, "changes": {"shipping": {"city": city}, "order_notes": [note]}}
    before = telling.ask("orders_get", order_id=order_id)["order"]
    since = telling.sandbox.last_sequence()
    preview = telling.ask("orders_update", **wanted, dry_run=True)
    difference = {change["field"]: change for change in preview["changes"]}
    assert preview["dry_run"]
    assert difference["shipping.city"]["before"] == before["shipping"]["city"]
    assert difference["shipping.city"]["after"] == city
    assert telling.applied(since) == []

    updated = telling.ask("orders_update", **wanted, idempotency_key=f"story-{mark}")
    assert updated["message"] == f"Order {order_id} updated successfully"
    repeated = telling.ask("orders_update", **wanted, idempotency_key=f"story-{mark}")
    assert repeated["replayed"]
    (change,) = telling.applied(since)
    assert change["id"] == order_id
    assert set(change["fields"]) - {"date_updated"} == {"shipping", "order_notes"}

    after = telling.ask("orders_get", order_id=order_id)["order"]
    assert after["shipping"] == {**before["shipping"], "city": city}
    assert after["order_notes"][:-1] == before["order_notes"]
    assert after["order_notes"][-1]["content"] == note


def _products(telling: Telling) -> None:
    page = telling.ask("products_list", limit=PAGE)
    assert len(page["products"]) == PAGE
    product_id = str(page["products"][0]["id"])
    assert str(telling.ask("products_get", product_id=product_id)["product"]["id"]) == product_id


def _errors(telling: Telling) -> None:
    invalid = telling.fail("orders_list", "VALIDATION_ERROR", limit=5000)
    assert "limit" in invalid["details"]["invalid_fields"]
    misspelt = telling.fail("orders_get", "VALIDATION_ERROR", orderid="1")
    assert misspelt["details"]["missing_fields"] == ["order_id"]
    assert "did you mean 'order_id'" in misspelt["message"]
    telling.fail("orders_get", "NOT_FOUND", order_id="99999999")
    refused = _refusal(lambda: telling.session.call("orders_gett", {"order_id": "1"}))
    assert "orders_gett" in refused


def _strangers(connect: Connect, owner: Telling, order_id: str) -> None:
    store_id = owner.target.sandbox.store_id
    with connect(owner.target.new_tenant("stranger")) as session:
        stranger = Telling(session, owner.target, owner.sandbox, owner.schemas)
        error = stranger.fail("orders_get", "STORE_NOT_FOUND", order_id=order_id, store_identifier=store_id)
    assert order_id not in json.dumps(error)

    def nobody() -> None:
        with connect("qm_aaaaaaaaaaaaaaaa.nobodys-key") as session:
            session.tools()

    # Some pass on what the server wrote, some only what the status means; over stdio the server ends and says why.
    assert re.search(r"key is required|HTTP 401|no valid key", told := _refusal(nobody)), told


def _refusal(action: Callable[[], object]) -> str:
    try:
        action()
    except RefusedError as refused:
        return str(refused)
    raise AssertionError("it was not refused")
