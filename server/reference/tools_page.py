"""docs/TOOLS.md: every tool from its declaration, and what tools/list costs a client's context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from server.environments import default_of as default_setting
from server.reference.markdown import code, page, table
from server.reference.schema import default_of, limits_of, properties, type_of
from server.rules import TOOLSETS
from server.tools.declaration import Tool, WriteTool
from server.tools.registry import ALL, EVERY_TOOLSET, is_offered

INTRODUCTION: Final = """\
`TOOLSETS` chooses which of these a server offers, for each of them costs the context of every client that connects.
A call costs tokens of its tenant's rate limit (`RATE_LIMIT_RPM` a minute); what some tools change also counts towards
`DESTRUCTIVE_CAP_PER_HOUR`. Every answer is JSON, as text and as `structuredContent`; the text spells out characters
that nobody sees (`\\u200b`), and decodes to the same. Errors: [ERRORS.md](ERRORS.md)."""


def tools_page(tools: Sequence[Tool[Any]] = ALL) -> str:
    """The page."""
    by_set = {name: [tool for tool in tools if tool.toolset == name] for name in TOOLSETS}
    return page(
        "Tools",
        "reference tools",
        INTRODUCTION,
        "## What a client reads",
        "The size of the answer to `tools/list`, by `TOOLSETS`. A token of a language model is about 4 bytes.",
        _sizes(tools),
        *(block for name, members in by_set.items() if members for block in _toolset(name, members)),
    )


def listed_bytes(tools: Iterable[Tool[Any]]) -> int:
    """The size of the answer to tools/list, in bytes, without the envelope around it."""
    listed = [tool.wire().model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return len(orjson.dumps({"tools": listed}))


def _sizes(tools: Iterable[Tool[Any]]) -> str:
    default = tuple(default_setting("toolsets").split(","))
    groups: dict[str, tuple[str, ...]] = {code(name): (name,) for name in TOOLSETS}
    groups[f"default: {code(','.join(default))}"] = default
    groups[code(EVERY_TOOLSET)] = (EVERY_TOOLSET,)
    offered = {shown: [tool for tool in tools if is_offered(tool, names)] for shown, names in groups.items()}
    return table(
        ("TOOLSETS", "tools", "bytes"),
        [(shown, str(len(members)), f"{listed_bytes(members):,}") for shown, members in offered.items()],
    )


def _toolset(name: str, tools: Iterable[Tool[Any]]) -> Iterator[str]:
    yield f"## Toolset {code(name)}"
    for tool in sorted(tools, key=lambda tool: tool.name):
        yield from _tool(tool)


def _tool(tool: Tool[Any]) -> Iterator[str]:
    yield f"### {code(tool.name)}"
    yield f"**{tool.title}.** {tool.description}"
    cap = "does not count towards the cap"
    if isinstance(tool, WriteTool) and tool.capped:
        cap = "counts towards the cap"
    elif isinstance(tool, WriteTool) and tool.capped_field:
        cap = f"counts towards the cap when {code(tool.capped_field)} is among the changes"
    yield f"{_annotations(tool)} Costs {tool.cost} {'token' if tool.cost == 1 else 'tokens'}; {cap}."
    schema = tool.arguments.model_json_schema()
    arguments = [
        (code(name), type_of(declared), *_limits(declared, required=required), declared.get("description", ""))
        for name, declared, required in properties(schema)
    ]
    yield table(("argument", "type", "default", "limits", "meaning"), arguments) if arguments else "No arguments."
    yield from _definitions(schema)
    yield "Example:\n\n```json\n" + orjson.dumps(tool.example, option=orjson.OPT_INDENT_2).decode() + "\n```"
    schema = tool.result.model_json_schema()
    yield "Result:"
    yield _fields(schema)
    yield from _definitions(schema)


def _annotations(tool: Tool[Any]) -> str:
    if not tool.writes:
        return "Reads only."
    words = ["writes", "may destroy" if tool.destructive else "destroys nothing"]
    words.append("idempotent" if tool.idempotent else "not idempotent")
    return f"{', '.join(words).capitalize()}."


def _limits(declared: Mapping[str, Any], *, required: bool) -> tuple[str, str]:
    return "(required)" if required else default_of(declared), limits_of(declared)


def _definitions(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, definition in schema.get("$defs", {}).items():
        if definition.get("properties"):
            yield f"{code(name)}:"
            yield _fields(definition)
        else:
            yield f"{code(name)}: {type_of(definition)}"


def _fields(schema: Mapping[str, Any]) -> str:
    return table(
        ("field", "type", "meaning"),
        [
            (
                code(name),
                type_of(declared) + ("" if required else " (may be absent)"),
                ", ".join(filter(None, (declared.get("description", ""), limits_of(declared)))),
            )
            for name, declared, required in properties(schema)
        ],
    )
