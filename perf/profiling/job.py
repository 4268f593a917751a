"""The job behind `./inv profile`: a server under load looked into, and each tool of another one measured uncached."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.job import run_configured
from harness.targets import start_local
from perf.load.k6 import find_k6
from perf.profiling import ranking, sampling
from perf.profiling.sampling import Programs, sample_under_load
from perf.profiling.spy import find_py_spy
from perf.queries.model import ProfileTable

KIND = "profile"


def profile(
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    programs: Programs | None = None,
) -> int:
    """Return the exit code of the profile, its record written. Raises UsageError for an unusable ops.toml."""
    configuration = load(repository / "ops.toml", {"profile": ProfileTable})
    table = configuration.table("profile", ProfileTable)
    found = programs or Programs(find_k6(), find_py_spy())

    def body(run: Run) -> None:
        logs = run.directory / "logs"
        run.progress.now("starting a server that caches everything")
        with start_local(logs=logs / "loaded", environ=environ, settings=sampling.SETTINGS) as target:
            run.target = target.target
            sample_under_load(run, target, table.sampling, found, environ)
        run.progress.now("starting a server that caches nothing")
        with start_local(logs=logs / "uncached", environ=environ, settings=ranking.SETTINGS) as target:
            ranking.rank_tools(run, target, table.tools)

    return run_configured(
        KIND,
        body,
        configuration,
        arguments={"target": "local"},
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )
