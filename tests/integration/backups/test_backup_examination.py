"""A snapshot of a live server, spoiled in one way at a time: what the real server, booted on it, gives away."""

import secrets
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backups.database import open_read_only, read_contents
from backups.manifest import MANIFEST_NAME, dump_manifest, read_manifest
from backups.snapshot import DATABASE_NAME
from backups.steps import TITLES, step
from backups.traffic import Acknowledged
from backups.verify import examine, take_under_updates, verify
from backups.witness import Witness, hear
from harness.collector import Run
from harness.files import digest
from harness.progress import SilentProgress
from harness.sandbox.client import SandboxClient
from harness.sandbox.faults import Match, ServerError
from harness.targets import LocalTarget

LATER = list(TITLES)[1:]
NOT_READY_SECONDS = 0.5


@dataclass(frozen=True)
class Taken:
    """A sound snapshot of the shared server, and what that server said before it."""

    snapshot: Path
    witness: Witness
    updates: Acknowledged


@dataclass(frozen=True)
class Verdicts:
    """What became of each step, by name."""

    status: dict[str, str]
    reason: dict[str, str]

    @property
    def failed(self) -> set[str]:
        return {name for name, status in self.status.items() if status == "failed"}

    @property
    def inconclusive(self) -> set[str]:
        return {name for name, status in self.status.items() if status == "inconclusive"}


Examine = Callable[..., Verdicts]


def verdicts(run: Run) -> Verdicts:
    steps = {check.id.removeprefix("backup."): check for check in run.checks}
    return Verdicts(
        {name: check.status for name, check in steps.items()}, {name: check.reason for name, check in steps.items()}
    )


@pytest.fixture(scope="module")
def taken(local_target: LocalTarget, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    folder = tmp_path_factory.mktemp("taken")
    run = Run(folder / "run", SilentProgress())
    witness = hear(local_target)
    with step(run, "taken") as check:
        snapshot, updates = take_under_updates(run, check, local_target, witness, folder / "snapshots")
    assert verdicts(run).status == {"taken": "passed"}
    return Taken(snapshot.folder, witness, updates)


@pytest.fixture
def copy(taken: Taken, tmp_path: Path) -> Path:
    """The snapshot's folder, to be spoiled."""
    return Path(shutil.copytree(taken.snapshot, tmp_path / "copy"))


@pytest.fixture
def examined(taken: Taken, copy: Path, tmp_path: Path) -> Examine:
    """Make every step on the copy as it is now, and return what became of them."""

    def examined(witness: Witness | None = None) -> Verdicts:
        run = Run(tmp_path / "run", SilentProgress())
        examine(
            run,
            copy,
            witness or taken.witness,
            taken.updates,
            tmp_path / "restored.db",
            ready_seconds=NOT_READY_SECONDS,
        )
        assert [check.id.removeprefix("backup.") for check in run.checks] == LATER
        return verdicts(run)

    return examined


def rewrite(folder: Path, *statements: str) -> None:
    """Alter the database and make a manifest that agrees with it: only the server and its witness can tell."""
    database = folder / DATABASE_NAME
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    agree(folder)


def agree(folder: Path) -> None:
    database = folder / DATABASE_NAME
    with open_read_only(database) as connection:
        contents = read_contents(connection)
    facts = {"tables": contents.tables, "revision": contents.revision}
    sealed = {**facts, "bytes": database.stat().st_size, "sha256": digest(database)}
    manifest = read_manifest(folder).model_copy(update=sealed)
    (folder / MANIFEST_NAME).write_bytes(dump_manifest(manifest))


def test_a_sound_snapshot_passes_every_step(examined: Examine) -> None:
    assert examined().status == dict.fromkeys(LATER, "passed")


def test_a_flipped_byte_is_found_and_the_file_is_not_opened(examined: Examine, copy: Path) -> None:
    database = copy / DATABASE_NAME
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.write_bytes(content)
    found = examined()
    assert found.failed == {"restored"}
    assert found.inconclusive == set(LATER) - {"restored"}


def test_a_missing_manifest_is_inconclusive(examined: Examine, copy: Path) -> None:
    (copy / MANIFEST_NAME).unlink()
    assert examined().inconclusive == set(LATER)


def test_another_master_key_is_found(examined: Examine, taken: Taken) -> None:
    environment = {**taken.witness.environment, "MASTER_KEY": secrets.token_urlsafe(32)}
    found = examined(replace(taken.witness, environment=environment))
    assert found.failed == {"boots"}
    assert "MASTER_KEY is not the one that sealed this database" in found.reason["boots"]
    assert found.inconclusive == {"answers", "keys"}


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_an_older_or_newer_schema_is_found(examined: Examine, copy: Path, revision: str) -> None:
    rewrite(copy, f"UPDATE alembic_version SET version_num = '{revision}'")
    found = examined()
    assert found.failed == {"boots"}
    assert f"at {revision}, this release needs" in found.reason["boots"]
    assert found.inconclusive == {"answers", "keys"}


def test_a_sealed_key_that_was_altered_is_found(examined: Examine, copy: Path) -> None:
    rewrite(copy, "UPDATE stores SET sealed_api_key = CAST(substr(sealed_api_key, 1, 20) || zeroblob(40) AS BLOB)")
    found = examined()
    assert found.failed == {"keys"}  # the store is listed, its calls fail
    assert "orders_get answers INTERNAL_ERROR, not UPSTREAM_UNAVAILABLE" in found.reason["keys"]


def test_a_store_that_is_not_there_is_found(examined: Examine, copy: Path) -> None:
    rewrite(copy, "DELETE FROM stores")
    found = examined()
    assert found.failed == {"answers", "keys"}
    assert "STORE_NOT_FOUND" in found.reason["keys"]


def test_a_database_in_which_everything_but_the_rows_is_there_is_found(examined: Examine, copy: Path) -> None:
    # What the server boots on most happily: the newest schema, and nobody in it.
    tables = ("writes", "audit", "stores", "tenant_keys", "tenants")
    rewrite(copy, *(f"DELETE FROM {table}" for table in tables))
    found = examined()
    assert found.failed == {"acknowledged", "answers"}
    assert found.status["boots"] == "passed"


def test_a_server_that_cannot_be_started_says_nothing_of_the_snapshot(examined: Examine, taken: Taken) -> None:
    environment = {**taken.witness.environment, "RATE_LIMIT_RPM": "many"}
    found = examined(replace(taken.witness, environment=environment))
    assert found.failed == set()
    assert found.inconclusive == {"boots", "answers", "keys"}
    assert "RATE_LIMIT_RPM" in found.reason["boots"]


def test_without_updates_there_is_no_verdict(local_target: LocalTarget, sandbox: SandboxClient, tmp_path: Path) -> None:
    sandbox.set_faults(ServerError(match=Match(method="PUT")))
    run = Run(tmp_path, SilentProgress())
    verify(run, local_target)
    found = verdicts(run)
    assert found.inconclusive == set(TITLES)
    assert "0 updates were acknowledged, 3 needed: orders_update was refused" in found.reason["taken"]


def test_a_tenant_without_a_store_would_show_nothing(local_target: LocalTarget, tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    verify(run, replace(local_target, token=local_target.new_tenant("storeless")))
    assert verdicts(run).inconclusive == set(TITLES)
