"""Search the history of a repository for tokens of a known shape.

    python history_search.py GIT_DIRECTORY TIPS WORK_TREE LARGEST

Run by the scanners' interpreter, which has detect-secrets. Searches what each commit that can be reached from the ids
in the file TIPS has added, in text and in anything else, and its message and its files' names, newest first, until
LARGEST characters that may hold a token were searched. Prints one JSON object, without any token; those that are still
in their file of WORK_TREE are counted alone.
"""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

SHAPES = Path(__file__).with_name("secret_shapes.py")
MESSAGE = "(its message)"
NAME = "(a file's name)"
# An address is no secret; a password in an address is a guess, and made-up ones are in every test.
NO_TOKENS = ("Public IP (ipv4)", "Basic Auth Credentials")
# Where no token can be: tens of patterns need not go over it.
_CANDIDATE = re.compile(r"[A-Za-z0-9_./+=:-]{20}|PRIVATE KEY|PuTTY")
_PRINTABLE = re.compile(r"[\x20-\x7e]{20,}")
_HUNK = re.compile(r"(@@+) ")
_SHOWN = ("-p", "--text", "-U0", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--diff-merges=c")
FORMAT = "commit %H%n%w(0,4,4)%B%w(0,0,0)"
LONGEST_LINE = 5_000
Line = tuple[str, str, str]
"""A commit, a path or MESSAGE, and a line that it added there."""


def detectors() -> dict[str, Sequence[re.Pattern[str]]]:
    """The patterns of each kind of token: detect-secrets' own and those of this project."""
    spec = importlib.util.spec_from_file_location("secret_shapes", SHAPES)
    assert spec is not None
    assert spec.loader is not None
    shapes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shapes)
    known = get_mapping_from_secret_type_to_class().values()
    by_shape: list[Any] = [each for each in known if issubclass(each, RegexBasedDetector)]
    theirs = {each.secret_type: tuple(each.denylist) for each in by_shape if each.secret_type not in NO_TOKENS}
    return {**theirs, **shapes.PATTERNS}


def added_lines(log: Iterable[bytes]) -> Iterator[Line]:
    """The lines that `git log` shows as added; in a merge, those that a parent has not."""
    commit, path, parents = "", MESSAGE, 0
    for raw in log:
        line = raw.decode("utf-8", "replace").rstrip("\n")
        if line.startswith("commit "):
            commit, path, parents = line[7:], MESSAGE, 0
        elif line.startswith("diff --"):
            path, parents = named(line), 0
            # The name itself; an empty file shows no more than that.
            yield commit, path, path
        elif line.startswith("+++ ") and not parents:
            path = line[4:].removeprefix('"').removesuffix('"').removeprefix("b/")
        elif hunk := _HUNK.match(line):
            parents = len(hunk[1]) - 1
        elif parents and "+" in line[:parents]:
            yield commit, path, line[parents:]
        elif path == MESSAGE and line.startswith("    "):
            yield commit, path, line[4:]


def named(header: str) -> str:
    """The path in the first line of a diff, in which it stands twice; once in that of a merge."""
    kind, _, rest = header.removeprefix("diff ").partition(" ")
    if kind != "--git":
        return rest
    return rest[: len(rest) // 2].removeprefix('"').removesuffix('"').removeprefix("a/")


def parts_of(text: str) -> Iterator[str]:
    """The parts of a line in which a token can be: all of it, or what is printable of one that is no text."""
    if len(text) <= LONGEST_LINE:
        if _CANDIDATE.search(text):
            yield text
        return
    for run in _PRINTABLE.finditer(text):
        if _CANDIDATE.search(run[0]):
            yield run[0]


def tokens_in(text: str, patterns: Mapping[str, Sequence[re.Pattern[str]]]) -> Iterator[tuple[str, str]]:
    """The kind and the text of each token."""
    for kind, own in patterns.items():
        for pattern in own:
            for found in pattern.finditer(text):
                yield kind, found[0]


def search(log: Iterable[bytes], work_tree: Path, largest: int) -> dict[str, object]:
    """The report: every token that its file has no more, by the last commit that added it there."""
    patterns = detectors()
    found: dict[tuple[str, str, str], str] = {}
    there: set[tuple[str, str, str]] = set()
    lines, searched, commits, complete = 0, 0, set(), True
    for commit, path, text in added_lines(log):
        if searched > largest and commit not in commits:
            complete = False
            break
        commits.add(commit)
        lines += 1
        for part in parts_of(text):
            searched += len(part)
            for kind, token in tokens_in(part, patterns):
                # A name that holds a token is not repeated either.
                shown = path if token not in path else NAME
                key = (kind, shown, hashlib.sha256(token.encode()).hexdigest()[:16])
                if key not in found and key not in there:
                    if holds(work_tree, path, token):
                        there.add(key)
                    else:
                        found[key] = commit
    return {
        "commits": len(commits),
        "lines": lines,
        "searched": searched,
        "complete": complete,
        "detectors": len(patterns),
        "still_there": len(there),
        "tokens": [
            {"kind": kind, "path": path, "digest": digest, "commit": commit}
            for (kind, path, digest), commit in found.items()
        ],
    }


def holds(work_tree: Path, path: str, token: str) -> bool:
    """Whether a file of the work tree has the token still, in it or in its name."""
    file = work_tree / path
    try:
        return file.is_file() and (token in path or token.encode() in file.read_bytes())
    except (OSError, ValueError):
        return False


def main(directory: str, tips: str, work_tree: str, largest: str) -> int:
    """Print the report. Returns git's exit code where it fails."""
    command = [
        "git",
        "-c",
        "core.quotePath=false",
        "--git-dir",
        directory,
        "log",
        "--stdin",
        *_SHOWN,
        f"--format={FORMAT}",
    ]
    with Path(tips).open("rb") as given:
        process = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE)
    assert process.stdout is not None
    report = search(process.stdout, Path(work_tree), int(largest))
    if not report["complete"]:
        process.kill()
    process.stdout.close()
    exit_code = process.wait()
    if exit_code and report["complete"]:
        return abs(exit_code)
    sys.stdout.write(f"{json.dumps(report)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
