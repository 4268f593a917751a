"""The job behind `./inv peers`: both environments made, the comparison run, its record written."""

from collections.abc import Mapping
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.run import run_job
from harness.virtual_environment import prepare
from perf.peers.arms import start_fastmcp
from perf.peers.compare import measure_peers


def compare_with_fastmcp(*, repository: Path, environ: Mapping[str, str], as_json: bool) -> int:
    """Return the exit code of the comparison, its record written. Raises UsageError for an unusable ops.toml."""

    def body(run: Run) -> None:
        logs = run.directory / "logs"
        run.progress.now("making both environments (once per change of their requirements)")
        ours, peers = (prepare(repository, name, logs=logs, environ=environ) for name in ("server", "peers"))
        measure_peers(run, lambda logs: start_fastmcp(peers, logs=logs, environ=environ), environ=environ, python=ours)

    configuration = load(repository / "ops.toml")
    return run_job(
        "peers",
        body,
        arguments={"target": "local"},
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        keep_runs=configuration.reports.keep,
    )
