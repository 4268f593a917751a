"""ops.toml as typed data: read once, with every problem in it listed at once.

The harness owns the tables that several jobs share. Every other package owns the model of its own table and passes it
to `load`; the other packages' tables are then known by name alone, so that a typing error in a name never passes for
somebody else's table. Secrets are never written in ops.toml: it names environment variables or files.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import UsageError

LOCAL = "local"
TABLES = ("audit", "bench", "load", "nightly", "profile", "reports", "sentry", "targets")
"""The name of every table there is, whoever owns its model."""

Token = Literal["token", "other_token", "admin_token"]
TOKENS = get_args(Token)
"""The secrets of a target: its NAME_env or NAME_file says where each is."""

T = TypeVar("T", bound="Table")
Entry = TypeVar("Entry")


def _variable_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError("must be the name of an environment variable, not the secret itself")
    return text


VariableName = Annotated[str, AfterValidator(_variable_name)]
"""The name of an environment variable."""


class ConfigurationError(UsageError):
    """ops.toml, or what it refers to, is not usable. One line per problem, each with its place."""


class Table(BaseModel):
    """Base of every table's model: immutable, and an unknown key is a problem."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TargetTable(Table):
    """`[targets.NAME]`: an MCP server over Streamable HTTP that jobs may be pointed at with `--target NAME`."""

    url: AnyHttpUrl
    token_env: VariableName | None = None
    """The environment variable that holds the bearer token."""
    token_file: Path | None = None
    """The file that holds it, relative to ops.toml."""
    other_token_env: Annotated[str, AfterValidator(_variable_name)] | None = None
    """The same of a second tenant, for what must not cross from one to another."""
    other_token_file: Path | None = None
    admin_token_env: Annotated[str, AfterValidator(_variable_name)] | None = None
    """The same of the operator's token for metrics and detailed health."""
    admin_token_file: Path | None = None
    production: bool = False
    """Nothing unsafe is sent there unasked."""
    store: str | None = None
    """The store that tool calls name; without one, the tenant's own default."""
    rate_limit_rpm: Annotated[float, Field(gt=0)] | None = None
    """What a tenant may call in a minute, as the server is set up."""
    rate_limit_burst: Annotated[float, Field(gt=0)] | None = None
    """What a tenant may call at once after a pause; without it twice the rate, as this project's server has it."""

    @model_validator(mode="after")
    def _keeps_secrets_out(self) -> Self:
        for token in TOKENS:
            if getattr(self, f"{token}_env") and getattr(self, f"{token}_file"):
                raise ValueError(f"give {token}_env or {token}_file, not both")
        if self.url.username or self.url.password or self.url.query:
            raise ValueError("url must not carry credentials or a query; name the token with token_env or token_file")
        return self


class ReportsTable(Table):
    """`[reports]`: where run records and reports go, and how many runs are kept."""

    directory: Path = Path("reports")
    keep: Annotated[int, Field(ge=10)] = 100
    """A night counts once for itself and once for each of its jobs: fewer would remove the night that is running."""


@dataclass(frozen=True)
class Configuration:
    """What ops.toml says. `path` is the file, which relative paths in it start from."""

    path: Path
    targets: Mapping[str, TargetTable]
    reports: ReportsTable
    tables: Mapping[str, Table]

    @property
    def reports_directory(self) -> Path:
        """Where run records go."""
        return self.path.parent / self.reports.directory

    def table(self, name: str, model: type[T]) -> T:
        """Return the table that was passed to `load` under this name."""
        table = self.tables[name]
        assert isinstance(table, model)
        return table


def load(path: Path, tables: Mapping[str, type[Table]] | None = None) -> Configuration:
    """Return the configuration in `path`; a missing table gets its model's defaults.

    `tables` maps the names of tables that the caller owns to their models. Raises ConfigurationError with every
    problem, one a line: `ops.toml: targets.staging.tokenenv: unknown key; did you mean token_env?`.
    """
    owned: dict[str, type[Table]] = {"reports": ReportsTable, **(tables or {})}
    document = _parse(path)
    problems = [
        f"{name}: unknown table{_did_you_mean(name, (*TABLES, *owned))}"
        for name in document
        if name not in owned and name not in TABLES
    ]
    targets = _targets(document.get("targets", {}), problems)
    read = {name: _validate(name, model, document.get(name, {}), problems) for name, model in owned.items()}
    if problems:
        raise ConfigurationError("\n".join(f"{path.name}: {problem}" for problem in problems))
    found = {name: table for name, table in read.items() if table is not None}
    reports = found.pop("reports")
    assert isinstance(reports, ReportsTable)
    return Configuration(path=path, targets=targets, reports=reports, tables=found)


def find_target(configuration: Configuration, name: str) -> TargetTable:
    """Return the remote target of this name. Raises ConfigurationError when ops.toml has none."""
    return find_entry(configuration.targets, name, kind="target", place=configuration.path.name, others=(LOCAL,))


def find_entry(entries: Mapping[str, Entry], name: str, *, kind: str, place: str, others: Sequence[str] = ()) -> Entry:
    """Return the entry of this name, as a command's option names it.

    Raises ConfigurationError that names the closest one, of `others` too, which are known but are no entries.
    """
    if name not in entries:
        hint = _did_you_mean(name, (*others, *entries)) or " (there is none)"
        raise ConfigurationError(f"{kind} {name} is not in {place}{hint}")
    return entries[name]


def read_token(
    configuration: Configuration, name: str, environ: Mapping[str, str], which: Token = "token"
) -> str | None:
    """Return a token of a remote target, None when it has none.

    Raises ConfigurationError when the variable is not set, the file cannot be read, or what they hold is no token.
    """
    target = find_target(configuration, name)
    variable: str | None = getattr(target, f"{which}_env")
    given: Path | None = getattr(target, f"{which}_file")
    if variable:
        held = environ.get(variable, "").strip()
        source = f"the environment variable {variable}"
        if not held:
            raise ConfigurationError(f"target {name}: {source} is not set; it must hold the token")
    elif given:
        file = configuration.path.parent / given
        source = f"{which}_file {file}"
        try:
            held = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise ConfigurationError(f"target {name}: cannot read {source}: {reason}") from None
        if not held:
            raise ConfigurationError(f"target {name}: {source} is empty")
    else:
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", held):
        raise ConfigurationError(
            f"target {name}: what {source} holds is no bearer token (spaces or control characters)"
        )
    return held


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name}: {error}") from None  # names line and column


def _targets(table: object, problems: list[str]) -> dict[str, TargetTable]:
    if not isinstance(table, dict):
        problems.append("targets: must be tables, [targets.NAME]")
        return {}
    if LOCAL in table:
        problems.append(f"targets.{LOCAL}: the name {LOCAL} is taken by the target that is started here")
    read = {name: _validate(f"targets.{name}", TargetTable, value, problems) for name, value in table.items()}
    return {name: target for name, target in read.items() if target is not None}


def _validate(place: str, model: type[T], value: object, problems: list[str]) -> T | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems.extend(_problem(place, model, dict(detail)) for detail in error.errors(include_url=False))
        return None


def _problem(place: str, model: type[BaseModel], detail: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors. The value is never repeated: it may be a secret in the wrong place."""
    steps: Sequence[int | str] = detail["loc"]
    where = place + "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in steps)
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key{_did_you_mean(str(steps[-1]), _keys(model, steps[:-1]))}"
    if detail["type"] == "missing":
        return f"{where}: is missing"
    return f"{where}: {str(detail['msg']).removeprefix('Value error, ')}"


def _keys(model: type[BaseModel], steps: Sequence[int | str]) -> list[str]:
    """The keys that are known at the place where the steps lead."""
    for step in steps:
        if isinstance(step, str):
            inner = _inner_model(model.model_fields[step].annotation) if step in model.model_fields else None
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _inner_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for argument in get_args(annotation) if (inner := _inner_model(argument))), None)


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f" (known: {', '.join(sorted(set(known)))})" if known else ""
