"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from harness.files import point_atomically, write_atomically


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.mkdir()
    with pytest.raises(OSError, match=r"record\.json"):
        write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_pointer_is_moved(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        point_atomically(link, name)
    assert link.resolve() == tmp_path / "two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one", "two"]
