from typing import Any

import jsonschema
import pytest
from pydantic import Field

from server.errors import ArgumentsError
from server.tools.call import Call
from server.tools.declaration import Arguments, Identifier, Result, Tool
from server.tools.registry import ALL

# The names and arguments that clients call already (required ones first, after the name).
CONTRACT: dict[str, tuple[set[str], set[str]]] = {
    "tenant_use_master_key": ({"master_key"}, set()),
    "stores_list": (set(), set()),
    "stores_register": ({"store_id", "api_key", "store_name"}, {"label"}),
    "stores_use_store": ({"identifier"}, set()),
    "stores_resolve": ({"identifier"}, set()),
    "stores_delete": ({"store_identifier"}, set()),
    "orders_list": (
        set(),
        {"store_identifier", "limit", "offset", "folder_id", "folder_name", "source_id", "source_name"}
        | {"search_start_date", "search_end_date", "modified_start_date", "modified_end_date", "email", "customer_id"}
        | {f"customer_{part}" for part in ("first_name", "last_name", "company", "address1", "phone")}
        | {f"shipping_{part}" for part in ("first_name", "last_name", "company", "address1", "phone")}
        | {"get_order_history", "order_by", "order"},
    ),
    "orders_get": ({"order_id"}, {"store_identifier"}),
    "orders_update": ({"order_id", "changes"}, {"store_identifier", "idempotency_key", "dry_run"}),
    "products_list": (set(), {"store_identifier", "limit", "offset", "search"}),
    "products_get": ({"product_id"}, {"store_identifier"}),
}
READERS = {"stores_list", "stores_resolve", "orders_list", "orders_get", "products_list", "products_get"} | {
    "tenant_use_master_key"
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
    required, optional = CONTRACT[tool.name]
    schema = tool.wire().input_schema
    assert set(schema["properties"]) == required | optional
    assert set(schema.get("required", [])) == required


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
def test_a_tool_s_example_is_accepted_by_the_tool_and_by_its_schema(tool: Tool[Any]) -> None:
    tool.parse(tool.example)
    jsonschema.validate(tool.example, tool.wire().input_schema)


@each_tool
def test_annotations_and_cost_tell_reading_from_writing(tool: Tool[Any]) -> None:
    annotations = tool.wire().annotations
    assert annotations is not None
    reads = tool.name in READERS
    assert annotations.read_only_hint is reads
    assert tool.cost == (1 if reads else 2)
    assert annotations.destructive_hint is (tool.name in {"stores_delete", "orders_update"})
    assert annotations.open_world_hint is tool.name.startswith(("orders_", "products_"))


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


def test_no_refusal_repeats_a_value() -> None:
    error = refusal({"order_id": "s3cr3t value!", "limit": "s3cr3t", "search_text": ["s3cr3t"]})
    assert "s3cr3t" not in error.message + str(error.details)


@pytest.mark.parametrize(("given", "taken"), [("42", "42"), (42, "42"), (" 42 ", "42"), ("a-B_9", "a-B_9")])
def test_an_order_id_may_be_a_number_or_a_text(given: str | int, taken: str) -> None:
    assert SAMPLE.parse({"order_id": given}).order_id == taken


@pytest.mark.parametrize("given", ["", " ", "a/b", "..", "1?x=2", "a b", "x" * 65, True, None, 1.5, [], "ü"])
def test_what_is_no_single_path_segment_is_no_id(given: Any) -> None:
    assert set(refusal({"order_id": given}).details["invalid_fields"]) == {"order_id"}


@pytest.mark.timeout(5)
def test_a_refusal_of_a_megabyte_of_unknown_names_is_quick() -> None:
    refusal({"order_id": "1", "x" * 1_000_000: 1})
    refusal({"order_id": "1", **{f"unknown_{number}": 1 for number in range(20_000)}})


@pytest.mark.parametrize("tool", ["orders_list", "orders_get", "orders_update", "products_list", "products_get"])
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
