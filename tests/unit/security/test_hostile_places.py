from security.probe.calls import SampleCall, Samples
from security.probe.injection.places import places
from security.probe.injection.storing import storings

TOOL = {
    "name": "orders_create",
    "inputSchema": {
        "properties": {
            "note": {"type": "string"},
            "count": {"type": "integer"},
            "order_data": {"type": "object"},
            "label": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        }
    },
}
ARGUMENTS = {"count": 1, "note": "n", "order_data": {"items": [{"name": "Mug", "quantity": 2}]}}


def test_text_is_filled_into_every_place_declared_or_nested_and_into_names() -> None:
    samples = Samples({"orders_create": SampleCall(TOOL, ARGUMENTS, "")})
    filled = {place.name: place.fill("X") for place in places(samples)}
    nested = {"items": [{"name": "X", "quantity": 2}]}
    assert filled["orders_create note"] == {**ARGUMENTS, "note": "X"}
    assert filled["orders_create label"] == {**ARGUMENTS, "label": "X"}
    assert filled["orders_create order_data.items.0.name"] == {**ARGUMENTS, "order_data": nested}
    assert filled["orders_create (the name of a member)"] == {**ARGUMENTS, "X": "probe"}
    assert filled["orders_create order_data (the name of a member)"]["order_data"]["X"] == "probe"
    assert "orders_create count" not in filled
    assert ARGUMENTS["order_data"] == {"items": [{"name": "Mug", "quantity": 2}]}


def tool(name: str, *arguments: str, **annotations: bool) -> dict[str, object]:
    schema = {"type": "object", "properties": {each: {"type": "string"} for each in arguments}}
    return {"name": name, "inputSchema": schema, "annotations": annotations}


def test_our_tools_store_what_they_take_and_remove_it_where_they_can() -> None:
    (storing,) = storings([tool("stores_register", "store_id", "store_name"), tool("stores_delete", "identifier")])
    assert dict(storing.arguments) == {"store_id": "{token}", "store_name": "{text}"}
    assert storing.removal is not None
    (kept,) = storings([tool("stores_register", "store_id", "store_name")])
    assert kept.removal is None


def test_of_other_servers_only_tools_that_add_to_their_own_are_used() -> None:
    adding = tool("notes_add", "title", "body", readOnlyHint=False, destructiveHint=False, openWorldHint=False)
    others = [
        tool("notes_read", "title", readOnlyHint=True, destructiveHint=False, openWorldHint=False),
        tool("notes_drop", "title", readOnlyHint=False, destructiveHint=True, openWorldHint=False),
        tool("mail_send", "text", readOnlyHint=False, destructiveHint=False, openWorldHint=True),
        tool("unsaid", "text"),
    ]
    (storing,) = storings([*others, adding])
    assert (storing.tool, dict(storing.arguments)) == ("notes_add", {"title": "{text}", "body": "{text}"})
