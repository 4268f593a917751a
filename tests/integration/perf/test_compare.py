"""`./inv load.compare` on copies of the repository: a planted loss is found, and what cannot be compared is refused."""

import os
import subprocess

import pytest

from harness.collector import Run
from harness.errors import UsageError
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from perf.compare.job import Asked, measure_arms, run_compare
from perf.compare.judge import judge_arms
from perf.compare.model import Call, CompareProfile, CompareTable
from perf.errors import PerfError
from perf.revisions import find_commit, side_by_side
from tests.integration.parts import Checkout

PASSED, FAILED, INCONCLUSIVE = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.INCONCLUSIVE
ORDER = Call(tool="orders_get", arguments={"order_id": "10000007"})
PROFILE = CompareProfile(connections=4, settings={"CACHE_TTL_ORDERS_SECONDS": "3600"}, calls=[ORDER])
WHOLE = CompareTable(warm_up_seconds=0.25, seconds=0.5)
# Fewer blocks than ops.toml may have: enough for what is planted here, too few for a verdict on small losses.
SMALL = WHOLE.model_copy(update={"blocks": 3})
REGISTRY = "server/tools/registry.py"
CALL = "        bound = self._tools.get(name)\n        if bound is None:\n            self._unknown.inc()\n"


ENDS = """\
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > 100:
            __import__("os")._exit(7)
"""
FORGETS = """\
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > 100:
            name = "nothing"
"""


class Repository:
    """A repository with this checkout's code, which a test spoils and commits."""

    def __init__(self, copy: Checkout) -> None:
        self.folder = copy.folder
        (self.folder / ".gitignore").write_text("/.venv\n/reports/\n__pycache__/\n", encoding="utf-8")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=Change")

    def spoil(self, path: str, old: str, new: str) -> None:
        """Commit a change of one file."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        file.write_text(text.replace(old, new), encoding="utf-8")
        self.commit()

    def compare(self, base: str, head: str, table: CompareTable = SMALL) -> Run:
        """Measure two revisions with short loads, and judge them."""
        run = Run(self.folder / "reports" / "run", SilentProgress())
        commits = {
            side: find_commit(self.folder, revision, environ=os.environ)
            for side, revision in (("base", base), ("head", head))
        }
        logs = run.directory / "logs"
        with side_by_side(self.folder, commits, logs=logs, environ=os.environ, tell=run.progress.now) as checkouts:
            arms = measure_arms(run, checkouts, table, PROFILE, environ=os.environ, named="both")
        if arms is not None:
            judge_arms(run, arms, table)
        return run


@pytest.fixture
def repository(checkout: Checkout) -> Repository:
    return Repository(checkout)


def checks(run: Run) -> dict[str, Check]:
    return {check.id: check for check in run.checks}


def test_a_call_that_costs_the_server_far_more_fails(repository: Repository) -> None:
    # Many times as much, for three blocks to show it: docs/PERFORMANCE.md says what blocks enough find of less.
    repository.spoil(REGISTRY, CALL, "        sum(range(300_000))\n" + CALL)

    found = checks(repository.compare("HEAD~1", "HEAD"))

    assert found["comparable"].status is PASSED
    assert found["blocks"].status is PASSED
    assert found["processor_time"].status is FAILED
    assert repository.git("status", "--porcelain") == ""
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_one_revision_against_itself_does_not_fail(repository: Repository) -> None:
    found = checks(repository.compare("HEAD", "main", WHOLE))

    assert found["comparable"].status is PASSED
    assert found["blocks"].status is PASSED
    assert FAILED not in {found[name].status for name in ("generator", "processor_time")}
    assert "times base" in found["processor_time"].evidence[0]


def test_answers_that_go_wrong_under_load_fail_head_without_a_ratio(repository: Repository) -> None:
    repository.spoil(REGISTRY, CALL, FORGETS + CALL)

    run = repository.compare("HEAD~1", "HEAD")

    assert [(check.id, check.status) for check in run.checks] == [("comparable", PASSED), ("blocks", FAILED)], (
        run.checks[1].reason
    )
    assert run.checks[1].reason.startswith("head: ")


@pytest.mark.parametrize(("base", "head", "status"), [("HEAD~1", "HEAD", FAILED), ("HEAD", "HEAD~1", INCONCLUSIVE)])
def test_a_server_that_ends_under_load_is_named_and_fails_head_alone(
    repository: Repository, base: str, head: str, status: CheckStatus
) -> None:
    repository.spoil(REGISTRY, CALL, ENDS + CALL)

    run = repository.compare(base, head)

    assert [(check.id, check.status) for check in run.checks] == [("comparable", PASSED), ("blocks", status)]
    side = "head" if status is FAILED else "base"
    assert f"{side}: server ended under load (exit code 7)" in run.checks[1].reason


def test_a_base_without_a_server_is_inconclusive(repository: Repository) -> None:
    repository.git("rm", "-r", "--quiet", "server")
    repository.commit()

    with pytest.raises(PerfError, match="base: server-migrate failed"):
        repository.compare("HEAD", "HEAD~1")


@pytest.mark.parametrize(
    ("base", "head", "profile"),
    [("", "", "cached"), ("nowhere", "", "cached"), ("HEAD", "nowhere", "cached"), ("HEAD", "", "cache")],
)
def test_unknown_revisions_and_profiles_are_wrong_usage(
    repository: Repository, base: str, head: str, profile: str
) -> None:
    with pytest.raises(UsageError):
        run_compare(Asked(base, head, profile), repository=repository.folder, environ=os.environ)
    assert not list(repository.folder.glob("reports/*"))
