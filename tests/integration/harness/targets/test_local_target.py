import os
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from harness.client import Client, RpcError, connect
from harness.process import ProcessError
from harness.targets import LocalTarget, start_local


def test_it_answers_as_a_tenant_with_a_store(local_target: LocalTarget, mcp_client: Callable[[str], Client]) -> None:
    for version in ("2024-11-05", "2026-07-28"):
        outcome = mcp_client(version).call_tool("orders_list", {"limit": 3})
        assert outcome.structured is not None
        assert outcome.structured["pagination"]["total"] == 200
        assert outcome.request_id
    assert local_target.target.name == "local"
    assert local_target.target.release
    assert 0 < local_target.ready_seconds < 60


def test_its_admin_token_opens_the_metrics(local_target: LocalTarget) -> None:
    headers = {"Authorization": f"Bearer {local_target.admin_token}"}
    response = httpx.get(f"{local_target.base_url}/metrics", headers=headers, trust_env=False)
    assert response.status_code == 200


def test_a_new_tenant_starts_without_stores(local_target: LocalTarget) -> None:
    with connect(local_target.url, local_target.new_tenant("empty")) as client:
        listed = client.call_tool("stores_list").structured
    assert listed is not None
    assert listed["stores"] == []


def test_each_of_its_stores_has_a_tenant(tmp_path: Path) -> None:
    with start_local(logs=tmp_path, environ=os.environ, orders=3, stores=2) as target:
        assert (target.tenants[0].key, target.sandbox.accounts[0].store_id) == (target.token, target.store)
        assert len({tenant.id for tenant in target.tenants}) == 2
        for tenant, account in zip(target.tenants, target.sandbox.accounts, strict=True):
            with connect(target.url, tenant.key) as client:
                listed = client.call_tool("stores_list").structured
            assert listed is not None
            assert [store["store_id"] for store in listed["stores"]] == [account.store_id]


def test_two_at_once_share_nothing_and_leave_only_their_logs(tmp_path: Path) -> None:
    environ = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/precious.db", "PORT": "1"}
    first_logs, second_logs = tmp_path / "first", tmp_path / "second"
    with (
        start_local(logs=first_logs, environ=environ, orders=3) as first,
        start_local(logs=second_logs, environ=environ, orders=5, settings={"ADMIN_TOKEN": "a" * 32}) as second,
    ):
        assert second.admin_token == "a" * 32
        for target, orders in ((first, 3), (second, 5)):
            with target.connect() as client:
                listed = client.call_tool("orders_list").structured
            assert listed is not None
            assert listed["pagination"]["total"] == orders
        with pytest.raises(RpcError) as refused:
            connect(second.url, first.token)
        assert refused.value.status == 401
        pids = [each.pid for target in (first, second) for each in (target.server, target.sandbox.process)]
        database = Path(first.environment["DATABASE_URL"].removeprefix("sqlite:///"))
        assert database.is_file()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not database.parent.exists()
    assert not (tmp_path / "precious.db").exists()
    for logs in (first_logs, second_logs):
        assert '"server.listening"' in (logs / "server.stderr.log").read_text()
        for log in logs.iterdir():
            assert str(first.token) not in log.read_text()


def test_settings_that_the_server_refuses_are_one_line_and_nothing_is_left_running(tmp_path: Path) -> None:
    children = set(psutil.Process().children(recursive=True))
    with (
        pytest.raises(ProcessError, match=r"^server-migrate failed \(exit code 2\): .*RATE_LIMIT_RPM[^\n]*$") as caught,
        start_local(logs=tmp_path, environ=os.environ, settings={"RATE_LIMIT_RPM": "many"}),
    ):
        pass
    assert caught.value.exit_code == 2
    assert set(psutil.Process().children(recursive=True)) == children


def test_an_error_while_it_runs_stops_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), start_local(logs=tmp_path, environ=os.environ) as target:
        raise ZeroDivisionError
    assert not psutil.pid_exists(target.server.pid)
    assert not psutil.pid_exists(target.sandbox.process.pid)


def test_the_server_stops_cleanly_when_told(tmp_path: Path) -> None:
    with start_local(logs=tmp_path, environ=os.environ) as target:
        assert target.server.stop() == 0
        assert target.sandbox.process.stop() == 0
