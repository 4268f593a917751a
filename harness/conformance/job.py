"""`./inv conformance`: four legs on the local target, the two of the production registry on a remote one."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from harness.collector import Run
from harness.conformance.fixture import PROGRAM, serving_fixture
from harness.conformance.leg import FIXTURE, JOB, PRODUCTION, Leg
from harness.conformance.measure import check_canary, measure_leg
from harness.conformance.relay import Relay, relaying
from harness.conformance.suite import CACHE, PIN, Requirements, Suite, install_suite
from harness.errors import Inconclusive
from harness.job import run_on_target
from harness.targets import LocalTarget, RunningTarget
from harness.waivers import Waiver, load_waivers

REVISIONS = ("2026-07-28", "2025-11-25")


def run_conformance(
    *,
    repository: Path,
    environ: Mapping[str, str],
    target_name: str,
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    program: Path = PROGRAM,
    pin: Path = PIN,
    cache: Path = CACHE,
) -> int:
    """Return the exit code of the job, its record written. Raises UsageError as `run_on_target` does.

    `program` serves the fixture registry; `pin` and `cache` are where the suite is locked and where it is kept.
    """
    today = datetime.now(UTC).date()
    waivers = load_waivers(repository / "waivers.toml", today)

    def measure(run: Run, target: RunningTarget) -> None:
        logs = run.directory / "logs"
        suite, requirements = None, []
        with run.check(
            "suite", "The pinned suite is installed and names its scenarios", at_least=len(REVISIONS)
        ) as check:
            suite = install_suite(logs=logs, environ=environ, pin=pin, cache=cache)
            for revision in REVISIONS:
                requirements.append(suite.requirements(revision))
                check.examined += 1
            check.evidence.append(f"{suite.version} in {suite.folder.name}")
        if suite is None or len(requirements) < len(REVISIONS):
            return
        for revision in REVISIONS:
            check_canary(run, suite, revision)
        legs = Legs(run, suite, requirements, waivers, today)
        legs.fixture(target, program, logs, environ)
        legs.production(target)

    return run_on_target(
        JOB,
        measure,
        repository=repository,
        environ=environ,
        target_name=target_name,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )


@dataclass(frozen=True)
class Legs:
    """What all legs of one run share."""

    run: Run
    suite: Suite
    requirements: Sequence[Requirements]
    waivers: Sequence[Waiver]
    today: date

    def fixture(self, target: RunningTarget, program: Path, logs: Path, environ: Mapping[str, str]) -> None:
        """Measure the fixture registry on this checkout's transport: it says nothing of a remote server."""
        title = "The fixture server starts"
        if not isinstance(target, LocalTarget):
            # With it, whether each exemption is still needed is left unjudged: the server may be of another release.
            self.run.skip("fixture", title, f"the target is {target.target.name}: only its own registry is measured")
            return
        with contextlib.ExitStack() as stack:
            url = ""
            with self.run.check("fixture", title) as check:
                url = stack.enter_context(serving_fixture(program, logs=logs, environ=environ))
                check.examined = 1
            if url:
                for each in self.requirements:
                    self._measure(Leg(FIXTURE, each), url)

    def production(self, target: RunningTarget) -> None:
        """Measure the target's own registry, as a tenant of its own where the target is local."""
        if target.target.production and not self._is_safe(target):
            return
        for each in self.requirements:
            token = target.token
            if isinstance(target, LocalTarget):
                token = target.new_tenant(f"conformance-{each.revision}")
            with relaying(target.url, token) as relay:
                self._measure(Leg(PRODUCTION, each), relay.url, relay)

    def _measure(self, leg: Leg, url: str, relay: Relay | None = None) -> None:
        measure_leg(self.run, leg, self.suite, url, leg.exempt(self.waivers, self.today), relay)

    def _is_safe(self, target: RunningTarget) -> bool:
        """Whether the one call that the suite makes to a tool it finds can change nothing."""
        with self.run.check("production", "What the suite calls on a production server changes nothing") as check:
            with target.connect() as client:
                tools = client.list_tools()
            check.examined = len(tools)
            if tools and not is_harmless(tools[0]):
                name = tools[0]["name"]
                raise Inconclusive(
                    f"the suite calls its first tool, {name}, without arguments; that may change something"
                )
            return True
        return False


def is_harmless(tool: Mapping[str, Any]) -> bool:
    """Whether a call without arguments is refused, or the tool only reads."""
    required = (tool.get("inputSchema") or {}).get("required")
    return bool(required) or (tool.get("annotations") or {}).get("readOnlyHint") is True
