import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.process import child_environment
from harness.repository import REPOSITORY
from tests.integration.server.bench import Bench

Check = Callable[..., "subprocess.CompletedProcess[str]"]
KEY = secrets.token_urlsafe(32)


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "server", "check", *arguments),
        env=child_environment(environment, os.environ),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def database(migrated_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated_database, tmp_path / "app.db"))


@pytest.fixture
def check(database: Path) -> Check:
    """Run the command on a database that is at the newest revision."""

    def check_one(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return run({"MASTER_KEY": KEY, "DATABASE_URL": f"sqlite:///{database}", **settings}, *arguments)

    return check_one


def failed(result: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """The checks that do not hold, by name."""
    checks = json.loads(result.stdout)["checks"]
    assert result.returncode == (1 if any(each["status"] == "failed" for each in checks) else 0)
    return {each["check"]: each["message"] for each in checks if each["status"] == "failed"}


def notes(result: "subprocess.CompletedProcess[str]") -> str:
    return "\n".join(each["message"] for each in json.loads(result.stdout)["checks"] if each["status"] == "note")


def test_what_holds_is_shown_with_every_setting_and_no_secret(check: Check) -> None:
    result = check(ENVIRONMENT="staging", ADMIN_TOKEN="operator-token", RATE_LIMIT_RPM="77")
    assert result.returncode == 0, result
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["Environment:", "staging", "(set", "by", "ENVIRONMENT)"]
    assert ["RATE_LIMIT_RPM", "set", "77"] in lines
    assert ["DRAIN_SECONDS", "default", "50"] in lines
    assert "client 60 s > proxy 50 s > call 45 s" in result.stdout
    assert "stop 75 s > drain 50 s > call 45 s" in result.stdout
    assert result.stdout.endswith("All holds.\n")
    assert KEY not in result.stdout
    assert "operator-token" not in result.stdout


def test_json_holds_the_same(check: Check) -> None:
    shown = json.loads(check("--json", RATE_LIMIT_RPM="77").stdout)
    assert shown["status"] == "ok"
    assert shown["environment"] == "development"
    assert shown["settings"]["rate_limit_rpm"] == {"value": 77, "set": True, "default": "120"}
    assert shown["settings"]["drain_seconds"]["set"] is False
    assert {each["check"] for each in shown["checks"]} == {
        "time-outs",
        "settings",
        "data directory",
        "disk",
        "database",
        "master key",
    }


def test_settings_that_are_refused_end_with_2_and_every_problem(check: Check) -> None:
    result = check("--json", ENVIRONMENT="production", DRAIN_SECONDS="40")
    assert (result.returncode, result.stdout) == (2, "")
    names = {line.split(":")[1].strip() for line in result.stderr.splitlines()}
    assert names == {"ADMIN_TOKEN", "ALLOWED_HOSTS", "DRAIN_SECONDS"}


def test_a_database_that_is_not_there_says_what_to_run(check: Check, tmp_path: Path) -> None:
    absent = tmp_path / "not" / "yet" / "app.db"
    found = failed(check("--json", DATABASE_URL=f"sqlite:///{absent}"))
    assert list(found) == ["database"]
    assert "python -m server migrate" in found["database"]
    assert not absent.parent.parent.exists()


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_a_database_at_another_revision_says_what_to_run(revision: str, check: Check, database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    found = failed(check("--json"))
    assert revision in found["database"]


def test_a_file_that_is_no_database_fails(check: Check, database: Path) -> None:
    database.write_text("plain text, and enough of it to be no header of SQLite" * 100)
    assert "not a database" in failed(check("--json"))["database"]


def test_a_database_that_somebody_holds_fails(check: Check, database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert "locked" in failed(check("--json"))["database"]


def test_a_disk_below_the_reserve_fails(check: Check) -> None:
    assert "DISK_RESERVE_BYTES" in failed(check("--json", DISK_RESERVE_BYTES=str(10**15)))["disk"]


def test_a_folder_that_cannot_be_written_fails(check: Check) -> None:
    # Whoever runs the tests: nobody, root included, can write there.
    assert "data directory" in failed(check("--json", DATABASE_URL="sqlite:////proc/app.db"))


def test_a_running_server_s_secrets_open_with_its_master_key_and_with_no_other(bench: Bench, shop: Any) -> None:
    own = run(dict(bench.environment), "--json")
    assert failed(own) == {}
    assert "nothing is sealed" not in own.stdout
    other = run({**bench.environment, "MASTER_KEY": KEY}, "--json")
    assert list(failed(other)) == ["master key"]
    both = run({**bench.environment, "MASTER_KEY": f"{KEY} {bench.environment['MASTER_KEY']}"}, "--json")
    assert failed(both) == {}
    assert "2 keys" in notes(both)


def test_one_damaged_secret_among_good_ones_is_found(bench: Bench, shop: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(bench.database)) as source, contextlib.closing(sqlite3.connect(copy)) as to:
        source.backup(to)
        with to:
            ((sealed, row, store),) = to.execute(
                "SELECT sealed_api_key, id, store_id FROM stores ORDER BY id DESC LIMIT 1"
            ).fetchall()
            to.execute("UPDATE stores SET sealed_api_key = ? WHERE id = ?", (sealed[:-1] + b"\0", row))
    found = failed(run({**bench.environment, "DATABASE_URL": f"sqlite:///{copy}"}, "--json"))
    assert f", store {store}: the API key does not open" in found["master key"]


def test_what_is_unusual_is_noted_and_fails_nothing(check: Check) -> None:
    result = check("--json", HOST="0.0.0.0", QUERY_TOKEN_ENABLED="true")
    assert failed(result) == {}
    for name in ("ENVIRONMENT", "HOST", "ADMIN_TOKEN", "QUERY_TOKEN_ENABLED"):
        assert name in notes(result)
    production = {
        "ENVIRONMENT": "production",
        "ADMIN_TOKEN": secrets.token_urlsafe(32),
        "ALLOWED_HOSTS": "mcp.example.com",
    }
    noted = notes(check("--json", **production))
    assert "MASTER_KEY_FILE" in noted
    assert "mcp.example.com" in noted
