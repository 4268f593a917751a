import argparse
import base64
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from server import __version__
from server.commands import COMMANDS

KEY = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
Run = Callable[..., "subprocess.CompletedProcess[str]"]

# What every command needs after its name. Whom or what it names need not exist: no test here gets as far.
CALLS = {
    "serve": "",
    "stdio": "",
    "migrate": "",
    "check": "",
    "tenant create": "x",
    "tenant list": "",
    "tenant suspend": "x --reason r",
    "tenant resume": "x",
    "tenant export": "x --output /no/such/folder/x",
    "tenant erase": "x --confirm x",
    "key create": "x",
    "key list": "x",
    "key rotate": "x",
    "key revoke": "x --reason r",
    "key expire": "x --in 1h",
    "key rotate-master": "",
    "brake pull": "read-only --reason r",
    "brake release": "read-only",
    "brake cap": "x 1 --reason r",
    "brake list": "",
    "writes list": "",
    "writes show": "x",
    "writes uncertain": "",
    "writes settle": "x done",
    "writes revert": "x",
    "seed": "--tenants 1 --stores 1 --audit-rows 1",
    "sentry-test": "",
    "reference env": "development",
    "reference environments": "",
    "reference tools": "",
    "reference errors": "",
}
WITHOUT_SETTINGS = [name for name in CALLS if name.startswith("reference ")]
WITH_SETTINGS = [name for name in CALLS if name not in WITHOUT_SETTINGS]
# Of a database that is not migrated serve tells who asks for its health, check tells with the rest, migrate makes it.
ON_DATABASE = [name for name in WITH_SETTINGS if name not in {"serve", "check", "migrate", "sentry-test"}]
# One of each family: what opens the database is the same for all of it.
OPENING = list({name.split()[0]: name for name in [*ON_DATABASE, "migrate"]}.values())


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


def call(name: str) -> list[str]:
    return f"{name} {CALLS[name]}".split()


def names_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every command of a parser, its own name left out."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for name, inner in group.choices.items():
            yield from (f"{name} {rest}".strip() for rest in names_of(inner))
    if not groups:
        yield ""


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser()
    commands = whole.add_subparsers()
    for command in COMMANDS:
        command.add(commands)
    return whole


def test_every_command_is_called_by_the_tests_below(parser: argparse.ArgumentParser) -> None:
    assert set(names_of(parser)) == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_no_command_takes_an_option_that_it_does_not_have(
    name: str, parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    parser.parse_args(call(name))
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([*call(name), "--no-such-option"])
    assert ended.value.code == 2
    assert "--no-such-option" in capsys.readouterr().err


@pytest.mark.parametrize("name", WITH_SETTINGS)
def test_every_command_lists_all_problems_of_the_settings_one_line_each(name: str, run: Run) -> None:
    lines = refused(run(*call(name), MASTER_KEY=None, PORT="eighty", LOG_LEVEL="loud"), 2)
    assert len(lines) == 3
    for setting in ("MASTER_KEY", "PORT", "LOG_LEVEL"):
        assert any(line.startswith(f"server: {setting}:") for line in lines)


@pytest.mark.parametrize("name", WITHOUT_SETTINGS)
def test_a_page_is_printed_without_any_setting(name: str, run: Run) -> None:
    done = run(*call(name), MASTER_KEY=None, PORT="eighty")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_wrong_option_is_wrong_usage(run: Run) -> None:
    for arguments in ([], ["dance"], ["serve", "--fast"], ["tenant"], ["tenant", "create"]):
        assert refused(run(*arguments), 2)


@pytest.mark.parametrize("name", ON_DATABASE)
def test_a_database_that_is_not_migrated_is_told_in_one_line(name: str, run: Run) -> None:
    (line,) = refused(run(*call(name)), 2)
    assert "the database is empty; run: python -m server migrate" in line


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


@pytest.mark.parametrize("name", [*OPENING, "serve"])
def test_a_database_that_cannot_be_opened_is_told_in_one_line(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (line,) = refused(run(*call(name), DATABASE_URL=f"sqlite:///{tmp_path}/file/app.db"), 2)
    assert "DATABASE_URL" in line


@pytest.mark.parametrize("name", OPENING)
def test_a_file_that_is_no_database_is_told_in_one_line(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.db").write_text("plain text, and enough of it to be no header of SQLite" * 100)
    (line,) = refused(run(*call(name), DATABASE_URL=f"sqlite:///{tmp_path}/app.db"), 2)
    assert "database" in line


def test_a_tenant_is_created_once_and_its_key_shown_once(run: Run) -> None:
    assert run("migrate").returncode == 0
    assert run("migrate").returncode == 0
    created = run("tenant", "create", "shop")
    assert created.returncode == 0
    assert created.stderr == ""
    (line,) = created.stdout.splitlines()
    assert set(json.loads(line)) == {"tenant_id", "name", "key", "expires_at"}
    assert "exists" in refused(run("tenant", "create", "shop"), 1)[0]


@pytest.mark.parametrize("name", ["   ", "x" * 201, "two\nlines"])
def test_a_tenant_has_a_name_that_fits(name: str, run: Run, migrated_database: Path) -> None:
    assert len(refused(run("tenant", "create", name, DATABASE_URL=f"sqlite:///{migrated_database}"), 1, 2)) == 1


def test_the_version_is_told_without_any_setting(run: Run) -> None:
    assert run("--version", MASTER_KEY=None).stdout.strip() == __version__
