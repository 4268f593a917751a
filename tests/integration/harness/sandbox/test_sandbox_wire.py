"""Faults that end a connection, or take time, over real sockets."""

import time

import httpx
import pytest

from harness.errors import HarnessError
from harness.sandbox.client import SandboxClient
from harness.sandbox.errors import SandboxError
from harness.sandbox.faults import (
    ConnectionReset,
    ForeignWriter,
    Latency,
    LostResponse,
    Match,
    ServerError,
    SlowBody,
)
from tests.integration.harness.sandbox.sandbox_process import Sandbox


def test_a_lost_response_comes_after_the_change_was_made(sandbox: Sandbox) -> None:
    order = sandbox.orders()[0]
    since = sandbox.control.last_sequence()
    sandbox.control.set_faults(LostResponse(count=1))
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.api.put(f"/orders/{order['id']}", json={**order, "email": "lost@example.com"})
    assert sandbox.api.get(f"/orders/{order['id']}").json()["order"]["email"] == "lost@example.com"
    lost, _ = sandbox.control.journal(since)
    assert (lost["applied"], lost["answered"], lost["status"], lost["faults"]) == (True, False, None, ["lost_response"])
    assert lost["changes"][0]["fields"]["email"] == {"before": order["email"], "after": "lost@example.com"}


def test_a_lost_response_leaves_reads_alone(sandbox: Sandbox) -> None:
    sandbox.control.set_faults(LostResponse())
    assert len(sandbox.orders()) == 50


def test_a_reset_comes_before_the_change_is_made(sandbox: Sandbox) -> None:
    order = sandbox.orders()[0]
    since = sandbox.control.last_sequence()
    sandbox.control.set_faults(ConnectionReset(count=1))
    with pytest.raises(httpx.ReadError, match="reset"):
        sandbox.api.delete(f"/orders/{order['id']}")
    assert sandbox.api.get(f"/orders/{order['id']}").json()["order"] == order
    dropped, _ = sandbox.control.journal(since)
    assert (dropped["applied"], dropped["answered"], dropped["method"]) == (False, False, "DELETE")
    assert sandbox.control.stats()["status"]["dropped"] >= 1


def test_the_connection_works_again_after_either(sandbox: Sandbox) -> None:
    sandbox.control.set_faults(ConnectionReset(count=3))
    for _ in range(3):
        with pytest.raises(httpx.ReadError):
            sandbox.api.get("/test")
    assert sandbox.api.get("/test").status_code == 200


def test_latency_holds_a_request_back(sandbox: Sandbox) -> None:
    sandbox.control.set_faults(Latency(milliseconds=(150, 200), match=Match(path_prefix="/store")))
    started = time.monotonic()
    assert sandbox.api.get("/store").status_code == 200
    assert time.monotonic() - started >= 0.15


def test_a_client_that_gives_up_does_not_stop_its_write(sandbox: Sandbox) -> None:
    order = sandbox.orders()[1]
    sandbox.control.set_faults(Latency(milliseconds=300, count=1))
    with pytest.raises(httpx.ReadTimeout):
        sandbox.api.put(f"/orders/{order['id']}", json={**order, "email": "late@example.com"}, timeout=0.1)
    deadline = time.monotonic() + 5
    while sandbox.api.get(f"/orders/{order['id']}").json()["order"]["email"] != "late@example.com":
        assert time.monotonic() < deadline, "the write was dropped with its connection"
        time.sleep(0.02)


def test_a_slow_body_comes_whole_in_the_end(sandbox: Sandbox) -> None:
    sandbox.control.set_faults(SlowBody(milliseconds=1_000, count=1))
    started = time.monotonic()
    with sandbox.api.stream("GET", "/inventory-items") as answer:
        headers_after = time.monotonic() - started
        body = answer.read()
    assert headers_after < 0.8
    assert time.monotonic() - started >= 1
    assert body == sandbox.api.get("/inventory-items").content


def test_other_requests_are_not_held_back_by_a_slow_one(sandbox: Sandbox) -> None:
    sandbox.control.set_faults(Latency(milliseconds=60_000, count=1))
    with pytest.raises(httpx.ReadTimeout):
        sandbox.api.get("/test", timeout=0.2)
    assert sandbox.api.get("/test", timeout=5).status_code == 200


def test_the_foreign_writer_comes_between_two_reads(sandbox: Sandbox) -> None:
    order_id = sandbox.orders()[2]["id"]
    since = sandbox.control.last_sequence()
    sandbox.control.set_faults(ForeignWriter(count=1))
    read, again = (sandbox.api.get(f"/orders/{order_id}").json()["order"] for _ in range(2))
    assert read["order_metadata"] != again["order_metadata"]
    assert [entry["kind"] for entry in sandbox.control.journal(since)] == ["request", "foreign", "request"]


def test_the_bucket_really_refills_by_the_second(sandbox: Sandbox) -> None:
    sandbox.control.bucket(enabled=True, capacity=2, refill_per_second=1)
    statuses = [sandbox.api.get("/test").status_code for _ in range(4)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses[2:]
    deadline = time.monotonic() + 5
    while sandbox.api.get("/test").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sandbox.control.bucket(capacity=20, refill_per_second=3)


def test_the_client_reads_the_whole_journal_and_the_counters(sandbox: Sandbox) -> None:
    since, before = sandbox.control.last_sequence(), sandbox.control.stats()["requests"]["total"]
    for _ in range(30):
        sandbox.api.get("/test", headers={"X-Request-ID": "abc"})
    entries = sandbox.control.journal(since)
    assert [entry["sequence"] for entry in entries] == list(range(since + 1, since + 31))
    assert {entry["request_id"] for entry in entries} == {"abc"}
    assert sandbox.control.stats()["requests"]["total"] == before + 30


def test_the_client_refuses_to_pass_over_lost_entries(sandbox: Sandbox) -> None:
    sandbox.api.get("/test")
    since = sandbox.control.last_sequence() - 1
    sandbox.control.clear_journal()
    with pytest.raises(SandboxError, match="1 journal entries"):
        sandbox.control.journal(since)


def test_the_client_tells_what_the_sandbox_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="capacity"):
        sandbox.control.bucket(capacity=0)


def test_the_client_lists_faults_with_how_often_they_fired(sandbox: Sandbox) -> None:
    sandbox.control.set_faults(ServerError(count=5, probability=0.5), seed=3)
    statuses = [sandbox.api.get("/test").status_code for _ in range(6)]
    (fault,) = sandbox.control.faults()
    assert (fault["kind"], fault["fired"]) == ("server_error", statuses.count(503))
    sandbox.control.clear_faults()
    assert sandbox.control.faults() == []


def test_the_client_says_when_no_sandbox_answers() -> None:
    with SandboxClient("http://127.0.0.1:9", timeout_seconds=2) as client, pytest.raises(HarnessError, match="answer"):
        client.stats()
