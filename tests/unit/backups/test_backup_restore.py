"""Restoring: a damaged file never appears at its destination, and every kind of damage is told from a missing piece."""

import json
import random
import shutil
from pathlib import Path

import pytest

from backups.errors import BackupError, DamageError
from backups.manifest import MANIFEST_NAME
from backups.restore import restore
from backups.snapshot import DATABASE_NAME, Snapshot


def refusal(snapshot: Path, destination: Path) -> BackupError:
    """What restoring is refused with; nothing is left at the destination or beside it."""
    before = set(destination.parent.iterdir())
    with pytest.raises(BackupError) as caught:
        restore(snapshot, destination)
    assert set(destination.parent.iterdir()) == before
    assert "\n" not in str(caught.value)
    return caught.value


def test_it_is_the_file_that_was_taken(snapshot: Snapshot, tmp_path: Path) -> None:
    destination = tmp_path / "restored.db"
    assert restore(snapshot.folder, destination) == snapshot.manifest
    assert destination.read_bytes() == (snapshot.folder / DATABASE_NAME).read_bytes()
    assert destination.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_any_flipped_byte_is_found(snapshot: Snapshot, tmp_path: Path) -> None:
    database = snapshot.folder / DATABASE_NAME
    whole = database.read_bytes()
    dice = random.Random(1)
    for _ in range(30):
        place = dice.randrange(len(whole))
        flipped = whole[place] ^ (1 << dice.randrange(8))
        database.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
        error = refusal(snapshot.folder, tmp_path / "restored.db")
        assert isinstance(error, DamageError)
        assert "SHA-256" in str(error)


@pytest.mark.parametrize("kept", [0, 1, 4096, -4096, -1])
def test_a_truncated_file_is_found(snapshot: Snapshot, tmp_path: Path, kept: int) -> None:
    database = snapshot.folder / DATABASE_NAME
    database.write_bytes(database.read_bytes()[:kept])
    error = refusal(snapshot.folder, tmp_path / "restored.db")
    assert isinstance(error, DamageError)
    assert f"its manifest says {snapshot.manifest.bytes}" in str(error)


def test_a_manifest_of_another_snapshot_is_found(snapshot: Snapshot, tmp_path: Path) -> None:
    other = {**json.loads((snapshot.folder / MANIFEST_NAME).read_text()), "sha256": "0" * 64}
    (snapshot.folder / MANIFEST_NAME).write_text(json.dumps(other))
    assert isinstance(refusal(snapshot.folder, tmp_path / "restored.db"), DamageError)


@pytest.mark.parametrize("name", [MANIFEST_NAME, DATABASE_NAME])
@pytest.mark.parametrize("replaced_by", ["nothing", "a folder"])
def test_a_piece_that_is_missing_or_unreadable_says_nothing_of_damage(
    snapshot: Snapshot, tmp_path: Path, name: str, replaced_by: str
) -> None:
    (snapshot.folder / name).unlink()
    if replaced_by == "a folder":
        (snapshot.folder / name).mkdir()
    error = refusal(snapshot.folder, tmp_path / "restored.db")
    assert not isinstance(error, DamageError)
    assert "No such file" in str(error) or "Is a directory" in str(error)


@pytest.mark.parametrize(
    "change",
    [
        {"tables": {}},
        {"tables": {"audit": -1}},
        {"revision": ""},
        {"bytes": 0},
        {"sha256": "short"},
        {"taken_at": "2026-11-23T01:02:03"},
        {"unknown": 1},
        {"format": "1"},
    ],
)
def test_a_manifest_that_makes_no_sense_is_damage(snapshot: Snapshot, tmp_path: Path, change: object) -> None:
    path = snapshot.folder / MANIFEST_NAME
    assert isinstance(change, dict)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    error = refusal(snapshot.folder, tmp_path / "restored.db")
    assert isinstance(error, DamageError)
    assert "manifest" in str(error)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_a_manifest_that_is_no_json_object_is_damage(snapshot: Snapshot, tmp_path: Path, content: bytes) -> None:
    (snapshot.folder / MANIFEST_NAME).write_bytes(content)
    assert isinstance(refusal(snapshot.folder, tmp_path / "restored.db"), DamageError)


def test_a_manifest_of_a_later_format_is_left_to_a_newer_release(snapshot: Snapshot, tmp_path: Path) -> None:
    path = snapshot.folder / MANIFEST_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2, "compression": "zstd"}))
    error = refusal(snapshot.folder, tmp_path / "restored.db")
    assert not isinstance(error, DamageError)
    assert "has format 2, this release reads 1" in str(error)


@pytest.mark.parametrize("name", ["restored.db", "restored.db-wal", "restored.db-shm", "restored.db-journal"])
def test_nothing_is_overwritten_and_no_stale_log_is_applied(snapshot: Snapshot, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    assert f"{name} exists" in str(refusal(snapshot.folder, tmp_path / "restored.db"))
    assert (tmp_path / name).read_text() == "precious"


def test_what_a_killed_restore_left_is_no_obstacle(snapshot: Snapshot, tmp_path: Path) -> None:
    shutil.copyfile(snapshot.folder / MANIFEST_NAME, tmp_path / ".restored.db.partial")
    restore(snapshot.folder, tmp_path / "restored.db")
    assert (tmp_path / "restored.db").stat().st_size == snapshot.manifest.bytes
    assert not (tmp_path / ".restored.db.partial").exists()
