import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness.sandbox.faults import Latency
from tests.integration.harness.sandbox.sandbox_process import (
    REPOSITORY,
    Sandbox,
    running_sandbox,
    sandbox_command,
)

PAGES = (
    "/orders?limit=500&get_order_history=1",
    "/orders?order_by=order_total",
    "/inventory-items?limit=500",
    "/store",
)


def refuse(*options: str) -> str:
    """What a start with wrong options says, after having checked that it is one line and exits with 2."""
    finished = subprocess.run(
        sandbox_command(*options).arguments, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False
    )
    assert (finished.returncode, finished.stdout) == (2, "")
    (line,) = finished.stderr.splitlines()
    return line


def test_it_says_in_one_line_where_it_listens_and_with_which_credentials(sandbox: Sandbox) -> None:
    (line,) = sandbox.child.stdout.read_text().splitlines()
    said = json.loads(line)
    assert (said["event"], said["host"]) == ("sandbox.listening", "127.0.0.1")
    assert said["port"] > 0
    assert [set(store) for store in said["stores"]] == [{"store_id", "api_key", "name"}] * 2
    assert (said["store_id"], said["api_key"]) == (said["stores"][0]["store_id"], said["stores"][0]["api_key"])
    for store in said["stores"]:
        headers = {"ORDERDESK-STORE-ID": store["store_id"], "ORDERDESK-API-KEY": store["api_key"]}
        assert sandbox.api.get("/test", headers=headers).status_code == 200
        assert sandbox.api.get("/store", headers=headers).json()["store"]["name"] == store["name"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_exit_code_0(tmp_path: Path, number: signal.Signals) -> None:
    with running_sandbox(tmp_path, "--orders", "5") as sandbox:
        assert sandbox.api.get("/test").status_code == 200
        os.kill(sandbox.child.pid, number)
        assert sandbox.child.wait(seconds=5) == 0
        assert sandbox.child.stderr.read_text() == ""


def test_requests_that_a_fault_holds_back_do_not_hold_up_its_end(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--orders", "5") as sandbox:
        sandbox.control.set_faults(Latency(milliseconds=600_000))
        with socket.create_connection(("127.0.0.1", sandbox.port)) as waiting:
            credentials = f"ORDERDESK-STORE-ID: {sandbox.announcement['store_id']}\r\n"
            credentials += f"ORDERDESK-API-KEY: {sandbox.announcement['api_key']}\r\n"
            waiting.sendall(f"GET /api/v2/test HTTP/1.1\r\nHost: sandbox\r\n{credentials}\r\n".encode())
            deadline = time.monotonic() + 5
            while sandbox.control.faults()[0]["fired"] == 0:
                assert time.monotonic() < deadline
            os.kill(sandbox.child.pid, signal.SIGTERM)
            assert sandbox.child.wait(seconds=5) == 0
            assert sandbox.child.stderr.read_text() == ""


def test_the_same_seed_gives_the_same_bytes_after_a_restart(tmp_path: Path) -> None:
    def everything(name: str, seed: str) -> list[bytes]:
        with running_sandbox(tmp_path / name, "--orders", "40", "--seed", seed) as sandbox:
            return [sandbox.api.get(page).content for page in PAGES]

    first = everything("first", "7")
    assert everything("again", "7") == first
    assert everything("other", "8") != first


def test_credentials_can_be_given(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--store-id", "4711", "--api-key", "k e y", "--stores", "2") as sandbox:
        assert (sandbox.announcement["store_id"], sandbox.announcement["api_key"]) == ("4711", "k e y")
        assert sandbox.announcement["stores"][1]["store_id"] != "4711"
        assert sandbox.api.get("/store").json()["store"]["id"] == "4711"


def test_a_store_without_orders_is_possible(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--orders", "0") as sandbox:
        assert sandbox.orders() == []
        body = {"customer": {"company": "x"}, "order_items": [{"name": "y"}]}
        created = sandbox.api.post("/orders", json=body).json()["order"]
        assert sandbox.orders() == [created]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--orders", "-1"), "--orders"),
        (("--orders", "many"), "--orders"),
        (("--orders", "99999999"), "--orders"),
        (("--port", "70000"), "--port"),
        (("--stores", "0"), "--stores"),
        (("--journal-limit", "0"), "--journal-limit"),
        (("--seed", "x"), "--seed"),
        (("--colour", "red"), "--colour"),
        (("extra",), "extra"),
        (("--store-id", "1"), "--api-key"),
        (("--store-id", "20102", "--api-key", "k", "--stores", "2"), "20102"),
        (("--host", "no.such.host.invalid"), "no.such.host.invalid"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options: tuple[str, ...], named: str) -> None:
    assert named in refuse(*options)


def test_a_port_in_use_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in refuse("--port", port)
