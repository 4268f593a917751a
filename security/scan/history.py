"""Secrets that were ever committed: whoever has a clone has them still, whatever was removed since.

The detectors of tokens of a known shape (not those that guess) go over every line that a commit of what is checked
out, tagged or known of a remote has added, its message and its files' names. In the same run a key is planted, and
removed again, in commits of a scratch repository that borrows the objects of this one.
"""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.verdict import Severity
from security.findings import Found
from security.scan.detect_secrets import KEY_TYPE, new_key
from security.scan.git import Git, git_environment
from security.scan.scanner import (
    ENVIRONMENT,
    Judgement,
    NothingOfItsKindError,
    Output,
    Reply,
    Scene,
    Task,
    parse,
    require_exit,
)

SEARCH = Path(__file__).with_name("history_search.py")
LARGEST = 64_000_000
"""How many characters that may hold a token are searched, the newest commits first: a minute's work."""
MESSAGE, NAME = "(its message)", "(a file's name)"
"""What `history_search` has for a path, where a token is in neither."""
PLANTED = "planted.txt"
AT_HOME = ("refs/heads/*", "refs/stash")
"""What has not left this clone, and need not ever: other branches than the one in the work tree.

What only they lead to is counted, not searched: whether this may ship must not depend on what else somebody tries out.
"""


class Token(Reply):
    """One token of a file: the last commit that added it, and a digest that tells it from others."""

    kind: str
    commit: str
    path: str
    digest: str


class Report(Reply):
    """What `history_search` prints."""

    commits: int
    lines: int
    searched: int
    complete: bool
    detectors: int
    still_there: int
    tokens: list[Token]


@dataclass(frozen=True)
class Planted:
    """A scratch repository: the commit that adds a key, and the ids to begin with, that of its removal among them."""

    directory: Path
    commit: str
    tips: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """The scanner of what was ever committed."""

    name: str = "history"
    title: str = "No token of a known shape was ever committed, but for those that `secrets` tells of"
    program: str = "git"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A04:2025", "A07:2025")

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`."""
        git = Git(scene.repository, git_environment(scene.environ))
        excluded = (f"--exclude={ref}" for ref in AT_HOME)
        tips = git("rev-list", "--no-walk", "--single-worktree", *excluded, "--all").split()
        if not tips:
            raise NothingOfItsKindError("nothing was committed yet")
        beyond = git(
            *("rev-list", "--count", "--single-worktree", "--all", "--stdin"),
            given="".join(f"^{tip}\n" for tip in tips),
        )
        shallow = git("rev-parse", "--is-shallow-repository") == "true"
        planted = plant(git, scene.scratch / "planted.git", tips)
        if shallow:
            # Where the history ends: git would else miss the parents of what is here.
            shutil.copy(git("rev-parse", "--path-format=absolute", "--git-path", "shallow"), planted.directory)
        wanted = scene.scratch / "tips.txt"
        wanted.write_text("".join(f"{tip}\n" for tip in planted.tips), encoding="ascii")
        return Task(
            # Isolated: beside the search stands a module of the name of the package that it imports.
            arguments=("-I", str(SEARCH), str(planted.directory), str(wanted), str(scene.repository), str(LARGEST)),
            directory=scene.scratch,
            judge=lambda output: judge(output, planted.commit, shallow=shallow),
            settings=git.environment,
            executable="python",
            left_out=()
            if beyond == "0"
            else (f"not searched: {beyond} commits that only other branches of this clone, or its stash, lead to",),
        )


def plant(git: Git, directory: Path, tips: list[str]) -> Planted:
    """Make the scratch repository. Its commits are of the far future: the newest, which are searched first."""
    objects = git("rev-parse", "--path-format=absolute", "--git-path", "objects")
    git("init", "--quiet", "--bare", str(directory))
    (directory / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "planted", "EMAIL": "planted", "DATE": "@4102444800 +0000"}.items()
    }
    own = Git(directory, {**git.environment, **who})
    blob = own("hash-object", "-w", "--stdin", given=f"{new_key()}\n")
    added = own("commit-tree", "-m", "planted", own("mktree", given=f"100644 blob {blob}\t{PLANTED}\n"))
    removed = own("commit-tree", "-m", "removed", "-p", added, own("mktree"))
    return Planted(directory, added, (removed, *tips))


def judge(output: Output, planted: str, *, shallow: bool) -> Judgement:
    """What the search found; a doubt where a part of the history is not here, or was too much."""
    require_exit(output, (0,))
    report = parse(Report, output)
    commits = report.commits - 2
    doubt = ""
    if shallow:
        doubt = "this is a shallow clone, whose older commits are not here: git fetch --unshallow"
    elif not report.complete:
        doubt = f"the history is too long: only its newest {commits} commits were searched"
    evidence = [f"{commits} commits with {report.lines} added lines, with {report.detectors} detectors"]
    if report.still_there:
        evidence.append(
            f"{report.still_there} tokens are in their files or names still, for the check `secrets` to tell of"
        )
    return Judgement(
        findings=tuple(_found(each) for each in report.tokens if each.commit != planted),
        examined=commits,
        canary_seen=any(each.commit == planted and each.kind == KEY_TYPE for each in report.tokens),
        evidence=tuple(evidence),
        doubt=doubt,
    )


def _found(token: Token) -> Found:
    commit = token.commit[:12]
    # Whether another branch or file has it yet is not known, and changes nothing.
    where = {
        MESSAGE: f"in the message of commit {commit}",
        NAME: f"in a file's name, in commit {commit}",
    }.get(token.path, f"added by commit {commit}, and not in that file as it is checked out")
    return Found(
        rule=token.kind,
        rule_class="secret in the history",
        severity=Severity.HIGH,
        message=f"{token.kind} {where}: revoke it, or waive this fingerprint where nobody can use it",
        path=token.path,
        line=0,
        # Of this commit alone: a waiver of it lets no later one pass.
        subject=f"{token.commit} {token.path} {token.digest}",
        references=("CWE-540", "CWE-798"),
    )
