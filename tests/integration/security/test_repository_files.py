"""What the audit takes for the repository's files, and that strange ones neither stop it nor are passed over unsaid."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import Inconclusive
from security.scan.bandit import Bandit
from security.scan.detect_secrets import DetectSecrets
from security.scan.files import list_files
from security.scan.history import History
from tests.integration.security.conftest import Scan, trouble

WHO = ("-c", "user.name=a test", "-c", "user.email=test@example.com", "-c", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *WHO, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(project: Path) -> Path:
    git(project, "init", "--quiet")
    git(project, "add", "-A")
    git(project, "commit", "--quiet", "-m", "first")
    return project


def test_links_pipes_and_what_was_deleted_are_no_files(repository: Path) -> None:
    before = list_files(repository, os.environ).files
    (repository / "one").symlink_to("two")
    (repository / "two").symlink_to("one")
    (repository / "up").symlink_to("..")
    os.mkfifo(repository / "pipe")
    (repository / "settings.yaml").unlink()
    os.mkfifo(repository / "settings.yaml")
    (repository / "README.md").unlink()
    listing = list_files(repository, os.environ)
    assert set(before) - set(listing.files) == {"README.md", "settings.yaml"}
    assert set(listing.files) <= set(before)
    assert listing.left_out == ()


def test_what_is_ignored_is_left_out_and_what_is_new_is_not(repository: Path) -> None:
    (repository / ".gitignore").write_text("build/\n")
    (repository / "build").mkdir()
    (repository / "build" / "out.py").write_text("")
    (repository / "new.py").write_text("")
    assert set(list_files(repository, os.environ).files) >= {".gitignore", "new.py"}
    assert "build/out.py" not in list_files(repository, os.environ).files


def test_a_submodule_is_told(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "-m", "first")
    git(repository, "submodule", "--quiet", "add", str(other), "vendor/other")
    assert list_files(repository, os.environ).left_out == (
        "vendor/other is a repository of its own, to be audited there",
    )


def test_a_name_that_no_record_can_hold_is_told(repository: Path) -> None:
    Path(os.fsdecode(os.fsencode(repository) + b"/caf\xe9.py")).write_text("")
    assert list_files(repository, os.environ).left_out == ("caf\\xe9.py has a name that is no UTF-8: rename it",)


def test_variables_of_a_hook_do_not_lead_elsewhere(repository: Path, tmp_path: Path) -> None:
    elsewhere = {**os.environ, "GIT_DIR": str(tmp_path / "nowhere"), "GIT_INDEX_FILE": str(tmp_path / "none")}
    assert list_files(repository, elsewhere) == list_files(repository, os.environ)


def test_without_a_repository_or_without_git_it_is_inconclusive(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Inconclusive, match="git ls-files failed in folder: fatal: not a git repository"):
        list_files(tmp_path / "folder", {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)})
    with pytest.raises(Inconclusive, match="git is not installed"):
        list_files(tmp_path / "folder", {"PATH": str(tmp_path)})


STRANGE = ["-x.py", "--help.py", "a b.py", "quote'\".py", "line\nbreak.py", "-", "übung.py", "$(x);|&.py", "%s{}.py"]


@pytest.mark.parametrize("make", [Bandit, DetectSecrets], ids=["bandit", "detect-secrets"])
def test_strange_names_are_examined_like_any_other(
    scan_project: Scan, repository: Path, make: Callable[[], Bandit | DetectSecrets]
) -> None:
    password = "correct-horse-" + "7battery"
    for name in STRANGE:
        (repository / name).write_text(f'#!/usr/bin/python\npassword = "{password}"\n')
    assert set(list_files(repository, os.environ).files) >= set(STRANGE)
    outcome = scan_project(make(), files=list_files(repository, os.environ).files)
    assert trouble(outcome) == ""
    assert outcome.judgement is not None
    assert {each.path for each in outcome.judgement.findings} == set(STRANGE)


def test_a_large_file_is_examined_in_time_and_found_in(scan_project: Scan, repository: Path) -> None:
    token = "npm" + "_" + "aB3dE6gH9j" * 3 + "aB3dE6"
    (repository / "large.log").write_text("a line of the log\n" * 2_800_000 + token)
    outcome = scan_project(DetectSecrets(), files=list_files(repository, os.environ).files)
    assert trouble(outcome) == ""
    assert outcome.judgement is not None
    assert [each.location for each in outcome.judgement.findings] == ["large.log"]


def test_history_tells_of_what_was_removed_from_files_names_messages_and_merges(
    scan_project: Scan, repository: Path
) -> None:
    token = "npm" + "_" + "aB3dE6gH9j" * 3 + "aB3dE{}"
    main = git(repository, "branch", "--show-current")
    (repository / "data.bin").write_bytes(b"\0\xff" + token.format(1).encode() + b"\0\n")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a binary")
    git(repository, "rm", "--quiet", "data.bin")
    git(repository, "commit", "--quiet", "-m", f"not {token.format(2)}")
    git(repository, "checkout", "--quiet", "-b", "side")
    (repository / f"{token.format(3)}.txt").write_text("")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a name")
    git(repository, "rm", "--quiet", f"{token.format(3)}.txt")
    git(repository, "commit", "--quiet", "-m", "no name")
    git(repository, "checkout", "--quiet", main)
    (repository / "README.md").write_text(f"{token.format(5)}\n")
    (repository / f"{token.format(7)} of old.md").write_text("still named so\n")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "still there")
    git(repository, "merge", "--quiet", "--no-commit", "--no-ff", "side")
    (repository / "settings.yaml").write_text(f"key: {token.format(4)}\n")
    git(repository, "commit", "--quiet", "-am", "merged")
    (repository / "settings.yaml").write_text("key: none\n")
    git(repository, "commit", "--quiet", "-am", "cleaned")
    git(repository, "checkout", "--quiet", "-b", "at-home")
    (repository / "at-home.txt").write_text(f"key: {token.format(6)}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "never leaves")
    git(repository, "checkout", "--quiet", main)
    outcome = scan_project(History())
    assert trouble(outcome) == ""
    assert outcome.judgement is not None
    places = {each.path for each in outcome.judgement.findings}
    assert places == {"data.bin", "(its message)", "(a file's name)", "settings.yaml"}
    assert outcome.judgement.evidence[1].startswith("2 tokens are in their files or names still")
    assert outcome.judgement.evidence[2].startswith("not searched: 1 commits that only other branches of this clone")
    first = git(repository, "rev-list", "HEAD", "--", "data.bin").split()[-1][:12]
    said = {each.path: each.message for each in outcome.judgement.findings}
    assert (
        f"added by commit {first}, and not in that file as it is checked out: revoke it, or waive" in said["data.bin"]
    )
    assert "in the message of commit" in said["(its message)"]
    assert "in a file's name, in commit" in said["(a file's name)"]
    assert "aB3dE6gH9j" not in repr(outcome)


def test_a_shallow_clone_is_inconclusive(scan_project: Scan, repository: Path, tmp_path: Path, programs: Path) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")
    outcome = scan_project(History(), folder=tmp_path / "shallow")
    assert "this is a shallow clone" in trouble(outcome)


def test_a_history_whose_objects_are_gone_is_inconclusive(scan_project: Scan, repository: Path) -> None:
    blob = git(repository, "rev-parse", "HEAD:settings.yaml")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    outcome = scan_project(History())
    assert outcome.judgement is None
    assert "exit code 128" in trouble(outcome)
