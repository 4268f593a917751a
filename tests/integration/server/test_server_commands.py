import base64
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from server import __version__

KEY = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command of the server with settings of its own; None leaves one out."""
    given = {"MASTER_KEY": KEY, "DATABASE_URL": f"sqlite:///{tmp_path}/data/app.db", "PORT": "0"}

    def run_one(*arguments: str, **settings: str | None) -> "subprocess.CompletedProcess[str]":
        environment: Mapping[str, str | None] = {"PATH": "/usr/bin:/bin", **given, **settings}
        return subprocess.run(
            (sys.executable, "-m", "server", *arguments),
            env={name: value for name, value in environment.items() if value is not None},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run_one


def refused(result: "subprocess.CompletedProcess[str]", *codes: int) -> list[str]:
    """The lines of a refusal: clear text on standard error alone, and no traceback."""
    assert result.returncode in codes, result
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return result.stderr.splitlines()


@pytest.mark.parametrize("command", [["serve"], ["migrate"], ["check"], ["tenant", "create", "x"]])
def test_every_command_lists_all_problems_of_the_settings_one_line_each(command: list[str], run: Run) -> None:
    lines = refused(run(*command, MASTER_KEY=None, PORT="eighty", LOG_LEVEL="loud"), 2)
    assert len(lines) == 3
    for name in ("MASTER_KEY", "PORT", "LOG_LEVEL"):
        assert any(line.startswith(f"server: {name}:") for line in lines)


def test_a_wrong_option_is_wrong_usage(run: Run) -> None:
    for arguments in ([], ["dance"], ["serve", "--fast"], ["tenant"], ["tenant", "create"]):
        assert refused(run(*arguments), 2)


def test_a_port_in_use_is_told_in_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = refused(run("serve", PORT=str(port)), 2)
    assert str(port) in line
    assert "in use" in line


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told_in_one_line(host: str, run: Run) -> None:
    (line,) = refused(run("serve", HOST=host), 2)
    assert host in line
    assert "Unknown error" not in line


def test_an_unreadable_key_file_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    (line,) = refused(run("serve", MASTER_KEY=None, MASTER_KEY_FILE=str(tmp_path / "absent")), 2)
    assert "MASTER_KEY_FILE" in line


@pytest.mark.parametrize("command", [["migrate"], ["tenant", "create", "x"], ["serve"]])
def test_a_database_that_cannot_be_opened_is_told_in_one_line(command: list[str], run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    lines = refused(run(*command, DATABASE_URL=f"sqlite:///{tmp_path}/file/app.db"), 1, 2)
    assert len(lines) == 1
    assert "DATABASE_URL" in lines[0] or "file" in lines[0]


def test_a_file_that_is_no_database_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.db").write_text("plain text, and enough of it to be no header of SQLite" * 100)
    for command in (["migrate"], ["tenant", "create", "x"]):
        (line,) = refused(run(*command, DATABASE_URL=f"sqlite:///{tmp_path}/app.db"), 1, 2)
        assert "database" in line


def test_a_tenant_is_created_once_and_its_key_shown_once(run: Run) -> None:
    assert "empty" in refused(run("tenant", "create", "shop"), 2)[0]
    assert run("migrate").returncode == 0
    assert run("migrate").returncode == 0
    created = run("tenant", "create", "shop")
    assert created.returncode == 0
    assert created.stderr == ""
    (line,) = created.stdout.splitlines()
    assert set(json.loads(line)) == {"tenant_id", "name", "key"}
    assert "exists" in refused(run("tenant", "create", "shop"), 1)[0]


@pytest.mark.parametrize("name", ["   ", "x" * 201])
def test_a_tenant_has_a_name_that_fits(name: str, run: Run, migrated_database: Path) -> None:
    assert len(refused(run("tenant", "create", name, DATABASE_URL=f"sqlite:///{migrated_database}"), 1, 2)) == 1


def test_the_version_is_told_without_any_setting(run: Run) -> None:
    assert run("--version", MASTER_KEY=None).stdout.strip() == __version__
