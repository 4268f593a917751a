"""Which files the repository has: what git knows or would add, and what of it cannot be looked at."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from security.scan.git import Git, git_environment

_GITLINK = b"160000"


@dataclass(frozen=True)
class Listing:
    """The files that scanners are given, as paths from the repository, sorted; and why others are left out."""

    files: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def list_files(repository: Path, environ: Mapping[str, str]) -> Listing:
    """Every regular file that git knows or would add; a link's own file is listed where it is.

    What is no file at all (a link, a pipe, something deleted) holds nothing to examine. A submodule, or a name that no
    record can hold, is left out with its reason. Raises Inconclusive where nothing can be told.
    """
    git = Git(repository, git_environment(environ))
    known = git.read("ls-files", "-z", "--stage")
    others = git.read("ls-files", "-z", "--others", "--exclude-standard")
    files: set[str] = set()
    left_out: set[str] = set()
    for entry in known.split(b"\0"):
        mode, _, rest = entry.partition(b" ")
        name = rest.partition(b"\t")[2]
        if mode == _GITLINK:
            left_out.add(f"{_shown(name)} is a repository of its own, to be audited there")
        elif name:
            _add(repository, name, files, left_out)
    for name in others.split(b"\0"):
        if name:
            _add(repository, name, files, left_out)
    return Listing(tuple(sorted(files)), tuple(sorted(left_out)))


def _add(repository: Path, name: bytes, files: set[str], left_out: set[str]) -> None:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        left_out.add(f"{_shown(name)} has a name that is no UTF-8: rename it")
        return
    try:
        mode = os.lstat(repository / text).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        left_out.add(f"{_shown(name)} cannot be reached: {error.strerror}")
        return
    if stat.S_ISREG(mode):
        files.add(text)


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
