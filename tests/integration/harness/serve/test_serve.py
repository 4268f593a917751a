import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.client import RpcError, connect
from tests.integration.parts import Checkout

LAST_LINE = "Ctrl-C stops both.\n"


def introduction(process: "subprocess.Popen[str]") -> str:
    """What it prints until it serves; the test's time-out bounds the wait."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == LAST_LINE:
            return "".join(lines)
    assert process.stderr is not None
    pytest.fail(f"it ended before it served: {process.stderr.read()}")


def servers(text: str) -> list[dict[str, Any]]:
    """The configurations, as a client would read them."""
    blocks = re.findall(r"^\{\n.*?^\}$", text, re.MULTILINE | re.DOTALL)
    return [json.loads(block)["mcpServers"]["quartermaster"] for block in blocks]


def endpoint(text: str) -> tuple[str, str]:
    http, _ = servers(text)
    return http["url"], http["headers"]["Authorization"].removeprefix("Bearer ")


def end(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGINT) -> int:
    process.send_signal(number)
    process.communicate(timeout=60)
    return process.returncode


def test_every_printed_configuration_connects_and_reads_orders(checkout: Checkout) -> None:
    with checkout.start("serve", "--port", "0", "--orders", "7") as process:
        text = introduction(process)
        http, remote = servers(text)
        (command,) = [line for line in text.splitlines() if line.startswith("claude mcp add ")]
        url, key = endpoint(text)
        assert http == {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {key}"}}
        assert remote["args"][:3] == ["-y", "mcp-remote", url]
        assert remote["env"] == {"AUTHORIZATION": f"Bearer {key}"}
        assert shlex.split(command)[-3:] == [url, "--header", f"Authorization: Bearer {key}"]
        for version in ("2025-06-18", "2026-07-28"):
            with connect(url, key, version=version) as client:
                listed = client.call_tool("orders_list").structured
            assert listed is not None
            assert listed["pagination"]["total"] == 7
        for log in re.findall(r"\S+\.log", text):
            assert Path(log.rstrip(",")).is_file()
        assert end(process) == 130


def test_a_restart_keeps_tenant_and_store(checkout: Checkout) -> None:
    with checkout.start("serve", "--port", "0") as process:
        url, key = endpoint(introduction(process))
        with connect(url, key) as client:
            client.call_tool("stores_delete", {"store_identifier": "Sandbox"})
            store = {"store_id": "other", "api_key": "k", "store_name": "Mine"}
            assert not client.call_tool("stores_register", store).is_error
        end(process)
    with checkout.start("serve", "--port", "0") as process:
        again_url, again_key = endpoint(introduction(process))
        assert again_key == key
        with connect(again_url, again_key) as client:
            listed = client.call_tool("stores_list").structured
        assert listed is not None
        assert {each["store_name"] for each in listed["stores"]} == {"Mine", "Sandbox"}
        end(process)
    for file in (checkout.folder / "data").glob("*.json"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_tools_offered_can_be_chosen(checkout: Checkout) -> None:
    offered = {}
    for toolsets in ("", "stores", "all"):
        chosen = ("--toolsets", toolsets) if toolsets else ()
        with checkout.start("serve", "--port", "0", "--fresh", *chosen) as process:
            with connect(*endpoint(introduction(process))) as client:
                offered[toolsets] = {tool["name"] for tool in client.list_tools()}
            end(process)
    assert offered["stores"] < offered[""] < offered["all"]
    refused = checkout.run("serve", "--port", "0", "--toolsets", "everything")
    assert refused.returncode == 2
    assert "TOOLSETS" in refused.stderr


def test_a_second_one_in_the_same_folder_is_refused_unless_it_keeps_nothing(checkout: Checkout) -> None:
    with checkout.start("serve", "--port", "0") as first:
        first_url, first_key = endpoint(introduction(first))
        second = checkout.run("serve", "--port", "0")
        assert second.returncode == 2
        assert second.stderr == (
            f"serve: another ./inv serve uses {checkout.folder}/data; stop it, or start this one with --fresh\n"
        )
        with checkout.start("serve", "--port", "0", "--fresh") as fresh:
            text = introduction(fresh)
            fresh_url, fresh_key = endpoint(text)
            folder = Path(re.findall(r"\S+/server\.stderr\.log", text)[0]).parent.parent
            assert (folder / "app.db").is_file()
            assert fresh_url != first_url
            with pytest.raises(RpcError):
                connect(fresh_url, first_key)
            connect(fresh_url, fresh_key).close()
            assert end(fresh) == 130
        assert not folder.exists()
        assert end(first) == 130


def test_a_database_that_was_replaced_gets_a_new_tenant(checkout: Checkout) -> None:
    keys = []
    for _ in range(2):
        with checkout.start("serve", "--port", "0") as process:
            keys.append(endpoint(introduction(process))[1])
            end(process)
        for file in (checkout.folder / "data").glob("app.db*"):
            file.unlink()
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_however_it_is_ended_nothing_is_left_running(
    checkout: Checkout, number: signal.Signals, exit_code: int
) -> None:
    with checkout.start("serve", "--port", "0") as process:
        introduction(process)
        assert any("server serve" in command for command in checkout.running())
        assert end(process, number) == exit_code
    assert checkout.left_running() == []


def test_a_server_that_dies_ends_the_command_with_a_line(checkout: Checkout) -> None:
    with checkout.start("serve", "--port", "0") as process:
        introduction(process)
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        (server,) = [pid for pid in children if b"server\0serve" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(server, signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert stderr.startswith("serve: server ended by itself (exit code -9): ")
    assert stderr.count("\n") == 1


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)
