"""A job for the night that does what its first argument says. Started as a child process by the tests beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.record import Direction
from harness.run import Run, run_job

REPORTS = Path(os.environ["FAKE_REPORTS"])
NOTES = Path(os.environ["FAKE_NOTES"])
Body = Callable[[Run], None]


def job(body: Body, *, allow: tuple[str, ...] = ()) -> int:
    return run_job("fake", body, arguments={}, reports_directory=REPORTS, as_json=True, allow_inconclusive=allow)


def job_without_output(body: Body) -> None:
    sys.stdout.flush()
    printed = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    job(body)
    os.dup2(printed, 1)


def print_latest(**changes: Any) -> int:
    record = json.loads((REPORTS / "latest-fake" / "record.json").read_text())
    sys.stdout.write(json.dumps(record | changes))
    return 0


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def pass_everything(run: Run) -> None:
    with run.check("answers", "It answers") as check:
        check.expect(1, "")
    run.measure("call_duration", 0.2, "s", statistic="p95", samples=400, limit=0.5, direction=Direction.LOWER)
    run.measure("call_duration", 0.1, "s", statistic="p50", samples=400)
    run.log_path("server.log").write_text("started\n")


def fail_one(run: Run) -> None:
    pass_everything(run)
    with run.check("findings", "Nothing is found") as check:
        check.examined = 3
        check.find("RULE-1", "something bad", location="a.py:1")


def skip_everything(run: Run) -> None:
    run.skip("everything", "All that there is", "left out")


def not_know(run: Run) -> None:
    pass_everything(run)
    with run.check("unknown", "Something that cannot be told"):
        raise RuntimeError("no idea")


def be_slow(run: Run) -> None:
    fail_one(run)
    (NOTES / "slow").write_text(str(os.getpid()))
    time.sleep(60)


def leave_a_child(run: Run) -> None:
    pass_everything(run)
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (NOTES / "grandchild").write_text(str(child.pid))


def usage() -> int:
    say("fake: --speed must be a number")
    return 2


def silent() -> int:
    return 0


def garbage() -> int:
    sys.stdout.write("All good!\n")
    return 0


def incomplete() -> int:
    job_without_output(pass_everything)
    return print_latest(checks=None)


def contradicts_itself() -> int:
    job_without_output(fail_one)
    return print_latest(status="passed", exit_code=0)


def differs() -> int:
    job_without_output(pass_everything)
    return print_latest(duration_seconds=1.5)


def lies() -> int:
    job(pass_everything)
    say("something went wrong after all")
    return 1


def unkept() -> int:
    job(pass_everything)
    (REPORTS / "latest-fake" / "record.json").unlink()
    return 0


def killed() -> int:
    say("about to end")
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def hangs() -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (NOTES / "hangs").write_text(str(os.getpid()))
    say("waiting for ever")
    time.sleep(60)
    return 0


MODES: dict[str, Callable[[], int]] = {
    "passes": lambda: job(pass_everything),
    "fails": lambda: job(fail_one),
    "shows_nothing": lambda: job(skip_everything),
    "cannot_tell": lambda: job(not_know),
    "allows": lambda: job(not_know, allow=("unknown",)),
    "is_slow": lambda: job(be_slow),
    "leaves_a_child": lambda: job(leave_a_child),
    "stale": print_latest,
    **{
        mode.__name__: mode
        for mode in (usage, silent, garbage, incomplete, contradicts_itself, differs, lies, unkept, killed, hangs)
    },
}

if __name__ == "__main__":
    assert sys.argv[-1] == "--json"
    say("starting")
    sys.exit(MODES[sys.argv[1]]())
