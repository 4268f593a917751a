"""The job behind `./inv peers`: both environments made, the comparison run, its record written, its table printed."""

import sys
from collections.abc import Mapping
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.edge import write_out
from harness.job import run_configured
from harness.virtual_environment import prepare
from perf.peers.arms import start_others
from perf.peers.compare import measure_peers
from perf.peers.judge import table


def compare_with_peers(*, repository: Path, environ: Mapping[str, str], as_json: bool) -> int:
    """Return the exit code of the comparison, its record written. Raises UsageError for an unusable ops.toml."""
    found = ""

    def body(run: Run) -> None:
        nonlocal found
        logs = run.directory / "logs"
        run.progress.now("making both environments (once per change of their requirements)")
        ours, peers = (prepare(repository, name, logs=logs, environ=environ) for name in ("server", "peers"))
        rounds = measure_peers(
            run,
            lambda logs, orders: start_others(ours, peers, orders, logs=logs, environ=environ),
            environ=environ,
            python=ours,
        )
        found = table(rounds) if rounds else ""

    configuration = load(repository / "ops.toml")
    code = run_configured("peers", body, configuration, arguments={"target": "local"}, as_json=as_json)
    if found and not as_json:
        write_out(sys.stdout, f"\n{found}\n")
    return code
