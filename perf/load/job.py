"""The job behind `./inv load`: profile and target found, k6 run and watched, its record written."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from harness.collector import Run
from harness.config import LOCAL, Configuration, find_target, load, read_token
from harness.errors import UsageError
from harness.job import run_configured, spell
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget, RunningTarget, open_target, start_local
from perf.errors import PerfError
from perf.load.bottleneck import Bottleneck, find_bottleneck
from perf.load.evidence import add_series, judge_bottleneck, judge_leaks, judge_memory, judge_samples
from perf.load.judge import Doubt, judge
from perf.load.k6 import MIX, SCRIPTS, Summary, find_k6, run_k6
from perf.load.model import LOCAL_SCENARIOS, LoadTable, Profile
from perf.load.sampling import Place, Sampler, place_of, windows_of, write_series
from perf.load.scenarios import judge_cache, judge_hit_rate, judge_limits, judge_pool
from perf.load.staleness import read_answers
from perf.load.watching import Watching

# A server started for the load must not refuse it, unless that is what its profile is for.
LOCAL_SETTINGS = {"RATE_LIMIT_RPM": "1000000"}
QUIET_SECONDS = 10.0
"""How long after the load the server may take to give back what it held."""


@dataclass(frozen=True)
class Options:
    """What `./inv load` was asked for. `allow_production` repeats the name of a production target."""

    profile: str
    target: str = LOCAL
    allow_production: str = ""
    faults: bool = False


@dataclass(frozen=True)
class Tool:
    """Which k6 runs which script; without a script the scenario's own."""

    program: Path
    script: Path | None = None


def run_load(
    options: Options,
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    tool: Tool | None = None,
) -> int:
    """Return the exit code of a load, its record written.

    Raises UsageError for an unusable ops.toml or waivers.toml, an unknown profile or target, a production target that
    was not named twice, and a profile that the target cannot have.
    """
    configuration = load(repository / "ops.toml", {"load": LoadTable})
    profile = choose_profile(options, configuration.table("load", LoadTable))
    refuse_production(options, configuration)

    def body(run: Run) -> None:
        run.progress.now(f"opening target {options.target}")
        logs = run.directory / "logs"
        with open_for(options.target, profile, configuration, logs=logs, environ=environ) as target:
            run.target = target.target
            admin = admin_token_for(options.target, configuration, environ)
            used = tool or Tool(find_k6())
            measure_load(run, target, profile, environ=environ, tool=used, name=options.profile, admin_token=admin)

    return run_configured(
        "load",
        body,
        configuration,
        arguments={
            **spell_load("load", options, allow_inconclusive),
            "profile": options.profile,
            "target": options.target,
            "faults": options.faults,
        },
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )


def spell_load(kind: str, options: Options, allow_inconclusive: Sequence[str]) -> dict[str, JsonValue]:
    """What the record keeps of the words with which the same load is sent again."""
    given = [
        ("--profile", options.profile),
        ("--target", "" if options.target == LOCAL else options.target),
        ("--allow-production", options.allow_production),
    ]
    return spell(kind, given, allow_inconclusive, flags=["--faults"] if options.faults else [])


def choose_profile(options: Options, table: LoadTable) -> Profile:
    """Return the profile asked for, its fault taken out unless it was asked for too.

    Raises UsageError where there is none of this name, it has no fault, or the target cannot have it.
    """
    profile = table.find(options.profile)
    if options.faults and profile.fault is None:
        raise UsageError(
            f"profile {options.profile} has no fault; give it a table [load.profiles.{options.profile}.fault]"
        )
    if options.target != LOCAL and (options.faults or profile.scenario in LOCAL_SCENARIOS):
        raise UsageError(
            f"profile {options.profile} needs a server and a sandbox of its own: leave out --target {options.target}"
        )
    return profile if options.faults else profile.model_copy(update={"fault": None})


def refuse_production(options: Options, configuration: Configuration) -> None:
    """Raise UsageError for a production target unless the operator has repeated its name."""
    if options.target == LOCAL or not find_target(configuration, options.target).production:
        return
    if options.allow_production != options.target:
        raise UsageError(
            f"target {options.target} is production: no load is sent there unasked; "
            f"to send it all the same, add --allow-production {options.target}"
        )


def measure_load(
    run: Run,
    target: RunningTarget,
    profile: Profile,
    *,
    environ: Mapping[str, str],
    tool: Tool,
    name: str = "load",
    admin_token: str | None = None,
) -> None:
    """Run the profile and judge it. Without enough answers nothing is judged, and the run is inconclusive."""
    if target.target.production and "update" in profile.mix:
        run.skip("updates", "orders are updated", "nothing is changed on a production target")
        kept = {kind: weight for kind, weight in profile.mix.items() if kind != "update"}
        profile = profile.model_copy(update={"mix": kept or {"cached_read": 1}})
    journal_from = _journal_from(target, profile)
    summary = None
    with Sampler(locate(target, admin_token)) as sampler:
        watching = Watching(sampler, profile, run.progress, name)
        title = f"{profile.senders} for {profile.seconds} s get at least {profile.minimum_answers} answers"
        with run.check("traffic", title, at_least=profile.minimum_answers) as check:
            summary = run_k6(
                tool.program,
                tool.script or _script(profile),
                profile,
                endpoint_of(target, profile),
                directory=run.directory,
                environ=environ,
                watch=watching,
            )
            check.examined = summary.count("answers")
        windows = windows_of(sampler)
        write_series(run.artifact_path("series.json"), windows)
        add_series(run, windows)
        if summary is None:
            return
        if watching.given_up:
            _tell_early_end(run, summary, watching.given_up)
        if summary.count("answers") < profile.minimum_answers:
            return
        accounts = len(target.tenants) if isinstance(target, LocalTarget) else 1
        bottleneck = find_bottleneck(windows, cores=os.cpu_count() or 1, accounts=accounts)
        doubt = doubt_of(bottleneck)
        judge(run, summary, profile, doubt=doubt)
        judge_samples(run, sampler.readings, wanted=sampler.place.admin_token is not None)
        judge_bottleneck(run, bottleneck, profile)
        judge_memory(run, windows, profile)
        if profile.hit_rate is not None:
            # While OrderDesk fails nothing can be kept: what is asked for again and again is missing each time.
            judge_hit_rate(run, sampler.readings, None if profile.fault else profile.hit_rate)
        if isinstance(target, LocalTarget):
            if not watching.given_up:
                _wait_for_quiet(sampler)
            judge_leaks(run, sampler.readings)
            if profile.scenario == "limits":
                judge_limits(run, summary, profile, doubt)
            _judge_scenario(run, target, profile, sampler, journal_from)


def _judge_scenario(run: Run, target: LocalTarget, profile: Profile, sampler: Sampler, journal_from: int) -> None:
    if profile.scenario == "pool":
        judge_pool(run, windows_of(sampler), sampler.readings)
    if profile.scenario == "cache":
        with SandboxClient(target.sandbox.base_url) as sandbox:
            journal = sandbox.journal(since=journal_from)
        log = (run.directory / "logs" / "k6.stderr.log").read_text("utf-8", "replace")
        judge_cache(run, profile, journal, read_answers(log))


def _tell_early_end(run: Run, summary: Summary, reason: str) -> None:
    """A load that was given up failed, unless nobody ever answered it: then nothing is known."""
    with run.check("comes_to_its_end", "the load is sent to its end") as check:
        if not summary.count("answers"):
            raise PerfError(f"given up: {reason}")
        check.examined = 1
        check.fail(f"given up: {reason}")


def doubt_of(bottleneck: Bottleneck | None) -> Doubt:
    """Why what was timed says little of the server, where it does."""
    if bottleneck is not None and bottleneck.is_generator:
        return Doubt(f"k6 was the limit, and times itself: {bottleneck.evidence}", also_of_good_ones=True)
    if bottleneck is not None and bottleneck.is_others:
        return Doubt(f"the machine was busy with something else: {bottleneck.evidence}")
    return Doubt()


def admin_token_for(name: str, configuration: Configuration, environ: Mapping[str, str]) -> str | None:
    """The admin token that ops.toml names for a target, None where it names none; a local server has its own."""
    return None if name == LOCAL else read_token(configuration, name, environ, "admin_token")


def locate(target: RunningTarget, admin_token: str | None) -> Place:
    """Where the target can be looked at while it is loaded."""
    if isinstance(target, LocalTarget):
        return place_of(target.url, target.admin_token, target.server.pid)
    return place_of(target.url, admin_token)


def _script(profile: Profile) -> Path:
    return SCRIPTS / f"{profile.scenario}.js" if profile.scenario != "mix" else MIX


def endpoint_of(target: RunningTarget, profile: Profile) -> dict[str, Any]:
    """What the scripts are told of the target: of a local one also its sandbox, and the second tenant."""
    endpoint: dict[str, Any] = {"url": target.url, "token": target.token, "store": target.store}
    if isinstance(target, LocalTarget):
        endpoint["control"] = target.sandbox.control_url
        if profile.scenario == "limits":
            account = target.sandbox.accounts[1]
            endpoint["noisy"] = {"token": target.tenants[1].key, "store": account.store_id}
    return endpoint


def _journal_from(target: RunningTarget, profile: Profile) -> int:
    if profile.scenario != "cache" or not isinstance(target, LocalTarget):
        return 0
    with SandboxClient(target.sandbox.base_url) as sandbox:
        return sandbox.last_sequence()


def _wait_for_quiet(sampler: Sampler) -> None:
    """Read until the server holds no connection of k6's any more, and no call, or QUIET_SECONDS are over."""
    deadline = time.monotonic() + QUIET_SECONDS
    first = sampler.readings[0].server_process
    while time.monotonic() < deadline:
        reading = sampler.read(None)
        server, process = reading.server, reading.server_process
        idle = server is None or server.total("db_pool_available") == server.total("db_pool_size")
        if process is None or (idle and first and process.connections <= first.connections):
            return
        time.sleep(0.2)


def open_for(
    name: str, profile: Profile, configuration: Configuration, *, logs: Path, environ: Mapping[str, str]
) -> AbstractContextManager[RunningTarget]:
    """Open the target of this name; `local` is started with what the profile needs."""
    if name == LOCAL:
        settings = {**LOCAL_SETTINGS, **profile.server}
        stores = 2 if profile.scenario == "limits" else 1
        return start_local(logs=logs, environ=environ, settings=settings, stores=stores)
    return open_target(name, configuration, logs=logs, environ=environ)
