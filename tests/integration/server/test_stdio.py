import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.repository import REPOSITORY
from harness.sandbox.faults import Fault, Latency
from tests.integration.server.bench import ERAS, Bench, Shop, only
from tests.integration.server.stdio_process import COMMAND, StdioServer, speaking

UNAUTHORIZED = {"code": "AUTH_ERROR"}
Start = Callable[..., StdioServer]
UseFaults = Callable[..., int]


@pytest.fixture
def begin(bench: Bench, shop: Shop, tmp_path: Path) -> Iterator[Start]:
    """Start a process on the shared server's database, with the shop's key unless another (or None) is given."""
    with contextlib.ExitStack() as stack:

        def start(key: str | None = shop.tenant.key, **settings: str) -> StdioServer:
            environment = {**bench.environment, **settings, **({"TENANT_KEY": key} if key else {})}
            return stack.enter_context(speaking(environment, tmp_path / "stdio.log"))

        yield start


def structured(answer: dict[str, Any]) -> dict[str, Any]:
    assert not answer["result"]["isError"], answer
    content: dict[str, Any] = answer["result"]["structuredContent"]
    assert json.loads(answer["result"]["content"][0]["text"]) == content
    return content


def await_upstream(bench: Bench, calls: int = 1) -> None:
    """Return when a fault has met so many calls: they are under way."""
    deadline = time.monotonic() + 15
    while bench.upstream.control.faults()[0]["fired"] < calls:
        assert time.monotonic() < deadline


def slowly(shop: Shop, milliseconds: int) -> Fault:
    return Latency(milliseconds=milliseconds, match=only(shop))


def test_both_eras_are_served_side_by_side(begin: Start, shop: Shop) -> None:
    server = begin()
    greeting = server.ask("initialize", 1, protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x"})
    assert greeting["result"]["protocolVersion"] == "2025-06-18"
    server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    tools = [tool["name"] for tool in server.ask("tools/list", 2)["result"]["tools"]]
    assert "orders_get" in tools
    order = structured(server.call("orders_get", 3, order_id=shop.orders[0]))["order"]
    assert str(order["id"]) == shop.orders[0]
    discovered = server.modern("server/discover", 4)["result"]
    assert discovered["supportedVersions"] == [ERAS[-1]]
    assert discovered["resultType"] == "complete"
    called = server.modern("tools/call", 5, name="orders_get", arguments={"order_id": shop.orders[0]})
    assert called["result"]["resultType"] == "complete"
    assert structured(called)["order"] == order
    assert server.modern("ping", 6)["error"]["code"] == -32601
    assert server.end() == 0


def test_calls_are_audited_and_logged_and_the_key_is_in_neither(begin: Start, bench: Bench, shop: Shop) -> None:
    server = begin(TOOLSETS="all")
    structured(server.call("stores_list", 1))
    structured(server.call("tenant_use_master_key", 2, master_key=shop.tenant.key))
    assert server.call("orders_get", 3, order_id="99999999")["result"]["isError"]
    assert server.end() == 0
    logged = server.events("stdio.request")
    assert [(line["tool"], line["error_code"]) for line in logged] == [
        ("stores_list", None),
        ("tenant_use_master_key", None),
        ("orders_get", "NOT_FOUND"),
    ]
    assert {line["tenant_id"] for line in logged} == {shop.tenant.id}
    rows = bench.query("SELECT request_id, tool, status FROM audit WHERE tenant_id = ?", shop.tenant.id)
    for line in logged:
        assert (line["request_id"], line["tool"], "error" if line["error_code"] else "success") in rows
    assert shop.tenant.key not in server.log.read_text()
    assert [event["event"] for event in server.events()][-1] == "server.stopped"


def test_lines_that_cannot_be_read_are_answered_and_the_stream_goes_on(begin: Start) -> None:
    server = begin(MAX_BODY_BYTES="2000", MAX_JSON_DEPTH="10")
    lines = {
        b"not json": -32700,
        b"\xff\xfe{}": -32700,
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping"} {}': -32700,
        b"[" * 11 + b"]" * 11: -32600,
        b'"' + b"x" * 2000 + b'"': -32600,
        b"y" * 5_000_000: -32600,
    }
    for number, (line, code) in enumerate(lines.items()):
        server.write(line + b"\n")
        assert server.ask("ping", number)["result"] == {}
        refused = [message for message in server.messages if message["id"] is None]
        assert len(refused) == number + 1
        assert refused[-1]["error"]["code"] == code
    for number, item in enumerate((5, "text", {}, {"jsonrpc": "2.0", "method": 5}, [])):
        server.send(item)
        assert server.ask("ping", 100 + number)["result"] == {}
    server.write(b"\n  \r\n")
    assert server.ask("ping", "last")["result"] == {}
    assert server.end() == 0


def test_a_huge_line_is_not_kept_in_memory(begin: Start) -> None:
    server = begin()
    server.ask("ping", 1)
    status = Path(f"/proc/{server.process.pid}/status")
    before = peak(status)
    for _ in range(100):
        server.write(b"z" * 1_000_000)
    server.write(b"\n")
    assert server.ask("ping", 2)["result"] == {}
    assert peak(status) - before < 20_000
    assert "longer than" in server.answer(None)["error"]["message"]


def peak(status: Path) -> int:
    """The most memory that a process has used, in KiB."""
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def test_a_slow_call_does_not_hold_the_others_up(begin: Start, bench: Bench, shop: Shop, faults: UseFaults) -> None:
    server = begin()
    server.ask("ping", 1)
    faults(slowly(shop, 1000))
    for number, order_id in enumerate(shop.orders[:5]):
        params = {"name": "orders_get", "arguments": {"order_id": order_id}}
        server.send({"jsonrpc": "2.0", "id": f"slow-{number}", "method": "tools/call", "params": params})
    await_upstream(bench, 5)
    server.ask("ping", 2)
    assert [message["id"] for message in server.messages] == [1, 2]
    for number in range(5):
        structured(server.answer(f"slow-{number}"))


def test_the_end_of_the_input_waits_for_the_calls_under_way(
    begin: Start, bench: Bench, shop: Shop, faults: UseFaults
) -> None:
    server = begin()
    since = faults(slowly(shop, 700))
    arguments = {"order_id": shop.orders[0], "changes": {"order_notes": "At the end"}}
    params = {"name": "orders_update", "arguments": arguments}
    server.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    # A last line may lack its end.
    server.write(b'{"jsonrpc": "2.0", "id": 2, "method": "ping"}')
    assert server.end() == 0
    assert structured(server.answer(1))["message"] == f"Order {shop.orders[0]} updated successfully"
    assert server.answer(2)["result"] == {}
    assert len(bench.upstream.applied(shop.account, since)) == 1
    assert bench.upstream.notes(shop.account, shop.orders[0])[-1] == "At the end"
    audited = bench.query("SELECT status FROM audit WHERE tenant_id = ? AND tool = 'orders_update'", shop.tenant.id)
    assert audited == [("success",)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_calls_under_way(
    begin: Start, bench: Bench, shop: Shop, faults: UseFaults, number: int
) -> None:
    server = begin()
    faults(slowly(shop, 700))
    params = {"name": "orders_get", "arguments": {"order_id": shop.orders[1]}}
    server.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    await_upstream(bench)
    os.kill(server.process.pid, number)
    assert server.wait() == 0
    assert structured(server.answer(1))["order"]
    assert server.events("server.stopped")[0]["calls_cut_off"] == 0


def test_a_read_that_is_cancelled_gets_no_answer_and_does_no_harm(
    begin: Start, bench: Bench, shop: Shop, faults: UseFaults
) -> None:
    server = begin()
    faults(slowly(shop, 1000))
    params = {"name": "orders_get", "arguments": {"order_id": shop.orders[3]}}
    server.send({"jsonrpc": "2.0", "id": "read", "method": "tools/call", "params": params})
    await_upstream(bench)
    server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "read"}})
    bench.upstream.control.clear_faults()
    structured(server.call("orders_get", 2, order_id=shop.orders[4]))
    structured(server.call("orders_get", 3, order_id=shop.orders[3]))
    assert server.end() == 0
    assert [message["id"] for message in server.messages] == [2, 3]
    assert [line for line in server.events() if line["level"] in {"warning", "error"}] == []


def test_without_a_key_a_client_can_look_around_and_then_authenticate(begin: Start, shop: Shop) -> None:
    server = begin(None)
    assert server.ask("initialize", 1, protocolVersion="2025-11-25")["result"]
    assert server.ask("ping", 2)["result"] == {}
    assert server.modern("server/discover", 3)["result"]
    for answer in (server.ask("tools/list", 4), server.modern("tools/list", 5)):
        assert "tenant_use_master_key" in {tool["name"] for tool in answer["result"]["tools"]}
    for answer in (server.call("stores_list", 6), server.modern("prompts/list", 7), server.ask("nowhere", 8)):
        assert answer["error"]["data"] == UNAUTHORIZED
    other = shop.tenant.key[:-1] + ("A" if shop.tenant.key[-1] != "A" else "B")
    assert server.call("tenant_use_master_key", 9, master_key=other)["error"]["data"] == UNAUTHORIZED
    assert server.call("stores_list", 10)["error"]["data"] == UNAUTHORIZED
    shown = structured(server.call("tenant_use_master_key", 11, master_key=shop.tenant.key))
    assert shown["tenant_id"] == shop.tenant.id
    assert structured(server.call("stores_list", 12))["stores"][0]["store_name"] == shop.name
    assert shop.tenant.key not in server.log.read_text()


def test_an_authenticated_process_stays_its_tenants(begin: Start, bench: Bench, shop: Shop) -> None:
    stranger = bench.new_tenant()
    server = begin(TOOLSETS="all")
    refused = server.call("tenant_use_master_key", 1, master_key=stranger.key)
    assert refused["result"]["structuredContent"]["error"]["code"] == "AUTH_ERROR"
    assert structured(server.call("stores_list", 2))["stores"][0]["store_name"] == shop.name


def test_a_key_stops_working_within_a_second_of_being_revoked(begin: Start, bench: Bench, shop: Shop) -> None:
    server = begin()
    structured(server.call("stores_list", 0))
    with contextlib.closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE tenant_keys SET revoked_at = 1 WHERE tenant_id = ?", (shop.tenant.id,))
    revoked = time.monotonic()
    number = 0
    while "result" in (answer := server.call("stores_list", number := number + 1)):
        assert time.monotonic() - revoked < 2
    assert answer["error"]["data"] == UNAUTHORIZED
    assert server.ask("ping", "still")["result"] == {}


def test_the_tenants_rate_limit_applies(begin: Start) -> None:
    server = begin(RATE_LIMIT_RPM="1")
    answers = [server.call("stores_list", number) for number in range(3)]
    error = answers[2]["result"]["structuredContent"]["error"]
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["details"]["retry_after_seconds"] > 1
    assert server.ask("prompts/list", 4)["error"]["code"] == -32003


def test_a_key_may_come_from_a_file(begin: Start, shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(shop.tenant.key + "\n")
    assert structured(begin(None, TENANT_KEY_FILE=str(path)).call("stores_list"))["count"] == 1


def refused(environment: dict[str, str], *, shell: str | None = None) -> str:
    """The one line of a start that is refused with code 2."""
    command = ("sh", "-c", f'exec "$0" "$@" {shell}', *COMMAND) if shell else COMMAND
    result = subprocess.run(
        command, env=environment, cwd=REPOSITORY, input=b"", capture_output=True, timeout=30, check=False
    )
    assert result.returncode == 2, result
    assert result.stdout == b""
    (line,) = result.stderr.decode().splitlines()
    return line


def test_what_keeps_it_from_starting_is_told_in_one_line(bench: Bench, shop: Shop, tmp_path: Path) -> None:
    environment = dict(bench.environment)
    unknown = shop.tenant.key[:-1] + ("A" if shop.tenant.key[-1] != "A" else "B")
    for key in ("nonsense", unknown):
        line = refused({**environment, "TENANT_KEY": key})
        assert line.startswith("server: TENANT_KEY: ")
        assert key not in line
    empty = {**environment, "DATABASE_URL": f"sqlite:///{tmp_path}/absent.db", "TENANT_KEY": shop.tenant.key}
    assert "python -m server migrate" in refused(empty)
    assert not (tmp_path / "absent.db").exists()
    for closed in ("<&-", ">&-"):
        assert "standard streams" in refused(environment, shell=closed)


def test_a_client_that_stops_reading_ends_the_process_without_a_traceback(
    bench: Bench, shop: Shop, tmp_path: Path
) -> None:
    source, sink = os.pipe()
    ping = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    with (tmp_path / "log").open("wb") as log:
        environment = {**bench.environment, "TENANT_KEY": shop.tenant.key}
        process = subprocess.Popen(
            COMMAND, env=environment, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=sink, stderr=log
        )
    os.close(sink)
    assert process.stdin is not None
    with process.stdin:
        process.stdin.write(ping)
        process.stdin.flush()
        assert os.read(source, 1000).endswith(b'"result":{}}\n')
        os.close(source)
        process.stdin.write(ping)
        process.stdin.flush()
        # The input stays open: it is the lost output that ends it.
        assert process.wait(15) == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events[-1] == "server.stopped"


def test_plain_files_serve_as_well_as_pipes(bench: Bench, shop: Shop, tmp_path: Path) -> None:
    questions, answers = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    ping = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    questions.write_text("\n".join([ping] * 500))
    with questions.open("rb") as source, answers.open("wb") as sink:
        environment = {**bench.environment, "TENANT_KEY": shop.tenant.key}
        # The log is a pipe that nobody reads until the end, and fills.
        process = subprocess.Popen(
            COMMAND, env=environment, cwd=REPOSITORY, stdin=source, stdout=sink, stderr=subprocess.PIPE
        )
    with process:
        assert process.wait(30) == 0
    assert [json.loads(line) for line in answers.read_text().splitlines()] == [
        {"jsonrpc": "2.0", "id": 1, "result": {}}
    ] * 500


def test_whatever_else_is_printed_goes_to_the_log(bench: Bench, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os\natexit.register(os.system, 'echo from a child')\natexit.register(print, 'from python')\n"
    )
    environment = {**bench.environment, "TENANT_KEY": shop.tenant.key, "PYTHONPATH": str(tmp_path)}
    asked = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    result = subprocess.run(
        COMMAND, env=environment, cwd=REPOSITORY, input=asked, capture_output=True, timeout=30, check=False
    )
    assert result.stdout == b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    assert b"from python" in result.stderr
    assert b"from a child" in result.stderr
