import json
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
from pydantic import Field

from server.errors import ArgumentsError
from server.rules import TOOLSETS
from server.tools.call import Call
from server.tools.declaration import (
    Arguments,
    Identifier,
    Result,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
)
from server.tools.registry import ALL, is_offered

# A client's context pays for each of them in every conversation.
LONGEST_DESCRIPTION = 320

STORE = "store_identifier"
OF_EVERY_WRITE = {"idempotency_key", "dry_run"}
ITEM = "price quantity weight code delivery_type category_code variation_list metadata"
PRODUCT = "price cost weight stock location update_source metadata variation_list manufacturer_sku"
PAGE = "limit offset"
PERSON = ("first_name", "last_name", "company", "address1", "phone")
ORDER_FILTERS = " ".join(
    [
        *("folder_id", "folder_name", "source_id", "source_name", "email", "customer_id", "get_order_history"),
        *("search_start_date", "search_end_date", "modified_start_date", "modified_end_date", "order_by", "order"),
        *(f"customer_{part}" for part in PERSON),
        *(f"shipping_{part}" for part in PERSON),
    ]
)


@dataclass(frozen=True)
class Declared:
    """What clients and operators rely on of one tool; arguments apart by blanks.

    Every write takes OF_EVERY_WRITE too. `store`: the call may name its store. `local`: OrderDesk is not asked.
    """

    toolset: str
    required: str = ""
    optional: str = ""
    writes: bool = False
    destructive: bool = False
    idempotent: bool = True
    capped: bool = False
    store: bool = True
    local: bool = False


def own(required: str = "", optional: str = "", **more: Any) -> Declared:
    """A tool on the tenant's own stores."""
    return Declared("stores", required, optional, store=False, local=True, **more)


def changing(toolset: str, required: str, optional: str = "", **more: Any) -> Declared:
    """A tool that alters or removes what is there."""
    return Declared(toolset, required, optional, writes=True, destructive=True, **more)


def adding(toolset: str, required: str, optional: str = "", **more: Any) -> Declared:
    """A tool that leaves what is there as it is."""
    return Declared(toolset, required, optional, writes=True, **more)


# Renaming a tool or an argument, or asking for one more, breaks clients.
CONTRACT: dict[str, Declared] = {
    "tenant_use_master_key": Declared("tenant", "master_key", store=False, local=True),
    "stores_list": own(),
    "stores_register": own("store_id api_key store_name", "label", writes=True, destructive=True),
    "stores_use_store": own("identifier", writes=True),
    "stores_resolve": own("identifier"),
    "stores_delete": own("store_identifier", writes=True, destructive=True),
    "stores_test": Declared("stores"),
    "stores_settings": Declared("stores"),
    "stores_folders": Declared("stores"),
    "orders_list": Declared("orders", "", f"{PAGE} {ORDER_FILTERS}"),
    "orders_get": Declared("orders", "order_id"),
    "orders_find": Declared("orders", "source_id", "source_name"),
    "orders_update": changing("orders", "order_id changes", idempotent=False),
    "orders_create": adding("orders", "order_data", idempotent=False, capped=True),
    "orders_delete": changing("orders", "order_id", capped=True),
    "orders_move": changing(
        "orders", "order_ids", "destination_folder_id destination_folder_name", idempotent=False, capped=True
    ),
    "orders_add_note": adding("orders", "order_id note", "username"),
    "orders_add_history": adding("orders", "order_id note", "source_name", idempotent=False),
    "order_items_list": Declared("items", "order_id", PAGE),
    "order_items_get": Declared("items", "order_id item_id"),
    "order_items_add": adding("items", "order_id name", ITEM, idempotent=False, capped=True),
    "order_items_update": changing("items", "order_id item_id changes"),
    "order_items_delete": changing("items", "order_id item_id", capped=True),
    "shipments_list": Declared("shipments", "order_id", PAGE),
    "shipments_get": Declared("shipments", "order_id shipment_id"),
    "shipments_add": adding(
        "shipments",
        "order_id tracking_number",
        "carrier_code shipment_method tracking_url weight cost",
        idempotent=False,
        capped=True,
    ),
    "shipments_update": changing("shipments", "order_id shipment_id changes"),
    "shipments_delete": changing("shipments", "order_id shipment_id", capped=True),
    "shipments_batch": adding("shipments", "shipments", idempotent=False, capped=True),
    "products_list": Declared("products", "", f"{PAGE} search"),
    "products_get": Declared("products", "product_id"),
    "products_create": adding("inventory", "name code", PRODUCT, idempotent=False, capped=True),
    "products_update": changing("inventory", "product_id changes"),
    "products_delete": changing("inventory", "product_id", capped=True),
    "products_batch_update": changing("inventory", "products", capped=True),
    "products_adjust_stock": changing("inventory", "product_id", "by to reason", idempotent=False),
}
TOOLS = {tool.name: tool for tool in ALL}
each_tool = pytest.mark.parametrize("tool", [pytest.param(tool, id=tool.name) for tool in ALL])


class Sample(Arguments):
    order_id: Identifier
    limit: int = Field(5, ge=1, le=10)
    search_text: str | None = None


class SampleResult(Result):
    status: str


async def handle(_call: Call, _arguments: Sample) -> dict[str, Any]:
    return {}


SAMPLE = Tool(
    name="sample",
    title="Sample",
    description="A sample.",
    toolset="samples",
    arguments=Sample,
    result=SampleResult,
    example={"order_id": "1"},
    handler=handle,
)


def refusal(arguments: dict[str, Any]) -> ArgumentsError:
    with pytest.raises(ArgumentsError) as refused:
        SAMPLE.parse(arguments)
    return refused.value


def test_the_tools_are_those_of_the_contract() -> None:
    assert set(TOOLS) == set(CONTRACT)


@each_tool
def test_a_tool_takes_the_arguments_of_the_contract(tool: Tool[Any]) -> None:
    declared = CONTRACT[tool.name]
    schema = tool.wire().input_schema
    required, optional = set(declared.required.split()), set(declared.optional.split())
    optional |= ({STORE} if declared.store else set()) | (OF_EVERY_WRITE if declared.writes else set())
    assert set(schema["properties"]) == required | optional
    assert set(schema.get("required", [])) == required


def test_every_toolset_of_the_settings_has_tools_and_no_tool_another() -> None:
    assert {tool.toolset for tool in ALL} == set(TOOLSETS)
    assert {name: tool.toolset for name, tool in TOOLS.items()} == {
        name: declared.toolset for name, declared in CONTRACT.items()
    }


@each_tool
def test_a_tool_s_schemas_are_valid_closed_and_short(tool: Tool[Any]) -> None:
    wire = tool.wire()
    assert wire.output_schema is not None
    result, error = wire.output_schema["anyOf"]
    for schema in (wire.input_schema, wire.output_schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert "title" not in schema
    for schema in (wire.input_schema, result):
        assert schema["additionalProperties"] is False
    # Clients validate errors against the schema too.
    jsonschema.validate({"error": {"code": "NOT_FOUND"}}, error)
    assert tool.title
    assert tool.description.endswith(".")


@each_tool
def test_a_tool_s_example_is_accepted_by_the_tool_and_its_schema_and_shown_to_clients(tool: Tool[Any]) -> None:
    tool.parse(tool.example)
    wire = tool.wire()
    jsonschema.validate(tool.example, wire.input_schema)
    assert wire.description is not None
    description, _, example = wire.description.partition("\nExample: ")
    assert json.loads(example) == tool.example
    assert description == tool.description
    assert len(description) <= LONGEST_DESCRIPTION


@each_tool
def test_annotations_and_cost_tell_reading_from_writing(tool: Tool[Any]) -> None:
    declared = CONTRACT[tool.name]
    annotations = tool.wire().annotations
    assert annotations is not None
    assert annotations.read_only_hint is not declared.writes
    assert tool.cost == (2 if declared.writes else 1)
    assert annotations.destructive_hint is declared.destructive
    assert annotations.idempotent_hint is declared.idempotent
    assert annotations.open_world_hint is not declared.local


@each_tool
def test_what_writes_takes_a_key_and_a_dry_run_and_only_some_counts_towards_the_cap(tool: Tool[Any]) -> None:
    declared = CONTRACT[tool.name]
    assert isinstance(tool, WriteTool) is declared.writes
    if isinstance(tool, WriteTool):
        assert issubclass(tool.arguments, WriteArguments)
        assert issubclass(tool.result, WriteResult)
        assert tool.capped is declared.capped
        asked = tool.parse({**tool.example, "idempotency_key": "k", "dry_run": True})
        assert (asked.idempotency_key, asked.dry_run) == ("k", True)
        with pytest.raises(ArgumentsError):
            tool.parse({**tool.example, "idempotency_key": ""})


@pytest.mark.parametrize(
    ("toolsets", "offered"),
    [
        (("all",), set(TOOLS)),
        ((), {"tenant_use_master_key"}),
        (("items",), {"tenant_use_master_key"} | {name for name in TOOLS if name.startswith("order_items_")}),
    ],
    ids=["all", "none", "items"],
)
def test_a_server_offers_the_tools_of_its_toolsets_and_always_the_check_of_the_key(
    toolsets: tuple[str, ...], offered: set[str]
) -> None:
    assert {name for name, tool in TOOLS.items() if is_offered(tool, toolsets)} == offered


@pytest.mark.parametrize(
    ("name", "near"),
    [("ordr_id", "order_id"), ("limits", "limit"), ("search", "search_text"), ("searchText", "search_text")],
)
def test_an_unknown_argument_is_refused_with_the_nearest_known_name(name: str, near: str) -> None:
    error = refusal({"order_id": "1", name: "x"})
    assert f"did you mean {near!r}" in error.message
    assert name in error.details["invalid_fields"]
    assert error.details["missing_fields"] == []
    assert error.details["example_request"] == {"order_id": "1"}


def test_an_unknown_argument_that_resembles_nothing_is_refused_without_a_guess() -> None:
    error = refusal({"order_id": "1", "zzz": 1})
    assert "did you mean" not in error.message


def test_every_missing_and_invalid_field_is_told_at_once() -> None:
    error = refusal({"limit": 11, "search_text": 5, "page": 2})
    assert error.details["missing_fields"] == ["order_id"]
    assert set(error.details["invalid_fields"]) == {"limit", "search_text", "page"}
    for name in ("order_id", "limit", "search_text", "page"):
        assert name in error.message


@pytest.mark.parametrize(
    ("tool", "changes", "invalid"),
    [
        ("products_adjust_stock", {"to": 1}, {"arguments": "give either by or to"}),
        ("products_batch_update", {"products": [{"product_id": 1, "changes": {}}] * 2}, None),
        (
            "orders_move",
            {"destination_folder_id": 1},
            {"arguments": "give either destination_folder_id or destination_folder_name"},
        ),
        ("stores_register", {"label": "a\nb"}, {"label": "must be one line of text without control characters"}),
    ],
)
def test_a_refusal_of_our_own_reads_as_we_wrote_it(
    tool: str, changes: dict[str, Any], invalid: dict[str, str] | None
) -> None:
    with pytest.raises(ArgumentsError) as refused:
        TOOLS[tool].parse({**TOOLS[tool].example, **changes})
    assert invalid in (None, refused.value.details["invalid_fields"])
    assert "error" not in refused.value.message.lower()


def test_no_refusal_repeats_a_value() -> None:
    error = refusal({"order_id": "s3cr3t value!", "limit": "s3cr3t", "search_text": ["s3cr3t"]})
    assert "s3cr3t" not in error.message + str(error.details)


@pytest.mark.parametrize(("given", "taken"), [("42", "42"), (42, "42"), (" 42 ", "42"), ("0042", "42")])
def test_an_order_id_may_be_a_number_or_a_text(given: str | int, taken: str) -> None:
    assert SAMPLE.parse({"order_id": given}).order_id == taken


@pytest.mark.parametrize(
    "given", ["", " ", "a/b", "..", "1?x=2", "a b", "1" * 65, "100042a", "a-B_9", "-1", "٤٢", True, None, 1.5, [], "ü"]
)
def test_what_is_not_digits_is_no_id(given: Any) -> None:
    assert set(refusal({"order_id": given}).details["invalid_fields"]) == {"order_id"}


@pytest.mark.timeout(5)
def test_a_refusal_of_a_megabyte_of_unknown_names_is_quick() -> None:
    refusal({"order_id": "1", "x" * 1_000_000: 1})
    refusal({"order_id": "1", **{f"unknown_{number}": 1 for number in range(20_000)}})


@pytest.mark.parametrize("tool", [name for name, declared in CONTRACT.items() if declared.store])
def test_a_tool_call_may_always_name_its_store_by_number_or_text(tool: str) -> None:
    example = TOOLS[tool].example
    for identifier in (42174, "42174", "Main shop"):
        parsed = TOOLS[tool].parse({**example, "store_identifier": identifier})
        assert parsed.store_identifier == str(identifier)


def test_several_folders_may_be_a_list_or_a_comma_list() -> None:
    parse = TOOLS["orders_list"].parse
    assert parse({"folder_id": [1, "2"]}).folder_id == parse({"folder_id": "1,2"}).folder_id == "1,2"


@pytest.mark.parametrize(
    ("tool", "name", "accepted", "refused"),
    [
        ("orders_list", "limit", [1, 500, "20"], [0, 501, -1, 1.5, "many"]),
        ("orders_list", "offset", [0, 10], [-1]),
        ("orders_list", "order", ["ASC", "DESC"], ["asc", ""]),
        ("orders_list", "search_start_date", ["2026-01-01", "2026-01-01 10:00:00"], ["yesterday", "2026-1-1", ""]),
        ("orders_find", "source_id", ["1001", 1001], [""]),
        ("products_list", "limit", [1, 100], [0, 101]),
        ("products_list", "search", ["mug"], ["", "x" * 201]),
    ],
)
def test_limits_of_single_arguments(tool: str, name: str, accepted: list[Any], refused: list[Any]) -> None:
    for value in accepted:
        TOOLS[tool].parse({name: value})
    for value in refused:
        with pytest.raises(ArgumentsError):
            TOOLS[tool].parse({name: value})
