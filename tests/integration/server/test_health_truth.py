import contextlib
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from harness.process import Command, running
from harness.repository import REPOSITORY
from harness.sandbox.faults import Latency, Match
from harness.targets.server import run_server_command
from tests.integration.server.bench import Bench, Upstream, settings_of

PATIENCE = 8.0
AGE_SECONDS = 1.0  # how old an answer of readiness may be
SLOW_SECONDS = 1.0  # how much later it may come on a busy machine
# Starts the server without the right of a superuser to write what is read-only; for anyone else it changes nothing.
WITHOUT_OVERRIDE = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0);"
    "os.execv(sys.executable, [sys.executable, '-m', 'server', 'serve'])"
)


def wait_for(ask: Callable[[], httpx.Response], status: int) -> dict[str, Any]:
    """The body of the first answer with that status."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()).status_code != status:
        assert time.monotonic() < deadline, f"still HTTP {answer.status_code} {answer.text}"
        time.sleep(0.05)
    body: dict[str, Any] = answer.json()
    return body


def ready_of(base_url: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.get(f"{base_url}/health/ready", trust_env=False, timeout=15)


@contextlib.contextmanager
def listening(environment: dict[str, str], logs: Path, *start: str) -> Iterator[str]:
    """The base URL of a server that listens, ready or not."""
    arguments = (sys.executable, *(start or ("-m", "server", "serve")))
    with running(Command("server", arguments, environment, REPOSITORY), logs=logs, stop_seconds=25) as process:
        event = process.wait_for_event("server.listening", seconds=30)
        yield f"http://127.0.0.1:{event['port']}"


def test_a_healthy_server_says_so_everywhere(bench: Bench) -> None:
    basic = bench.get("/health", admin=False).json()
    assert (basic["status"], basic["service"]) == ("ok", "quartermaster")
    assert basic["uptime_seconds"] > 0
    assert bench.get("/health/live", admin=False).json() == {"status": "alive"}
    ready = bench.get("/health/ready", admin=False)
    assert ready.status_code == 200
    checks = ready.json()["checks"]
    assert checks.pop("disk").startswith(("ok", "degraded"))  # it is this machine's
    assert checks == {"database": "ok", "cache": "ok", "migrations": "ok", "keys": "ok"}
    assert ready.json()["status"] == "ready"
    detailed = bench.get("/health/detailed").json()
    assert detailed["status"] in {"healthy", "degraded"}  # a full disk of this machine is a warning
    details = detailed["checks"]
    assert details["database"]["status"] == "ok"
    assert 0 <= details["database"]["latency_ms"] < 5_000
    assert details["disk"]["used_percent"] > 0
    assert details["disk"]["writes"] in {"ok", "refused"}
    assert details["memory"]["process_resident_bytes"] > 1_000_000
    assert details["memory"]["system_used_percent"] > 0
    assert detailed["configuration"]["rate_limit_rpm"] == 1_000_000


def test_details_and_metrics_are_closed_without_the_operators_token(bench: Bench, shop: Any) -> None:
    for path in ("/health/detailed", "/metrics"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {shop.tenant.key}"}):
            answer = httpx.get(bench.base_url + path, headers=headers, trust_env=False)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "configuration" not in answer.text


def test_without_an_operators_token_nobody_gets_in(start: Any) -> None:
    bench = start(ADMIN_TOKEN="")
    for token in ("x", "None", "null"):
        answer = httpx.get(f"{bench.base_url}/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        assert answer.status_code == 401


def test_the_details_show_no_secret(bench: Bench) -> None:
    text = bench.get("/health/detailed").text
    assert bench.environment["MASTER_KEY"] not in text
    assert bench.environment["ADMIN_TOKEN"] not in text


def test_a_database_that_was_removed_is_noticed(start: Any) -> None:
    bench = start()
    for path in bench.database.parent.glob("app.db*"):
        path.unlink()
    body = wait_for(ready_of(bench.base_url), 503)
    assert body["status"] == "not_ready"
    assert body["checks"]["database"] != "ok"
    assert bench.get("/health/detailed").json()["status"] == "unhealthy"
    assert bench.get("/health/live").status_code == 200


def test_a_database_that_another_program_keeps_locked_is_noticed_and_so_is_its_release(start: Any) -> None:
    bench = start()
    with contextlib.closing(sqlite3.connect(bench.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        body = wait_for(ready_of(bench.base_url), 503)
        assert body["checks"]["database"] == "fails: database is locked"
        # What was seen a second ago may be told, then comes the second that the lock is waited for.
        assert time.monotonic() - began < 2 * AGE_SECONDS + SLOW_SECONDS
        other.execute("ROLLBACK")
    began = time.monotonic()
    assert wait_for(ready_of(bench.base_url), 200)["checks"]["database"] == "ok"
    assert time.monotonic() - began < AGE_SECONDS + SLOW_SECONDS


def test_a_flood_of_readiness_requests_takes_the_database_s_lock_once_a_second(start: Any) -> None:
    bench = start()

    def flood(_number: int) -> int:
        answered = 0
        with httpx.Client(base_url=bench.base_url, trust_env=False, timeout=15) as http:
            while time.monotonic() < until:
                assert http.get("/health/ready").status_code == 200
                answered += 1
        return answered

    before, began = bench.samples(), time.monotonic()
    until = began + 2.5
    with ThreadPoolExecutor(4) as pool:
        answered = sum(pool.map(flood, range(4)))
    after, seconds = bench.samples(), time.monotonic() - began
    # Nothing else updates a row here.
    taken = after.total("db_query_duration_seconds_count", operation="update") - before.total(
        "db_query_duration_seconds_count", operation="update"
    )
    assert answered > 50
    assert 2 <= taken <= seconds / AGE_SECONDS + 1


def test_a_database_that_is_read_only_is_noticed(upstream: Upstream, migrated_database: Path, tmp_path: Path) -> None:
    database = Path(shutil.copy(migrated_database, tmp_path / "app.db"))
    database.chmod(0o444)
    with listening(settings_of(upstream, database), tmp_path, "-c", WITHOUT_OVERRIDE) as base_url:
        body = wait_for(ready_of(base_url), 503)
        assert body["checks"]["database"] != "ok"


def test_a_pending_migration_is_told_with_the_way_to_apply_it(upstream: Upstream, tmp_path: Path) -> None:
    environment = settings_of(upstream, tmp_path / "empty" / "app.db")
    with listening(environment, tmp_path) as base_url:
        body = wait_for(ready_of(base_url), 503)
        assert "python -m server migrate" in body["checks"]["migrations"]
        assert httpx.get(f"{base_url}/health/live", trust_env=False).status_code == 200
        run_server_command("migrate", environment=environment, logs=tmp_path)
        assert wait_for(ready_of(base_url), 200)["checks"]["migrations"] == "ok"


def test_a_master_key_that_is_not_the_database_s_is_not_ready(start: Any, tmp_path: Path) -> None:
    bench = start()
    bench.open_shop()
    with listening({**bench.environment, "MASTER_KEY": "B" * 43}, tmp_path) as base_url:
        assert "MASTER_KEY" in wait_for(ready_of(base_url), 503)["checks"]["keys"]


def test_a_schema_from_another_release_is_not_ready(start: Any) -> None:
    bench = start()
    with contextlib.closing(sqlite3.connect(bench.database)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
    assert "9999" in wait_for(ready_of(bench.base_url), 503)["checks"]["migrations"]


def test_a_server_that_drains_is_not_ready_and_still_finishes_its_calls(start: Any) -> None:
    bench = start()
    shop = bench.open_shop()
    bench.upstream.control.set_faults(Latency(milliseconds=1_200, match=Match(store_id=shop.account.store_id)))
    with bench.connect(shop.tenant) as client, ThreadPoolExecutor(1) as pool:
        since = bench.upstream.control.last_sequence()
        call = pool.submit(client.call_tool, "orders_get", {"order_id": shop.orders[0]})
        deadline = time.monotonic() + 10
        while not bench.upstream.control.faults()[0]["fired"]:
            assert time.monotonic() < deadline
        os.kill(bench.process.pid, 15)
        body = wait_for(ready_of(bench.base_url), 503)
        assert body["checks"]["draining"]
        assert not call.result().is_error
    assert bench.process.wait(seconds=10) == 0
    assert len(bench.upstream.calls(shop.account, since)) == 1
