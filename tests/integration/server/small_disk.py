"""A disk so small that a test can fill it: a tmpfs, mounted for the test and gone with it."""

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MIB = 1024 * 1024
# For whoever may not mount: root of a user namespace may, in a mount namespace of its own.
AS_ROOT_OF_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@dataclass(frozen=True)
class SmallDisk:
    """The disk mounted at `path`."""

    path: Path

    @property
    def free_bytes(self) -> int:
        """What another file may take."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Write a file until only `leave` bytes are free; without, until the disk refuses every further one."""
        with (self.path / "ballast").open("ab", buffering=0) as file, contextlib.suppress(_DiskFullError), _full():
            while not leave or self.free_bytes > leave:
                file.write(bytes(16 * 1024))

    def clear(self) -> None:
        """Remove what fills it."""
        (self.path / "ballast").unlink()

    def remount(self, option: str) -> None:
        """Mount it anew: "ro" or "rw"."""
        _mount("-o", f"remount,bind,{option}", str(self.path))


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[SmallDisk]:
    """Mount a disk of `size` bytes at `path`. Fails the test, with what is missing, where that is not allowed."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=True)


class _DiskFullError(Exception):
    pass


@contextlib.contextmanager
def _full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _DiskFullError from None


def _mount(*arguments: str) -> None:
    done = subprocess.run(("mount", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(
            f"this test mounts a small tmpfs, which needs CAP_SYS_ADMIN or user namespaces: {done.stderr.strip()}",
            pytrace=False,
        )
