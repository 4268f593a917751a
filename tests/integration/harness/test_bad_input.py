"""Whatever is wrong: one clear line on stderr, the right exit code, no traceback, nothing left running."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.integration.parts import Checkout


@contextlib.contextmanager
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def closed_port() -> int:
    with port_in_use() as port:
        return port


def complaint(done: "subprocess.CompletedProcess[str]", exit_code: int) -> str:
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--prot", "1"), "--prot"),
        (("no-such-task",), "no-such-task"),
        (("serve", "--port", "abc"), "--port must be a whole number from 0 to 65535, not 'abc'"),
        (("serve", "--port", "65536"), "--port must be"),
        (("serve", "--port", "9" * 5000), "--port must be"),
        (("serve", "--orders", "-1"), "--orders must be"),
        (("serve", "--port", "0", "--fresh", "--database", "nonsense"), "DATABASE_URL: must be sqlite:///"),
        (("story", "--target", "loca"), "target loca is not in ops.toml; did you mean local?"),
        (("audit", "--only", "secret"), "--only secret: no check or group has that name (did you mean secrets?)"),
        (("audit", "--fail-on", "worst"), "--fail-on worst: is one of info, low, medium, high, critical"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(checkout: Checkout, arguments: tuple[str, ...], said: str) -> None:
    assert said in complaint(checkout.run(*arguments), 2)
    assert not (checkout.folder / "data").exists()


def test_a_port_in_use_is_named(checkout: Checkout) -> None:
    with port_in_use() as port:
        line = complaint(checkout.run("serve", "--port", str(port)), 2)
    assert line.startswith(f"serve: port {port} cannot be used (Address already in use)")


def test_a_data_folder_that_cannot_be_made_is_named(checkout: Checkout) -> None:
    (checkout.folder / "data").write_text("a file in its place")
    line = complaint(checkout.run("serve", "--port", "0"), 2)
    assert line == f"serve: the data folder cannot be used: File exists: {checkout.folder}/data"


def test_keys_that_are_damaged_are_not_replaced(checkout: Checkout) -> None:
    state = checkout.folder / "data" / "serve.json"
    state.parent.mkdir()
    state.write_text('{"master_key": "half of')
    assert "serve.json is damaged" in complaint(checkout.run("serve", "--port", "0"), 2)
    assert state.read_text() == '{"master_key": "half of'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[reports]\nkeep = \n", "line 2"),
        ("[report]\n", "ops.toml: report: unknown table; did you mean reports?"),
        ("[reports]\nkep = 1\n", "ops.toml: reports.kep: unknown key; did you mean keep?"),
        ('[targets.a]\nurl = "nowhere"\n', "ops.toml: targets.a.url: "),
    ],
)
def test_a_broken_ops_toml_says_where(checkout: Checkout, text: str, said: str) -> None:
    (checkout.folder / "ops.toml").write_text(text)
    assert said in complaint(checkout.run("story"), 2)
    assert not (checkout.folder / "reports").exists()


def test_a_missing_ops_toml_is_named(checkout: Checkout) -> None:
    (checkout.folder / "ops.toml").unlink()
    assert "ops.toml: No such file or directory" in complaint(checkout.run("story"), 2)


def test_a_missing_token_variable_is_named(checkout: Checkout) -> None:
    target = '[targets.staging]\nurl = "http://127.0.0.1:9/mcp"\ntoken_env = "THE_TOKEN"\n'
    (checkout.folder / "ops.toml").write_text(target)
    line = complaint(checkout.run("story", "--target", "staging"), 2)
    assert line == "story: target staging: the environment variable THE_TOKEN is not set; it must hold the token"


def test_an_unreachable_target_is_inconclusive(checkout: Checkout) -> None:
    target = f'[targets.staging]\nurl = "http://127.0.0.1:{closed_port()}/mcp"\ntoken_env = "THE_TOKEN"\n'
    (checkout.folder / "ops.toml").write_text(target)
    done = checkout.run("story", "--target", "staging", environ={"THE_TOKEN": "secret.token"})
    line = complaint(done, 3)
    assert line.startswith("story: target staging cannot be reached: http://127.0.0.1:")
    assert "INCONCLUSIVE" in done.stdout
    for file in (checkout.folder / "reports").rglob("*.*"):
        assert not file.is_file() or "secret.token" not in file.read_text()


def test_a_report_folder_that_cannot_be_written_is_named(checkout: Checkout) -> None:
    (checkout.folder / "reports").write_text("a file in its place")
    line = complaint(checkout.run("story"), 2)
    assert line.startswith(f"story: cannot write to the report folder {checkout.folder}/reports: ")


def test_the_activated_environments_invoke_says_the_same(checkout: Checkout) -> None:
    invoke = [".venv/bin/invoke", "serve", "--port", "abc"]
    done = subprocess.run(invoke, cwd=checkout.folder, capture_output=True, text=True, timeout=60, check=False)
    assert "--port must be" in complaint(done, 2)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("task", ["serve", "story"])
def test_an_interruption_while_it_starts_is_one_line(
    checkout: Checkout, task: str, number: signal.Signals, exit_code: int
) -> None:
    arguments = ("serve", "--port", "0") if task == "serve" else ("story",)
    with checkout.start(*arguments) as process:
        deadline = time.monotonic() + 30
        while not any("harness.sandbox" in command for command in checkout.running()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
    assert complaint(done, exit_code).startswith(f"{task}: interrupted")
