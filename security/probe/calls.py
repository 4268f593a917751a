"""A call of every tool that succeeds for the owner: what a refusal, or an injected text, is compared with.

Arguments come from the tools' own schemas, from what earlier answers told (an id of an order, of a product, …), and for
objects that no schema can guess from `SAMPLES`. Tools that can rehearse (`dry_run`) are rehearsed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.client import Client, ClientError
from security.probe.site import Site

SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "orders_create": {
        "order_data": {"customer": {"company": "Probe"}, "order_items": [{"name": "Probe", "quantity": 1}]}
    },
    "orders_update": {"changes": {"email": "probe@example.com"}},
    "orders_move": {"order_ids": ["{order_id}"], "destination_folder_name": "New"},
    "order_items_update": {"changes": {"quantity": 2}},
    "shipments_add": {"tracking_number": "1Z-PROBE"},
    "shipments_update": {"changes": {"tracking_number": "1Z-PROBE"}},
    "shipments_batch": {"shipments": [{"order_id": "{order_id}", "tracking_number": "1Z-PROBE"}]},
    "products_update": {"changes": {"stock": 7}},
    "products_batch_update": {"products": [{"product_id": "{product_id}", "changes": {"stock": 7}}]},
    "products_create": {"name": "Probe", "code": "PROBE-1"},
    "products_adjust_stock": {"by": 1},
}
"""What the tools of this project's server need beside facts and plain values; {NAME} stands for a fact."""
PLAIN = {"string": "probe", "integer": 1, "number": 1, "boolean": False, "object": {}, "array": []}
ROUNDS = 3
"""How often tools are tried again with what others told meanwhile (an order, then its items)."""


@dataclass(frozen=True)
class SampleCall:
    """A call that succeeded, and what came of it."""

    tool: Mapping[str, Any]
    arguments: Mapping[str, Any]
    text: str

    @property
    def name(self) -> str:
        """The tool's name."""
        return str(self.tool["name"])


@dataclass
class Samples:
    """The calls that succeeded, by tool; why none did for the others; what was learned on the way, by argument name."""

    calls: dict[str, SampleCall] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def sample_calls(site: Site, client: Client) -> Samples:
    """Call every tool as the owner; of those that write, only such as can rehearse.

    Raises ClientError where the tools cannot be listed.
    """
    samples = Samples()
    samples.facts.update(_own_facts(site))
    tools = sorted(client.list_tools(), key=_reading_first)
    for _ in range(ROUNDS):
        learned = len(samples.facts)
        for tool in tools:
            if tool["name"] not in samples.calls:
                _try(client, tool, samples)
        if len(samples.facts) == learned:
            break
    return samples


def is_reading(tool: Mapping[str, Any]) -> bool:
    """Whether a tool says of itself that it only reads."""
    return bool((tool.get("annotations") or {}).get("readOnlyHint"))


def can_rehearse(tool: Mapping[str, Any]) -> bool:
    """Whether a tool takes `dry_run`."""
    return "dry_run" in _properties(tool)


def string_arguments(tool: Mapping[str, Any]) -> list[str]:
    """The names of a tool's arguments that may be text."""
    return [name for name, schema in _properties(tool).items() if "string" in _types(schema)]


def _try(client: Client, tool: Mapping[str, Any], samples: Samples) -> None:
    name = str(tool["name"])
    if not (is_reading(tool) or can_rehearse(tool)):
        samples.failures[name] = "it writes, and cannot rehearse"
        return
    arguments = arguments_for(tool, samples.facts)
    try:
        outcome = client.call_tool(name, arguments)
    except ClientError as error:
        samples.failures[name] = str(error)
        return
    if outcome.is_error:
        samples.failures[name] = outcome.text[:200]
        return
    samples.failures.pop(name, None)
    samples.calls[name] = SampleCall(tool, arguments, outcome.text)
    for fact, value in facts_in(outcome.structured or {}):
        samples.facts.setdefault(fact, value)


def arguments_for(tool: Mapping[str, Any], facts: Mapping[str, str]) -> dict[str, Any]:
    """Arguments that the tool's schema asks for; those with a fact get it, the others a plain value."""
    name, properties = str(tool["name"]), _properties(tool)
    arguments: dict[str, Any] = {
        each: facts.get(each) or _plain(properties.get(each, {})) for each in tool["inputSchema"].get("required", ())
    }
    arguments |= _fill(SAMPLES.get(name, {}), facts)
    if can_rehearse(tool):
        arguments["dry_run"] = True
    return arguments


def _own_facts(site: Site) -> Iterable[tuple[str, str]]:
    if site.owner.key is not None:
        yield "master_key", site.owner.key
    if site.owner.store is not None:
        yield from (("identifier", site.owner.store), ("store_identifier", site.owner.store))


def facts_in(structured: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What an answer tells: `orders: [{id: 7}]` makes order_id 7, and a value of its own stands under its name."""
    for name, value in structured.items():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, Mapping):
            singular = name.removesuffix("s").rpartition("_")[2]
            if isinstance(first.get("id"), str | int):
                yield f"{singular}_id", str(first["id"])
            yield from ((key, str(each)) for key, each in first.items() if isinstance(each, str) and each)
        elif isinstance(first, str) and first:
            yield name, first


def _fill(sample: Any, facts: Mapping[str, str]) -> Any:
    if isinstance(sample, Mapping):
        return {name: _fill(value, facts) for name, value in sample.items()}
    if isinstance(sample, list):
        return [_fill(value, facts) for value in sample]
    if isinstance(sample, str) and sample.startswith("{"):
        return facts.get(sample.strip("{}"), sample)
    return sample


def _plain(schema: Mapping[str, Any]) -> Any:
    if choices := schema.get("enum") or schema.get("examples"):
        return choices[0]
    for kind in _types(schema):
        if kind in PLAIN:
            return PLAIN[kind]
    return PLAIN["string"]


def _types(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    named = [kinds] if isinstance(kinds, str) else list(kinds)
    return [*named, *(kind for each in schema.get("anyOf", ()) for kind in _types(each))]


def _properties(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = (tool.get("inputSchema") or {}).get("properties") or {}
    return properties


def _reading_first(tool: Mapping[str, Any]) -> tuple[bool, str]:
    return not is_reading(tool), str(tool["name"])
