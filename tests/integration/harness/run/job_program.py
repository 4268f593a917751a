"""A job as a program, for the tests beside it: passes, or waits until it is interrupted."""

import asyncio
import subprocess
import sys
from pathlib import Path

from harness.run import Run, run_job


def passes(run: Run) -> None:
    with run.check("answers", "It answers") as check:
        check.expect(1, "")


def waits(run: Run) -> None:
    passes(run)
    child = subprocess.Popen(["sleep", "60"])
    try:
        with run.check("waits", "It waits") as check:
            check.examined = 1
            run.log_path("child.pid").write_text(str(child.pid))  # from here on a signal meets the open check
            child.wait()
    finally:
        child.terminate()
        child.wait()


def waits_in_a_loop(run: Run) -> None:
    async def wait() -> None:
        try:
            run.log_path("child.pid").write_text("0")
            await asyncio.sleep(60)
        finally:
            run.log_path("cleaned-up").write_text("yes")

    passes(run)
    asyncio.run(wait())


BODIES = {"passes": passes, "waits": waits, "waits_in_a_loop": waits_in_a_loop}

if __name__ == "__main__":
    code = run_job(
        "example",
        BODIES[sys.argv[1]],
        arguments={},
        reports_directory=Path(sys.argv[2]),
        as_json="--json" in sys.argv,
    )
    sys.exit(code)
