"""A revision as one side of the comparison: its database made once, then a fresh server and a fresh load each time."""

import contextlib
import dataclasses
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.client import connect
from harness.errors import HarnessError
from harness.process import Command, ProcessError, child_environment, run
from harness.repository import REPOSITORY
from harness.targets import Sandbox
from harness.targets.local import register_store
from harness.targets.server import Served, create_tenant, run_server_command, server_environment, serving
from perf.blocks import Side
from perf.compare.generator import Slice
from perf.compare.model import CompareProfile
from perf.errors import PerfError
from perf.peers.arms import pin
from perf.peers.generator import FAILED
from perf.peers.plan import Plan, tool_call
from perf.revisions import Checkout

VERSION = "2025-11-25"
"""The revision of MCP that the load is sent in."""
# Neither side's limiter may answer in its tools' place.
SETTINGS = {"RATE_LIMIT_RPM": "1000000000"}
DATABASE = "app.db"


class BrokenSideError(PerfError):
    """A side answered under load what it did not answer before, or came to an end."""

    def __init__(self, side: Side, message: str) -> None:
        super().__init__(message)
        self.side = side


@dataclass(frozen=True)
class Stage:
    """What both sides have in common. `seconds` is how long each server is measured, after the warm-up.

    Servers run on the one processor, generators on the other; `state` is a folder for databases.
    """

    sandbox: Sandbox
    profile: CompareProfile
    warm_up_seconds: float
    seconds: float
    processors: tuple[int, int]
    state: Path
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Answered:
    """A call of a tool, and the structured content that it answers with."""

    tool: str
    arguments: dict[str, Any]
    expected: dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A side whose database has a tenant with the sandbox's store.

    `tools` are the definitions of the tools that are called, `calls` the calls with the answers that they must have.
    """

    side: Side
    checkout: Checkout
    logs: Path
    environment: Mapping[str, str] = field(repr=False)
    key: str = field(repr=False)
    tools: Mapping[str, Mapping[str, Any]]
    calls: tuple[Answered, ...]


def prepare_side(side: Side, checkout: Checkout, stage: Stage, *, logs: Path) -> Contender:
    """Return a side that is ready to be measured. Raises HarnessError, whose line begins with the side, where none is.

    Every call is made twice: the second answer is what the load must get, from the cache or not.
    """
    folder = stage.state / side
    folder.mkdir()
    given = {
        **SETTINGS,
        **stage.profile.settings,
        "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
        "MASTER_KEY": secrets.token_urlsafe(32),
        "ADMIN_TOKEN": secrets.token_urlsafe(32),
        "ORDERDESK_BASE_URL": stage.sandbox.api_url,
    }
    environment = server_environment(given, stage.environ)
    where: dict[str, Any] = {"environment": environment, "logs": logs, **dataclasses.asdict(checkout)}
    try:
        run_server_command("migrate", **where)
        key = create_tenant("compare", **where).key
        with serving(**where) as served, connect(f"{served.base_url}/mcp", key) as client:
            register_store(client, stage.sandbox.accounts[0])
            offered = {tool["name"]: tool for tool in client.list_tools()}
            tools = {call.tool: offered[call.tool] for call in stage.profile.calls if call.tool in offered}
            asked = tuple(Answered(call.tool, call.arguments, {}) for call in stage.profile.calls)
            _answers(served, key, asked)
            calls = _answers(served, key, asked)
    except HarnessError as error:
        raise PerfError(f"{side}: {error}") from error
    return Contender(side, checkout, logs, environment, key, tools, calls)


def measure_pair(first: Contender, second: Contender, stage: Stage) -> dict[Side, list[Slice]]:
    """Return what two fresh servers, started in this order, did under the load that they get by turns.

    Raises BrokenSideError at a wrong answer or a server that ended, HarnessError when there was no measurement.
    """
    pair = {}
    with contextlib.ExitStack() as stack:
        for contender in (first, second):
            served = stack.enter_context(_fresh(contender, stage))
            pin(served.process.pid, stage.processors[0])
            pair[contender.side] = contender, served
        for contender, served in pair.values():
            _answers(served, contender.key, contender.calls)
        try:
            return _generate(pair, stage)
        except ProcessError as error:
            for side, (_, served) in pair.items():
                if served.process.exit_code is not None:
                    raise BrokenSideError(side, f"{side}: {served.process.failure('ended under load')}") from error
            raise


@contextlib.contextmanager
def _fresh(contender: Contender, stage: Stage) -> Iterator[Served]:
    """A server of its own on a copy of the side's database, as it was before any load."""
    with tempfile.TemporaryDirectory(dir=stage.state) as folder:
        shutil.copytree(stage.state / contender.side, folder, dirs_exist_ok=True)
        environment = {**contender.environment, "DATABASE_URL": f"sqlite:///{folder}/{DATABASE}"}
        checkout = dataclasses.asdict(contender.checkout)
        with serving(environment=environment, logs=contender.logs, **checkout) as served:
            yield served


def _answers(served: Served, key: str, calls: tuple[Answered, ...]) -> tuple[Answered, ...]:
    """Each call with what it answers now. Raises PerfError for one that is refused, ClientError where none comes."""
    found = []
    with connect(f"{served.base_url}/mcp", key, version=VERSION) as client:
        for call in calls:
            outcome = client.call_tool(call.tool, call.arguments)
            if outcome.is_error or outcome.structured is None:
                raise PerfError(f"{call.tool} was refused: {outcome.text[:200]}")
            found.append(dataclasses.replace(call, expected=dict(outcome.structured)))
    return tuple(found)


def _generate(pair: Mapping[Side, tuple[Contender, Served]], stage: Stage) -> dict[Side, list[Slice]]:
    with contextlib.ExitStack() as stack:
        plans = []
        for side, (contender, served) in pair.items():
            # A file, readable by its owner alone: the plan holds a key.
            file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="quartermaster-plan-", suffix=".json"))
            file.write(_plan(contender, served, stage).dump())
            file.flush()
            plans.append(f"{side}={file.name}")
        arguments = (sys.executable, "-m", "perf.compare.generator", str(stage.warm_up_seconds), *plans)
        command = Command("generator", arguments, child_environment({}, stage.environ), REPOSITORY)
        logs = pair["base"][0].logs.parent
        try:
            printed = run(command, logs=logs, seconds=2 * (stage.warm_up_seconds + stage.seconds) + 60)
        except ProcessError as error:
            if error.exit_code != FAILED:
                raise
            line = error.last_lines[-1]
            raise BrokenSideError("head" if line.startswith("head: ") else "base", line) from error
    found: dict[Side, list[Slice]] = {}
    for side, slices in json.loads(printed).items():
        found[side] = [Slice(**each) for each in slices]
    return found


def _plan(contender: Contender, served: Served, stage: Stage) -> Plan:
    host, _, port = served.base_url.removeprefix("http://").partition(":")
    return Plan(
        host=host,
        port=int(port),
        token=contender.key,
        version=VERSION,
        connections=stage.profile.connections,
        seconds=stage.seconds,
        processor=stage.processors[1],
        server_pid=served.process.pid,
        calls=tuple(tool_call(call.tool, call.arguments, call.expected) for call in contender.calls),
    )
