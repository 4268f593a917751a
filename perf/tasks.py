"""Invoke tasks of perf."""

import os

from invoke.collection import Collection
from invoke.context import Context

from harness.repository import REPOSITORY
from harness.tasks import command


@command("peers")
def peers(_: Context, json: bool = False) -> int:
    """Compare one worker with FastMCP, the official SDK and our bare dispatcher, interleaved in one run."""
    from perf.peers.job import compare_with_peers  # noqa: PLC0415 -- what only this task needs would slow ./inv --list

    return compare_with_peers(repository=REPOSITORY, environ=os.environ, as_json=json)


@command(
    "load",
    profile="a [load.profiles.NAME] of ops.toml",
    allow_production="the target's name once more, where it is a production one",
    faults="let OrderDesk fail for a while, as the profile's table `fault` says",
)
def load(
    _: Context,
    allow_inconclusive: list[str],
    profile: str = "nightly",
    target: str = "local",
    allow_production: str = "",
    faults: bool = False,
    json: bool = False,
) -> int:
    """Send a profile's load with k6 and judge answers, failures and durations; what limited it is told."""
    from perf.load.job import Options, run_load  # noqa: PLC0415 -- see peers

    return run_load(
        Options(profile, target, allow_production, faults),
        repository=REPOSITORY,
        environ=os.environ,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


@command(
    "load.capacity",
    profile="a [load.profiles.NAME] of ops.toml, a mix without updates",
    allow_production="the target's name once more, where it is a production one",
)
def capacity(
    _: Context,
    allow_inconclusive: list[str],
    profile: str = "capacity",
    target: str = "local",
    allow_production: str = "",
    json: bool = False,
) -> int:
    """Search for the highest rate of arrivals that meets a profile's limits, and tell what gave out first."""
    from perf.capacity.job import run_capacity  # noqa: PLC0415 -- see peers
    from perf.load.job import Options  # noqa: PLC0415 -- see peers

    return run_capacity(
        Options(profile, target, allow_production),
        repository=REPOSITORY,
        environ=os.environ,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


@command("profile")
def profile(_: Context, allow_inconclusive: list[str], json: bool = False) -> int:
    """Look into the server under load (a flame graph, what costs most), and rank every tool with nothing cached."""
    from perf.profiling.job import profile as look  # noqa: PLC0415 -- see peers

    return look(repository=REPOSITORY, environ=os.environ, as_json=json, allow_inconclusive=allow_inconclusive)


@command(
    "load.compare",
    base="the revision to compare with",
    head="the revision to judge (default: HEAD, without changes that are not committed)",
    profile="a [load.compare.profiles.NAME] of ops.toml",
)
def compare(
    _: Context,
    allow_inconclusive: list[str],
    base: str = "",
    head: str = "",
    profile: str = "cached",
    json: bool = False,
) -> int:
    """Load two revisions by turns, and fail where head costs more."""
    from perf.compare.job import Asked, run_compare  # noqa: PLC0415 -- see peers

    return run_compare(
        Asked(base, head, profile),
        repository=REPOSITORY,
        environ=os.environ,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


@command("profile.queries")
def queries(_: Context, allow_inconclusive: list[str], json: bool = False) -> int:
    """Explain every statement that the server sends to a large database, and judge the plans."""
    from perf.queries.job import profile_queries  # noqa: PLC0415 -- see peers

    return profile_queries(
        repository=REPOSITORY, environ=os.environ, as_json=json, allow_inconclusive=allow_inconclusive
    )


@command("profile.cache")
def cache(_: Context, allow_inconclusive: list[str], json: bool = False) -> int:
    """Measure what each time to live saves upstream and costs in staleness, and that the cache's memory is bounded."""
    from perf.caching.job import profile_cache  # noqa: PLC0415 -- see peers

    return profile_cache(repository=REPOSITORY, environ=os.environ, as_json=json, allow_inconclusive=allow_inconclusive)


@command(
    "bench",
    base="the revision to compare with; without it the work tree is measured alone",
    head="the revision to judge (default: HEAD, without changes that are not committed)",
)
def bench(_: Context, allow_inconclusive: list[str], base: str = "", head: str = "", json: bool = False) -> int:
    """Measure the server's hot paths; with --base, fail where a revision made one slower."""
    from perf.bench.job import run_bench  # noqa: PLC0415 -- see peers

    return run_bench(
        base, head, repository=REPOSITORY, environ=os.environ, as_json=json, allow_inconclusive=allow_inconclusive
    )


loads = Collection("load", capacity, compare)
loads.add_task(load, default=True)
profiles = Collection("profile", queries, cache)
profiles.add_task(profile, default=True)
namespace = Collection(bench, peers, loads, profiles)
