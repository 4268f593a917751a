"""The whole job on a small repository: exit codes, what is waived, what is left out, and what no report ever holds."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from harness.errors import UsageError
from harness.repository import REPOSITORY
from security.job import Options, run_audit
from security.model import AuditTable
from security.scan.catalogue import catalogue
from tests.integration.parts import Checkout
from tests.integration.security.test_dependencies_scanner import advise, lock

Audit = Callable[..., int]
BAD = "import subprocess\n\n\ndef go(words):\n    subprocess.call(words, shell=True)\n"
# What is asked of a repository; of servers, test_audit_live.py tells.
STATIC = tuple(scanner.name for scanner in catalogue(AuditTable(), datetime.now(UTC)))
POLICY = '[audit]\nadvisories = "{}"\n'


@pytest.fixture
def repository(project: Path, tmp_path: Path) -> Path:
    """The clean project under git, with a lock, and advisories of today."""
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    lock(project, "server.txt", "jinja2==3.1.6")
    today = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S+00:00")
    advise(tmp_path / "advisories", "jinja2", "2.7.2", modified=today)
    (project / "ops.toml").write_text(POLICY.format(tmp_path / "advisories"))
    (project / ".gitignore").write_text("/reports/\n")
    return project


@pytest.fixture
def audit(repository: Path, programs: Path) -> Audit:
    """Audit the repository with the options given."""

    def run(
        *, only: tuple[str, ...] = STATIC, fail_on: str = "", allow: tuple[str, ...] = (), where: Path = programs
    ) -> int:
        return run_audit(
            Options(only=only, fail_on=fail_on),
            repository=repository,
            environ=os.environ,
            allow_inconclusive=allow,
            programs=where,
        )

    return run


def checks(repository: Path) -> dict[str, dict[str, Any]]:
    record = json.loads((repository / "reports" / "latest-audit" / "record.json").read_text())
    return {check["id"]: check for check in record["checks"]}


def statuses(repository: Path) -> dict[str, str]:
    """Those of what was asked."""
    found = {name: check["status"] for name, check in checks(repository).items()}
    return {name: status for name, status in found.items() if status != "skipped"}


def waive(repository: Path, fingerprint: str) -> None:
    expires = datetime.now(UTC).date() + timedelta(days=30)
    (repository / "waivers.toml").write_text(
        f'[[waiver]]\nid = "{fingerprint}"\njob = "audit"\nreason = "a test"\nowner = "tests"\nexpires = {expires}\n'
    )


def test_a_clean_repository_passes_and_the_record_says_what_was_looked_at(audit: Audit, repository: Path) -> None:
    assert audit() == 0
    passed = dict.fromkeys(("files", "code", "secrets", "dependencies", "sbom"), "passed")
    not_there = dict.fromkeys(
        ("history", "dockerfiles", "workflows", "playbooks", "manifests", "units"), "not_applicable"
    )
    assert statuses(repository) == passed | not_there
    assert checks(repository)["dockerfiles"]["reason"] == "there is no Dockerfile in the repository"
    assert "advisories: the 1 of advisories" in checks(repository)["dependencies"]["evidence"][1]


def test_the_bill_of_materials_is_an_artifact_and_valid(audit: Audit, repository: Path, programs: Path) -> None:
    lock(repository, "server.txt", "jinja2==3.1.6", "Some_Thing[extra]==2.0 ; sys_platform == 'nowhere'")
    assert audit(only=("code",)) == 0
    folder = repository / "reports" / "latest-audit"
    record = json.loads((folder / "record.json").read_text())
    assert [artifact["path"] for artifact in record["artifacts"]] == ["sbom.cdx.json"]
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    assert [each["purl"] for each in bill["components"]] == ["pkg:pypi/jinja2@3.1.6", "pkg:pypi/some-thing@2.0"]
    schemas = next(programs.parent.glob("lib/*/site-packages/cyclonedx/schema/_res"))
    resources = [json.loads(path.read_text()) for path in schemas.glob("*.schema.json")]
    registry = Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in resources)
    (schema,) = [each for each in resources if each["$id"].endswith("/bom-1.6.schema.json")]
    validator = Draft7Validator(schema, registry=registry)
    assert [error.message for error in validator.iter_errors(bill)] == []
    assert [error.message for error in validator.iter_errors(bill | {"bomFormat": "another"})] != []


def test_findings_fail_from_the_severity_asked_for(audit: Audit, repository: Path) -> None:
    (repository / "package" / "run.py").write_text(BAD)
    assert audit(only=("code",)) == 1
    (finding, *_) = checks(repository)["code"]["findings"]
    assert (finding["rule"], finding["location"]) == ("B602", "package/run.py:5")
    assert audit(only=("code",), fail_on="critical") == 0
    assert statuses(repository)["code.below"] == "not_applicable"


def test_a_waiver_holds_when_lines_move(audit: Audit, repository: Path) -> None:
    code = repository / "package" / "run.py"
    code.write_text(BAD)
    assert audit(only=("code",)) == 1
    waive(repository, checks(repository)["code"]["findings"][0]["fingerprint"])
    code.write_text(f'"""Moved."""\n\n{BAD}')
    assert audit() == 0
    assert statuses(repository)["code"] == "waived"


def test_a_waived_finding_is_an_answer_where_nothing_else_is_asked(
    audit: Audit, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "package" / "run.py").write_text(BAD)
    assert audit(only=("code",)) == 1
    (found, *_) = checks(repository)["code"]["findings"]
    assert f"package/run.py:5 B602 [{found['fingerprint']}]" in capsys.readouterr().out
    waive(repository, found["fingerprint"])
    assert audit(only=("code",)) == 0
    assert f"[{found['fingerprint']}]\n        a test (accepted by tests until" in capsys.readouterr().out


def test_where_nothing_that_was_asked_applies_the_run_says_why_and_what_to_ask(
    audit: Audit, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(only=("workflows",), fail_on="high") == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "Nothing was shown: nothing that was asked has an answer" in said
    assert "workflows: there is no workflow or action of GitHub in the repository" in said
    assert "Ask for more: ./inv audit --fail-on high Report" in said
    assert statuses(repository)["files"] == "passed"


def test_a_slip_in_what_may_be_inconclusive_is_wrong_usage_before_anything_runs(audit: Audit, repository: Path) -> None:
    with pytest.raises(UsageError, match=r"--allow-inconclusive dependancies: .*did you mean dependencies\?"):
        audit(allow=("dependancies",))
    assert not (repository / "reports").exists()
    assert audit(only=("code",), allow=("dependencies", "code.doubt", "limits.keys", "target")) == 0


def test_without_advisories_it_is_inconclusive_unless_that_is_allowed(
    audit: Audit, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "ops.toml").write_text(POLICY.format("nowhere"))
    assert audit() == 3
    assert audit(allow=("dependencies",)) == 0
    assert "NOT CHECKED\n  dependencies:" in capsys.readouterr().out
    for name in ("report.md", "report.html"):
        assert "NOT CHECKED" in (repository / "reports" / "latest-audit" / name).read_text()


def test_a_waived_finding_does_not_hide_that_advisories_are_old(audit: Audit, repository: Path, tmp_path: Path) -> None:
    advise(tmp_path / "old", "jinja2", "9", modified="2026-01-02 03:04:05+00:00")
    (repository / "ops.toml").write_text(POLICY.format(tmp_path / "old"))
    assert audit() == 1
    waive(repository, checks(repository)["dependencies"]["findings"][0]["fingerprint"])
    assert audit() == 3
    assert statuses(repository)["dependencies"] == "waived"
    assert statuses(repository)["dependencies.doubt"] == "inconclusive"
    assert audit(allow=("dependencies",)) == 0


def test_what_is_left_out_is_listed(audit: Audit, repository: Path) -> None:
    assert audit(only=("code", "secrets")) == 0
    assert checks(repository)["dependencies"]["reason"] == "left out: --only names code, secrets"


def test_without_any_scanner_nothing_passes(audit: Audit, repository: Path, tmp_path: Path) -> None:
    assert audit(where=tmp_path / "nothing" / "bin") == 3
    assert {statuses(repository)[name] for name in ("code", "secrets", "dependencies")} == {"inconclusive"}
    assert audit(where=tmp_path / "nothing" / "bin", allow=("code", "secrets", "dependencies")) == 3


def test_files_that_git_cannot_list_are_inconclusive(audit: Audit, repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("nonsense")
    assert audit() == 3
    assert "git ls-files failed in" in checks(repository)["run"]["reason"]


def test_a_submodule_is_not_passed_over_in_silence(
    audit: Audit, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = "0" * 39 + "1"
    command = ["git", "-C", str(repository), "update-index", "--add", "--cacheinfo", f"160000,{nobody},vendor/other"]
    subprocess.run(command, check=True)
    assert audit(only=("code",)) == 3
    assert checks(repository)["files"]["reason"] == (
        "1 left out: vendor/other is a repository of its own, to be audited there"
    )
    assert audit(only=("code",), allow=("files",)) == 0
    assert "NOT CHECKED\n  files:" in capsys.readouterr().out


def test_an_environment_that_cannot_be_made_is_tried_once_and_is_each_scanners_reason(repository: Path) -> None:
    # As the job is used: no environment stands in, and the project has no lock of the scanners.
    assert run_audit(Options(only=STATIC), repository=repository, environ=os.environ) == 3
    for name in ("code", "secrets", "dependencies"):
        assert checks(repository)[name]["reason"].startswith("requirements/audit.txt cannot be read")
    assert statuses(repository)["playbooks"] == "not_applicable"
    assert not list(repository.glob(".venv-audit-*"))


def test_no_report_and_no_output_repeats_a_secret(
    audit: Audit, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "npm" + "_" + "aB3dE6gH9jaB3dE6gH9jaB3dE6gH9jaB3dE6"
    password = "correct-horse-7battery"
    (repository / "package" / "login.py").write_text(f'PASSWORD = "{password}"\ngo(key="{token}")\n')
    assert audit() == 1
    said = capsys.readouterr()
    texts = [said.out, said.err]
    texts += [path.read_text() for path in (repository / "reports").rglob("*") if path.is_file()]
    assert len(texts) > 5
    assert not [text for text in texts if token in text or password in text]
    assert {each["location"] for each in checks(repository)["secrets"]["findings"]} == {"package/login.py:2"}
    assert checks(repository)["code"]["findings"][0]["message"].endswith("(also Secret Keyword)")


def test_an_interruption_ends_every_scanner_and_leaves_no_copy(
    checkout: Checkout, programs: Path, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "--quiet", str(checkout.folder)], check=True)
    (checkout.folder / ".venv-audit").symlink_to(REPOSITORY / ".venv-audit")
    (tmp_path / "scratch").mkdir()
    with checkout.start("audit", environ={"TMPDIR": str(tmp_path / "scratch")}) as process:
        deadline = time.monotonic() + 30
        while not any("bin/detect-secrets" in command for command in commands_below(process.pid)):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert psutil.wait_procs(below, timeout=10)[1] == []
    assert list((tmp_path / "scratch").iterdir()) == []


def commands_below(pid: int) -> list[str]:
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(child.cmdline()))
    return found
