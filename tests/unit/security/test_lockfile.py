from pathlib import Path

import pytest

from harness.errors import Inconclusive
from security.lockfile import changes, lockfile, read_lockfile, write_lockfile

PINNED = {
    "instructions": "sha256:0",
    "tools/orders_get/description": "sha256:1",
    "tools/orders_get/inputSchema": "sha256:2",
    "tools/orders_list/description": "sha256:3",
}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = lockfile(tmp_path, "staging")
    write_lockfile(path, PINNED)
    assert read_lockfile(path) == PINNED
    assert changes(PINNED, read_lockfile(path)) == []


def test_a_changed_word_is_named(tmp_path: Path) -> None:
    assert changes(PINNED, {**PINNED, "tools/orders_get/description": "sha256:9"}) == [
        ("tools/orders_get/description", "is not what is pinned")
    ]
    assert changes(PINNED, {**PINNED, "instructions": "sha256:9"}) == [("instructions", "is not what is pinned")]


def test_a_part_that_is_new_or_gone_is_a_change() -> None:
    more = {**PINNED, "tools/orders_get/annotations": "sha256:4"}
    assert changes(PINNED, more) == [("tools/orders_get/annotations", "is not what is pinned")]
    assert changes(more, PINNED) == [("tools/orders_get/annotations", "is not what is pinned")]


def test_a_tool_that_is_new_or_gone_is_told_once() -> None:
    less = {name: value for name, value in PINNED.items() if "orders_get" not in name}
    assert changes(PINNED, less) == [("tools/orders_get", "is pinned, and not offered any more")]
    assert changes(less, PINNED) == [("tools/orders_get", "is offered, and not pinned")]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_without_a_lockfile_nothing_is_shown(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "staging.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Inconclusive, match="staging"):
        read_lockfile(path)
