"""A tenant exported and erased while its server serves: nothing of it is left in the database's files."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from harness.client import RpcError
from tests.integration.server.bench import Bench, Shop, start_bench, succeed
from tests.integration.server.conftest import StartBench
from tests.integration.server.operating import operate, wait_until

CANARY = "zz-erasure-canary"


@pytest.fixture
def own_bench(start: StartBench) -> Bench:
    """A server of the test's own: its files are searched."""
    return start(CACHE_TTL_ORDERS_SECONDS="0")


def files_of(bench: Bench) -> bytes:
    return b"".join(path.read_bytes() for path in bench.database.parent.glob(f"{bench.database.name}*"))


def read_for_ever(bench: Bench, shop: Shop, stopping: threading.Event) -> int:
    """Reads of another tenant, none of which may fail."""
    reads = 0
    with bench.connect(shop.tenant) as client:
        while not stopping.is_set():
            succeed(client, "orders_get", {"order_id": shop.orders[0]})
            reads += 1
    return reads


def test_an_erased_tenant_is_gone_from_the_files_of_a_running_server(own_bench: Bench, tmp_path: Path) -> None:
    shop, other = own_bench.open_shop(CANARY), own_bench.open_shop()
    stopping = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read_for_ever, own_bench, other, stopping)
        with own_bench.connect(shop.tenant) as client:
            changes = {"order_notes": ["for the export"]}
            succeed(client, "orders_update", {"order_id": shop.orders[0], "changes": changes})
        wait_until(lambda: CANARY.encode() in files_of(own_bench), "the canary in the clear")
        export = tmp_path / "export.json"
        rows = operate(own_bench, "tenant", "export", shop.tenant.name, "--output", str(export))["rows"]
        document = json.loads(export.read_text())
        assert rows["writes"] == len(document["writes"]) == 2
        assert "for the export" in json.dumps(document["writes"])
        assert shop.account.api_key not in export.read_text()
        erased = operate(own_bench, "tenant", "erase", shop.tenant.id, "--confirm", shop.tenant.name)
        assert erased["log_emptied"] is True
        assert erased["rows"]["writes"] == 2
        stopping.set()
        assert reading.result() > 0
    left = files_of(own_bench)
    for trace in (CANARY, shop.name, shop.label, shop.tenant.key[3:19]):
        assert trace.encode() not in left
    with pytest.raises(RpcError) as refused:
        own_bench.connect(shop.tenant)
    assert refused.value.status == 401
    assert own_bench.query("SELECT tool, target FROM audit WHERE tenant_id = ?", shop.tenant.id) == [
        ("tenant.erase", None)
    ]
    with own_bench.connect(other.tenant) as client:
        succeed(client, "orders_get", {"order_id": other.orders[0]})
    assert own_bench.query("PRAGMA integrity_check") == [("ok",)]
    assert own_bench.query("PRAGMA foreign_key_check") == []


def test_a_server_deletes_what_is_too_old_when_it_starts(own_bench: Bench, tmp_path: Path) -> None:
    shop = own_bench.open_shop()
    with closing(sqlite3.connect(own_bench.database, timeout=10)) as connection, connection:
        year = 365 * 24 * 3600 * 1000
        aged = connection.execute("UPDATE audit SET at = at - ? WHERE tool = 'stores_register'", (year,)).rowcount
        assert connection.execute("UPDATE writes SET created_at = 1, settled_at = 1").rowcount == aged == 1
    (tmp_path / "next").mkdir()
    with start_bench(own_bench.upstream, own_bench.environment, tmp_path / "next") as started:
        wait_until(lambda: started.query("SELECT count(*) FROM audit WHERE tool = 'stores_register'") == [(0,)], "age")
        wait_until(lambda: started.query("SELECT count(*) FROM writes") == [(0,)], "age")
        wait_until(lambda: started.samples().total("retention_rows_removed_total") == 2, "the count")
        with started.connect(shop.tenant) as client:
            succeed(client, "orders_get", {"order_id": shop.orders[0]})
