"""All that a server answers its owner: what it says of itself, what its tools, resources and prompts give, refusals."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.client import Client, HttpStatusError, ProtocolError, RpcError
from security.probe.calls import Samples, arguments_for
from security.probe.isolation.asking import ask
from security.probe.isolation.private import members, read

MOST = 20
"""So many resources, and so many prompts, are read."""
NOBODYS = "probe-0"


@dataclass(frozen=True)
class Answer:
    """One answer: what gave it, all its text, and its values with the names that they stand under, headers too."""

    place: str
    text: str
    values: tuple[tuple[str, str], ...] = ()


def answers(client: Client, samples: Samples) -> Iterator[Answer]:
    """Each, for every call that succeeds and, to tools that may be called, one that does not."""
    yield Answer("the server's word of itself", json.dumps([client.instructions, client.server, client.capabilities]))
    definitions = client.list_definitions()
    yield from (Answer(f"the list of {kind}", json.dumps(each)) for kind, each in definitions.items())
    for resource in definitions.get("resources", [])[:MOST]:
        yield _asked(client, f"the resource {resource.get('uri')}", "resources/read", {"uri": resource.get("uri")})
    for prompt in definitions.get("prompts", [])[:MOST]:
        given = {each["name"]: "probe" for each in prompt.get("arguments") or ()}
        what = {"name": prompt.get("name"), "arguments": given}
        yield _asked(client, f"the prompt {prompt.get('name')}", "prompts/get", what)
    for call in samples.calls.values():
        yield _called(client, call.name, call.arguments)
        yield _called(client, call.name, mistaken(call.arguments))
    for tool in definitions["tools"]:
        name = str(tool["name"])
        if not samples.failures.get(name, "it writes").startswith("it writes"):
            yield _called(client, name, arguments_for(tool, samples.facts))
    yield _called(client, f"tool_{NOBODYS}", {})


def mistaken(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with texts that name nothing; with one too many where there is no text. Rehearsals stay such."""
    wrong = {name: NOBODYS if isinstance(value, str) else value for name, value in arguments.items()}
    return {**arguments, "probe": NOBODYS} if wrong == dict(arguments) else wrong


def _called(client: Client, tool: str, arguments: Mapping[str, Any]) -> Answer:
    seen = ask(client, tool, arguments)
    headers = seen.headers.items()
    return Answer(tool, seen.all, (*_values((seen.structured, read(seen.text))), *headers))


def _asked(client: Client, place: str, method: str, params: Mapping[str, Any]) -> Answer:
    try:
        result = client.request(method, params).result
    except (RpcError, HttpStatusError, ProtocolError) as error:
        return Answer(place, str(error))
    return Answer(place, json.dumps(result, ensure_ascii=False), tuple(_values((result,))))


def _values(data: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for each in data:
        yield from members(each, "")
