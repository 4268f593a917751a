"""A tool is declared once: schema, documentation, metric labels and limits all come from that declaration."""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import orjson
from mcp_types import Tool as WireTool
from mcp_types import ToolAnnotations
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from server.errors import ArgumentsError
from server.tools.call import Call
from server.writes.ledger import Write, digest
from server.writes.operation import Operation

READ_COST = 1
WRITE_COST = 2
NAME_LENGTH = 100
SHOWN_PROBLEMS = 10
# Every write is kept with its arguments, and what is there before and after: one client must not fill the disk.
LARGEST_REQUEST_BYTES = 128 * 1024
# How a write is asked for, not what is asked.
MANNER = frozenset({"idempotency_key", "dry_run"})
# The store's identifiers are spelt in several ways.
NOT_ASKED = MANNER | {"store_identifier", "identifier"}
ERROR_SCHEMA = {"type": "object", "properties": {"error": {"type": "object"}}, "required": ["error"]}


class Arguments(BaseModel):
    """Base of every tool's arguments: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class WriteArguments(Arguments):
    """Base of every write tool's arguments."""

    idempotency_key: str | None = Field(
        None, min_length=1, max_length=200, description="The same key within 24 hours carries the write out once"
    )
    dry_run: bool = Field(default=False, description="Only tell what would change")


class Result(BaseModel):
    """Base of every tool's result; it documents and is tested, the handlers answer plain JSON."""

    model_config = ConfigDict(extra="forbid")


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_id(value: object) -> object:
    """OrderDesk takes 0123 for 123: spelt in two ways, one order would have two locks and two cache entries."""
    text = _as_text(value)
    return text.strip().lstrip("0") or "0" if isinstance(text, str) and text.strip().isdecimal() else text


Identifier = Annotated[str, Field(pattern=r"^[0-9]{1,64}$"), BeforeValidator(as_id)]
"""An OrderDesk id of an order, a part of one, a product or a folder: digits, as a number or a text."""

StoreIdentifier = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_as_text)]
"""A store's id, label or name."""


class Difference(Result):
    """A line of a diff."""

    object: str
    field: str = Field(description="Dotted path; empty for the whole object")
    before: Any
    after: Any


class WriteResult(Result):
    """Base of every write tool's result; each adds what it wrote, absent in a dry run."""

    status: Literal["success"]
    message: str
    write_id: str | None = Field(None, description="Names the write to the operator; absent where nothing was written")
    replayed: bool | None = Field(None, description="True when this idempotency_key had been carried out before")
    dry_run: bool | None = None
    changes: list[Difference] | None = Field(None, description="In a dry run: what would change")


A = TypeVar("A", bound=Arguments)
W = TypeVar("W", bound=WriteArguments)


@dataclass(frozen=True)
class Tool(Generic[A]):
    """A tool. `cost` is in rate-limit tokens, `example` is a valid set of arguments, `handler` answers JSON."""

    name: str
    title: str
    description: str
    toolset: str
    arguments: type[A]
    result: type[Result]
    example: dict[str, Any]
    handler: Callable[[Call, A], Awaitable[dict[str, Any]]]
    open_world: bool = True
    writes: ClassVar[bool] = False
    destructive: bool = False
    idempotent: bool = True

    @property
    def cost(self) -> int:
        """Rate-limit tokens of one call."""
        return WRITE_COST if self.writes else READ_COST

    def wire(self) -> WireTool:
        """The tool as tools/list shows it."""
        return WireTool(
            name=self.name,
            title=self.title,
            description=f"{self.description}\nExample: {json.dumps(self.example)}",
            input_schema=_schema(self.arguments),
            output_schema=_output_schema(self.result),
            annotations=ToolAnnotations(
                title=self.title,
                read_only_hint=not self.writes,
                destructive_hint=self.destructive,
                idempotent_hint=self.idempotent,
                open_world_hint=self.open_world,
            ),
        )

    def parse(self, arguments: Mapping[str, Any]) -> A:
        """The typed arguments. Raises ArgumentsError that names every missing and invalid field."""
        try:
            return self.arguments.model_validate(arguments)
        except ValidationError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: ValidationError) -> ArgumentsError:
        missing: list[str] = []
        invalid: dict[str, str] = {}
        # A suggestion costs time: ten problems are enough to go on with.
        for item in error.errors(include_url=False, include_context=False, include_input=False)[:SHOWN_PROBLEMS]:
            name = (".".join(str(part) for part in item["loc"]) or "arguments")[:NAME_LENGTH]
            if item["type"] == "missing":
                missing.append(name)
            elif item["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, self.arguments.model_fields, n=1, cutoff=0.5)
                invalid[name] = "is not an argument" + (f"; did you mean {near[0]!r}?" if near else "")
            else:
                invalid[name] = _reason(item["msg"])
        parts = [f"{name} is required" for name in missing] + [f"{name}: {why}" for name, why in invalid.items()]
        return ArgumentsError(
            f"{self.name}: " + "; ".join(parts),
            missing_fields=missing,
            invalid_fields=invalid,
            example_request=self.example,
        )


@dataclass(frozen=True)
class WriteTool(Tool[W]):
    """A tool that writes: `operation` says what, one pipeline carries it out.

    With `capped`, the objects that it touches count towards the tenant's hourly cap, with `capped_field` they do when
    that field is among the changes. Arguments named in `secret` are
    never kept.
    """

    handler: Callable[[Call, W], Awaitable[dict[str, Any]]] = field(init=False)
    operation: Callable[[Call, W], Awaitable[Operation]] = field(kw_only=True)
    capped: bool = field(default=False, kw_only=True)
    capped_field: str | None = field(default=None, kw_only=True)
    secret: frozenset[str] = field(default=frozenset(), kw_only=True)
    writes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "handler", self._carry_out)

    async def _carry_out(self, call: Call, arguments: W) -> dict[str, Any]:
        operation = await self.operation(call, arguments)
        call.target = operation.target
        writer = call.services.writer
        if arguments.dry_run:
            return await writer.preview(operation)
        asked = arguments.model_dump(mode="json", exclude=set(NOT_ASKED))
        if len(orjson.dumps(asked)) > LARGEST_REQUEST_BYTES:
            reason = f"hold more than {LARGEST_REQUEST_BYTES} bytes; split the change"
            raise ArgumentsError(f"{self.name}: the arguments {reason}", invalid_fields={"arguments": reason})
        write = Write(
            tenant_id=call.caller.tenant_id,
            key_id=call.caller.key_id,
            request_id=call.request_id,
            tool=self.name,
            store_id=operation.store_id,
            store_row=operation.store.id if operation.store else None,
            target=operation.target,
            digest=self._digest(operation, asked, arguments),
            arguments={name: value for name, value in asked.items() if name not in self.secret},
            idempotency_key=arguments.idempotency_key,
            objects=operation.objects,
            capped=self.capped or self.capped_field in asked.get("changes", ()),
            locks=operation.locks,
        )
        return await writer.carry_out(call, operation, write)

    def _digest(self, operation: Operation, asked: dict[str, Any], arguments: W) -> bytes:
        if self.open_world:
            return digest(operation.store_id, operation.target, asked)
        # Of the tenant's own stores one may be gone when the call comes again: the spelling tells which was meant.
        return digest("", "", arguments.model_dump(mode="json", exclude=set(MANNER)))


def _reason(message: str) -> str:
    """A message of pydantic's as part of a sentence, without the prefix of those that are our own."""
    own = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return own[:1].lower() + own[1:]


def _output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's answer: its result, or an error. Clients validate the errors too."""
    schema = _schema(model)
    definitions = schema.pop("$defs", None)
    either = {"type": "object", "anyOf": [schema, ERROR_SCHEMA]}
    return either | ({"$defs": definitions} if definitions else {})


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema without what only costs a client's context: titles, nulls for what is absent."""
    schema = _without_nulls(_untitled(model.model_json_schema()))
    return {key: value for key, value in schema.items() if key != "description"}


def _without_nulls(node: Any) -> Any:
    """The schema with optional fields as what they are when given: a null stands for nothing, and is left out."""
    if isinstance(node, list):
        return [_without_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    either = node.get("anyOf")
    if "default" in node and node["default"] is None and isinstance(either, list) and {"type": "null"} in either:
        kinds = [kind for kind in either if kind != {"type": "null"}]
        rest = {key: value for key, value in node.items() if key not in {"anyOf", "default"}}
        node = kinds[0] | rest if len(kinds) == 1 else {"anyOf": kinds, **rest}
    return {key: _without_nulls(value) for key, value in node.items()}


def _untitled(node: Any, naming: bool = False) -> Any:  # noqa: FBT001, FBT002 - one recursion, not an option
    if isinstance(node, dict):
        return {
            key: _untitled(value, key in {"properties", "$defs"})
            for key, value in node.items()
            if naming or key != "title" or not isinstance(value, str)
        }
    return [_untitled(item) for item in node] if isinstance(node, list) else node
