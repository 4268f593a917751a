"""The command itself: a whole run, and one that is cut short."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from backups.steps import TITLES
from harness.record import parse_record
from tests.integration.parts import REPOSITORY, Checkout

TASKS = (
    "from invoke import Collection\n\nfrom backups.tasks import namespace as backup\n\nnamespace = Collection(backup)\n"
)


@pytest.fixture
def with_backups(checkout: Checkout) -> Checkout:
    """A checkout whose only tasks are those of backups."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "backups", checkout.folder / "backups", ignore=ignored, dirs_exist_ok=True)
    (checkout.folder / "tasks.py").write_text(TASKS)
    return checkout


def test_it_takes_restores_boots_and_leaves_a_record_alone(with_backups: Checkout, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = with_backups.run("backup.verify", "--json", environ={"TMPDIR": str(scratch)})
    assert (done.returncode, done.stderr) == (0, "")
    record = parse_record(done.stdout)
    assert {check.id: check.status for check in record.checks} == {f"backup.{name}": "passed" for name in TITLES}
    assert all(check.evidence for check in record.checks if check.id != "backup.intact")
    assert {(measurement.name, measurement.unit) for measurement in record.measurements} == {
        ("snapshot_duration", "s"),
        ("restore_duration", "s"),
        ("boot_duration", "s"),
        ("snapshot_size", "bytes"),
        ("snapshot_rows", "rows"),
    }
    assert all(measurement.value > 0 for measurement in record.measurements)
    assert {"manifest.json", "logs/restored-server.stderr.log"} <= {each.path for each in record.artifacts}
    assert list(scratch.iterdir()) == []


def test_cut_short_it_stops_both_servers_and_leaves_no_copy(with_backups: Checkout, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with with_backups.start("backup.verify", environ={"TMPDIR": str(scratch)}) as process:
        deadline = time.monotonic() + 50
        while sum("server serve" in command for command in with_backups.running()) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert stderr.startswith("backup.verify: interrupted by SIGTERM")
    assert list(scratch.iterdir()) == []
