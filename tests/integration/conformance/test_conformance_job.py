"""`./inv conformance`, whole and real: npm, the suite, the fixture server, the production server."""

import os
from collections import Counter
from pathlib import Path

import pytest

from harness.conformance.suite import install_suite
from harness.errors import HarnessError
from harness.record import RunRecord
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from harness.verdict import CheckStatus, Status
from tests.integration.conformance.conftest import RunJob, raw_results

BROKEN = REPOSITORY / "tests" / "conformance" / "broken_fixture_server.py"
SCORED = {"2026-07-28": 37, "2025-11-25": 30}

# The first run on a machine downloads the suite.
pytestmark = pytest.mark.timeout(300)


def ids(record: RunRecord, status: CheckStatus) -> set[str]:
    return {check.id for check in record.checks if check.status is status}


def test_all_four_legs_pass_and_say_what_they_examined(settings: Path, run_job: RunJob) -> None:
    record = run_job()
    assert (record.status, record.exit_code) == (Status.PASSED, 0)
    assert ids(record, CheckStatus.FAILED) | ids(record, CheckStatus.INCONCLUSIVE) == set()
    legs = {check.id: check.examined for check in record.checks if check.id.startswith(("fixture/20", "production/20"))}
    for revision, scored in SCORED.items():
        assert legs[f"fixture/{revision}"] == legs[f"production/{revision}"] == scored
        for registry in ("fixture", "production"):
            assert len(raw_results(settings, f"{registry}-{revision}")) > scored
    counted = Counter(check.id.rsplit("/", 1)[0] for check in record.checks if check.status is CheckStatus.PASSED)
    # Zero scored failures on the fixture registry; the one waived remark is a warning.
    assert counted["fixture/2026-07-28"] == 37
    assert counted["fixture/2025-11-25"] == 29
    assert {name for name in ids(record, CheckStatus.WAIVED) if name.startswith("fixture/")} == {
        "fixture/2025-11-25/server-sse-multiple-streams"
    }


def test_a_defect_a_missing_exemption_and_a_stale_one_each_fail(settings: Path, run_job: RunJob) -> None:
    waivers = settings / "waivers.toml"
    missing = 'id = "2026-07-28/prompts-get-simple:prompts-get-simple"'
    stale = 'id = "2025-11-25/ping:ping"'
    assert missing in waivers.read_text()
    waivers.write_text(waivers.read_text().replace(missing, stale))
    record = run_job(program=BROKEN)
    assert (record.status, record.exit_code) == (Status.FAILED, 1)
    assert ids(record, CheckStatus.FAILED) == {
        "fixture/2026-07-28/sep-2164-resource-not-found",
        "2026-07-28/prompts-get-simple",
        "waivers",
    }
    assert ids(record, CheckStatus.INCONCLUSIVE) == set()


def test_a_remote_target_is_measured_with_its_token_and_without_the_fixture(
    settings: Path, run_job: RunJob, local_target: LocalTarget
) -> None:
    table = f'url = "{local_target.url}"\ntoken_env = "OTHER"\nproduction = true\n'
    (settings / "ops.toml").write_text(f"[targets.other]\n{table}")
    record = run_job("other", {**os.environ, "OTHER": str(local_target.token)})
    assert (record.status, record.exit_code) == (Status.PASSED, 0)
    assert ids(record, CheckStatus.SKIPPED) == {"fixture"}
    assert "production" in ids(record, CheckStatus.PASSED)
    assert not any(check.id.startswith("fixture/") for check in record.checks)
    assert sum(check.id.startswith("2026-07-28/") for check in record.checks) >= SCORED["2026-07-28"]
    written = b"".join(path.read_bytes() for path in (settings / "reports").rglob("*") if path.is_file())
    assert str(local_target.token).encode() not in written


def test_without_the_suite_nothing_is_measured(settings: Path, run_job: RunJob) -> None:
    offline = {
        **os.environ,
        "npm_config_registry": "http://127.0.0.1:9/",
        "npm_config_fetch_retries": "0",
        "npm_config_cache": str(settings / "npm"),
    }
    record = run_job(environ=offline, cache=settings / "cache")
    assert (record.status, record.exit_code) == (Status.INCONCLUSIVE, 3)
    assert ids(record, CheckStatus.INCONCLUSIVE) == {"suite"}
    assert "ECONNREFUSED" in next(check.reason for check in record.checks if check.id == "suite")
    # What was interrupted is never taken for a whole suite.
    assert list((settings / "cache").iterdir()) == []


def test_a_suite_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    suite = install_suite(logs=tmp_path, environ=os.environ)
    other = tmp_path / "cache" / suite.folder.name
    package = other / "node_modules/@modelcontextprotocol/conformance"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"version": "0.1.16"}')
    with pytest.raises(HarnessError, match=r"holds 0\.1\.16 instead of .* 0\.2\.0-alpha\.12"):
        install_suite(logs=tmp_path, environ=os.environ, cache=tmp_path / "cache")
