"""What commands print and jobs leave behind: run records, every report, logs, and what other users of a machine see."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from harness.job import run_on_target
from harness.report import REPORT_NAMES
from harness.story import tell_story
from perf.load.job import Options as LoadOptions
from perf.load.job import run_load
from security.job import Options as AuditOptions
from security.job import run_audit
from tests.integration.server.leaks.calls import CALLS
from tests.integration.server.leaks.failures import faults
from tests.integration.server.leaks.places import COMMANDS, Place, everything_below, leaks
from tests.integration.server.leaks.watched import Watch, Watched
from tests.integration.server.operating import run_command

LEAKY = "tests.integration.server.leaks.leaky_server"
TOKEN, STRANGER, ADMIN = "LEAKS_TARGET_TOKEN", "LEAKS_STRANGER_TOKEN", "LEAKS_ADMIN_TOKEN"
GLANCE_SECONDS = 0.05
Job = Callable[[Path, Mapping[str, str]], int]


def story(folder: Path, environ: Mapping[str, str]) -> int:
    return run_on_target("story", tell_story, repository=folder, environ=environ, target_name="here")


def load(folder: Path, environ: Mapping[str, str]) -> int:
    return run_load(LoadOptions("small", "here"), repository=folder, environ=environ)


def audit(folder: Path, environ: Mapping[str, str]) -> int:
    return run_audit(AuditOptions(target="here", only=["configuration"]), repository=folder, environ=environ)


JOBS: dict[str, Job] = {"story": story, "load": load, "audit": audit}


def describe_target(watched: Watched, folder: Path) -> Mapping[str, str]:
    """Write the files that jobs read, and return the environment that they take the tokens from."""
    folder.mkdir()
    scene = watched.owner
    lines = [
        "[targets.here]",
        f'url = "{watched.bench.url}"',
        f'token_env = "{TOKEN}"',
        f'store = "{scene.shop.label}"',
        "[load.profiles.small]",
        *("users = 2", "seconds = 2", "think_milliseconds = 20", "mix = { cached_read = 6, protocol = 3, update = 1 }"),
        "minimum_answers = 5",
    ]
    (folder / "ops.toml").write_text("\n".join(lines), encoding="utf-8")
    (folder / "waivers.toml").write_text("", encoding="utf-8")
    return {**os.environ, TOKEN: scene.shop.tenant.key}


@contextlib.contextmanager
def glancing() -> Iterator[set[str]]:
    """Collect, as any user of the machine can, the command lines of all that this process starts."""
    seen: set[str] = set()
    over = threading.Event()

    def glance() -> None:
        while not over.wait(GLANCE_SECONDS):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    seen.add(" ".join(child.cmdline()))

    thread = threading.Thread(target=glance)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def run_jobs(watched: Watched, folder: Path, printed: Callable[[], str], *names: str) -> dict[str, Place]:
    """Run jobs once with all going well and once with nothing; what they printed, started and left behind."""
    scene = watched.owner
    for _ in range(6):
        scene.order()
    environ = describe_target(watched, folder)
    with glancing() as seen:
        for name in names:
            assert JOBS[name](folder, environ) in {0, 1, 3}
            scene.troubles.use(scene.shop, *faults(scene)["an error"])
            assert JOBS[name](folder, environ) in {0, 1, 3}
            scene.troubles.use(scene.shop)
    reports = [path for path in (folder / "reports").glob("2*") if path.is_dir()]
    assert len(reports) == 2 * len(names)
    for report in reports:
        assert {"record.json", *REPORT_NAMES} <= {path.name for path in report.iterdir()}
    places = {"the reports": Place(everything_below(folder / "reports"), watched.bench.url)}
    return {
        **places,
        "what jobs print": Place(printed(), names[0]),
        "command lines of jobs": Place("\n".join(sorted(seen)), "k6 run" if "load" in names else "serve"),
    }


@pytest.mark.timeout(240)
def test_jobs_leave_nothing_in_records_reports_logs_and_command_lines(
    watch: Watch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watched = watch()
    places = run_jobs(watched, tmp_path / "operator", lambda: "".join(capfd.readouterr()), *JOBS)
    assert watched.leaks(places) == []


def test_a_job_whose_server_tells_too_much_is_seen_to_publish_it(
    watch: Watch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watched = watch(LEAKY, LEAK_INTO="an error")
    with watched.bench.connect(watched.owner.shop.tenant) as client:
        client.call_tool("orders_find", {"source_id": watched.owner.sent.draw("e-mail")})
    places = run_jobs(watched, tmp_path / "operator", lambda: "".join(capfd.readouterr()), "story")
    assert [each for each in leaks(watched.tracer, places) if " in the reports" in each]


def test_commands_print_customers_only_where_they_were_asked_for_them(watch: Watch) -> None:
    watched = watch()
    scene, bench = watched.owner, watched.bench
    with bench.connect(scene.shop.tenant) as client:
        update = CALLS["orders_update"](scene)
        written = (client.call_tool("orders_update", update).structured or {})["write_id"]
        for tool in ("orders_update", "orders_create", "shipments_add", "products_create"):
            asked = {**CALLS[tool](scene), "idempotency_key": f"key of {scene.sent.any()}"}
            scene.troubles.use(scene.shop, *faults(scene)["a failed write"])
            assert client.call_tool(tool, asked).is_error
            scene.troubles.use(scene.shop)
    told = ""
    for fault, *command in (
        ("", "writes", "list"),
        ("", "writes", "list", "--json"),
        ("", "check"),
        ("an error", "writes", "uncertain", "--look-up"),
        ("an error", "writes", "revert", written),
        ("a refused write", "writes", "revert", written),
    ):
        scene.troubles.use(scene.shop, *(faults(scene)[fault] if fault else ()))
        done = run_command(bench, *command)
        told += done.stdout + done.stderr
    scene.troubles.use(scene.shop)
    shown = run_command(bench, "writes", "show", written)
    preview = run_command(bench, "writes", "revert", written, "--dry-run")
    seen = {trace.piece.text for trace in watched.tracer.trace({"": shown.stdout + preview.stdout})}
    assert update["changes"]["email"] in seen
    assert "OrderDesk could not say" in told
    assert "not reverted" in told
    assert watched.leaks({COMMANDS: Place(told + shown.stderr + preview.stderr, written)}) == []
