"""Write files so that a reader, or a crash, never meets half of one."""

import hashlib
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path` by writing a neighbour, fsync, rename, and fsync of the folder. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def point_atomically(link: Path, destination: str) -> None:
    """Make `link` a symbolic link to `destination` (relative to it), replacing an older one. Raises OSError."""
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}.partial")
    temporary.symlink_to(destination)
    try:
        temporary.replace(link)
    finally:
        temporary.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
