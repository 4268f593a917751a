"""The official suite: installed once per lock into a cache folder, asked for its requirement sets, and run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError
from harness.node import Node, find_node
from harness.npm import install_packages
from harness.process import Command, child_environment, run, running
from harness.repository import REPOSITORY

PIN = Path(__file__).with_name("suite")
"""The folder of package.json and package-lock.json."""
CACHE = REPOSITORY / ".cache" / "conformance"
PACKAGE = "@modelcontextprotocol/conformance"
READ_SECONDS = 30.0
RUN_SECONDS = 300.0
READ_YAML = 'JSON.stringify(require("yaml").parse(require("fs").readFileSync(process.argv[1], "utf8")))'


class SuiteError(HarnessError):
    """The suite is not what it should be: its package or its requirement sets."""


@dataclass(frozen=True)
class Requirements:
    """The server scenarios of a revision: those that count, and why the others do not."""

    revision: str
    scored: tuple[str, ...]
    not_scored: Mapping[str, str]


@dataclass(frozen=True)
class Suite:
    """An installed suite. `environ` is what its processes inherit a few machine variables from; no secret is there."""

    folder: Path
    version: str
    node: Node
    environ: Mapping[str, str]
    logs: Path

    @property
    def package(self) -> Path:
        """The folder of the suite's own package."""
        return self.folder / "node_modules" / PACKAGE

    def requirements(self, revision: str) -> Requirements:
        """Return what a revision requires of a server. Raises HarnessError when the suite does not say."""
        file = self.package / "requirements" / f"{revision}.yaml"
        command = self._command(f"requirements-{revision}", "-p", READ_YAML, str(file))
        return read_requirements(revision, run(command, logs=self.logs, seconds=READ_SECONDS))

    def run(self, name: str, url: str, output: Path, *options: str) -> int:
        """Run server scenarios against `url`, results under `output`; returns the suite's verdict, 0 or 1.

        What it prints goes to the logs under `name`. Raises HarnessError when it cannot be run, breaks or does not end.
        """
        program = str(self.package / "dist/index.js")
        command = self._command(name, program, "server", "--url", url, "--output-dir", str(output), *options)
        with running(command, logs=self.logs) as process:
            if (code := process.wait(seconds=RUN_SECONDS)) not in {0, 1}:
                raise process.failure("broke off")
            return code

    def _command(self, name: str, *arguments: str) -> Command:
        return Command(name, self.node.run(*arguments), child_environment({}, self.environ), self.folder)


class _NotScored(BaseModel):
    scenario: str
    leg: str
    reason: str


class _RequirementFile(BaseModel):
    server: tuple[str, ...]
    not_scored: tuple[_NotScored, ...] = ()


def read_requirements(revision: str, text: str) -> Requirements:
    """Return the server's part of a requirement set in JSON. Raises SuiteError when there is none."""
    try:
        read = _RequirementFile.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise SuiteError(f"the suite's requirement set {revision} cannot be read: {place}: {problem['msg']}") from None
    if not read.server:
        raise SuiteError(f"the suite's requirement set {revision} names no server scenario")
    not_scored = {each.scenario: each.reason for each in read.not_scored if each.leg == "server"}
    return Requirements(revision, read.server, not_scored)


def install_suite(*, logs: Path, environ: Mapping[str, str], pin: Path = PIN, cache: Path = CACHE) -> Suite:
    """Return the suite that `pin` locks, downloaded only when the cache does not hold it.

    Raises HarnessError when it cannot be installed, or is not the version that is pinned.
    """
    node = find_node()
    folder = install_packages(pin, cache, node=node, logs=logs, environ=environ)
    pinned = json.loads((pin / "package.json").read_text("utf-8"))["dependencies"][PACKAGE]
    return Suite(folder, pinned, node, environ, logs)


def expected_failures(entries: Iterable[str]) -> str:
    """The suite's file of expected failures. It is YAML; this is the JSON that is YAML too."""
    return json.dumps({"server": sorted(entries)}, indent=2) + "\n"
