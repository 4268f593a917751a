"""Rotations of the master key and of tenants' keys, killed at any moment while a server serves."""

import base64
import itertools
import json
import os
import random
import secrets
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from harness.client import Client
from server.tenancy.vault import Vault
from tests.integration.server.bench import Bench, Shop, Tenant, Upstream, settings_of, start_bench, succeed
from tests.integration.server.operating import operate, run_command, start_command, wait_until

MOMENTS = 30 if os.environ.get("QUARTERMASTER_FULL") == "1" else 3
TRIES = 4 * MOMENTS
"""Some kills come after the end: then there are more, until enough came in time."""
SHOPS = 6
SEALED_WRITES = 3_000  # so many that a rotation takes a while
SEALED = (
    ("stores", "sealed_api_key"),
    ("tenant_keys", "secret_hash"),
    ("writes", "sealed_plan"),
    ("writes", "sealed_result"),
)


def master_key() -> str:
    return secrets.token_urlsafe(32)


def vault(*keys: str) -> Vault:
    return Vault(*(base64.urlsafe_b64decode(key + "=") for key in keys))


@dataclass
class Readers:
    """Clients that read their stores past the cache, without an end; whatever fails is kept."""

    bench: Bench
    shops: list[Shop]
    reads: int = 0
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(len(self.shops))
        self._futures = [self._threads.submit(self._read, shop) for shop in self.shops]
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._threads.shutdown()
        for future in self._futures:
            future.result()

    def go_on(self) -> None:
        """Return when every shop was read a few times more; fails if any reading failed so far."""
        before = self.reads
        wait_until(lambda: self.reads >= before + 3 * len(self.shops), "reads")
        assert self.failures == []

    def _read(self, shop: Shop) -> None:
        with self.bench.connect(shop.tenant) as client:
            for number in itertools.count():
                if self.stopping.is_set():
                    return
                outcome = client.call_tool("orders_get", {"order_id": shop.orders[number % len(shop.orders)]})
                self.reads += 1
                if outcome.is_error:
                    self.failures.append(outcome.text)


@dataclass(frozen=True)
class Vaulted:
    """A running server whose database was sealed under `keys[0]`; its ring holds all `keys`."""

    bench: Bench
    shops: list[Shop]
    keys: list[str]

    def heads(self) -> dict[bytes, int]:
        """How many values are under which master key."""
        found: dict[bytes, int] = {}
        for table, column in SEALED:
            rows = self.bench.query(
                f"SELECT substr({column}, 1, 5), count(*) FROM {table} WHERE {column} IS NOT NULL GROUP BY 1"
            )
            for head, count in rows:
                found[head] = found.get(head, 0) + count
        return found


@pytest.fixture
def vaulted(upstream: Upstream, migrated_database: Path, tmp_path: Path) -> Iterator[Vaulted]:
    """A server with shops and many sealed writes, and a ring of as many master keys as there are rotations."""
    keys = [master_key() for _ in range(TRIES + 2)]
    database = Path(shutil.copy(migrated_database, tmp_path / "app.db"))
    settings = settings_of(upstream, database, CACHE_TTL_ORDERS_SECONDS="0", MASTER_KEY=keys[0])
    with start_bench(upstream, settings, tmp_path) as before:
        shops = [before.open_shop() for _ in range(SHOPS)]
    seal_writes(database, vault(keys[0]), shops[0].tenant.id)
    with start_bench(upstream, {**settings, "MASTER_KEY": " ".join(keys)}, tmp_path) as bench:
        yield Vaulted(bench, shops, keys)


def seal_writes(database: Path, sealing: Vault, tenant_id: str) -> None:
    """Writes as the ledger keeps them."""
    now = time.time_ns() // 1_000_000
    rows = [
        (write_id, tenant_id, sealing.seal(tenant_id, f"writes/{write_id}/sealed_plan", os.urandom(1_000)), now, now)
        for write_id in (f"w_{number:024x}" for number in range(SEALED_WRITES))
    ]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO writes (id, tenant_id, store_id, tool, arguments_digest, state, request_id, sealed_plan, "
            "created_at, settled_at) VALUES (?, ?, '1', 'orders_update', zeroblob(32), 'done', 'r', ?, ?, ?)",
            rows,
        )


def test_a_killed_rotation_of_the_master_key_leaves_every_store_readable(vaulted: Vaulted, tmp_path: Path) -> None:
    bench, moments = vaulted.bench, random.Random(20261)
    whole = sum(vaulted.heads().values())
    duration = 1.0
    interrupted = 0
    with Readers(bench, vaulted.shops) as readers:
        for number in range(1, TRIES + 1):
            ring = [vaulted.keys[number], *vaulted.keys[:number]]
            duration = rotate_and_kill(vaulted, ring, moments.uniform(0, duration)) or duration
            interrupted += len(vaulted.heads()) > 1
            assert sum(vaulted.heads().values()) == whole
            readers.go_on()
            if number >= MOMENTS and interrupted > MOMENTS // 3:
                break
        assert interrupted > MOMENTS // 3, "the kills came too late to show anything"
        last = vaulted.keys[-1]
        done = operate(bench, "key", "rotate-master", MASTER_KEY=" ".join([last, *vaulted.keys[:-1]]))
        assert done["examined"] == whole
        assert (done["left"], done["unreadable"]) == (0, [])
        assert vaulted.heads() == {vault(last).first_head: whole}
        readers.go_on()
    assert bench.query("PRAGMA integrity_check") == [("ok",)]
    (tmp_path / "alone").mkdir()
    with start_bench(bench.upstream, {**bench.environment, "MASTER_KEY": last}, tmp_path / "alone") as alone:
        for shop in vaulted.shops:
            with alone.connect(shop.tenant) as client:
                succeed(client, "orders_get", {"order_id": shop.orders[0]})


def rotate_and_kill(vaulted: Vaulted, ring: list[str], seconds: float) -> float | None:
    """Kill a rotation so long after its first change; returns how long it took where it was over by then."""
    new = vault(ring[0]).first_head
    environment = {**vaulted.bench.environment, "MASTER_KEY": " ".join(ring)}
    with start_command(environment, "key", "rotate-master") as process:
        wait_until(lambda: new in vaulted.heads() or process.poll() is not None, "the first value")
        began = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
    return time.monotonic() - began if process.returncode == 0 else None


def test_what_opens_under_no_key_is_listed_and_left(vaulted: Vaulted) -> None:
    damaged = os.urandom(60)
    with closing(sqlite3.connect(vaulted.bench.database, timeout=10)) as connection, connection:
        connection.execute("UPDATE writes SET sealed_plan = ? WHERE id = ?", (damaged, f"w_{7:024x}"))
    ring = " ".join([vaulted.keys[1], vaulted.keys[0]])
    done = run_command(vaulted.bench, "key", "rotate-master", MASTER_KEY=ring)
    assert done.returncode == 1
    assert "may be removed" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert f"write w_{7:024x}" in line
    assert vaulted.bench.query("SELECT sealed_plan FROM writes WHERE id = ?", f"w_{7:024x}") == [(damaged,)]
    heads = vaulted.heads()
    assert heads.pop(vault(vaulted.keys[1]).first_head) > SEALED_WRITES
    assert heads == {damaged[:5]: 1}


@dataclass
class Watch:
    """Asks with one key, without an end; `answers` are (when asked, when answered, accepted)."""

    bench: Bench
    key: str
    answers: list[tuple[float, float, bool]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1)
        self._future = self._thread.submit(self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._thread.shutdown()
        self._future.result()

    def go_on(self) -> None:
        """Return after some more answers."""
        asked = len(self.answers)
        wait_until(lambda: len(self.answers) > asked + 10, "answers")

    def changes(self) -> int:
        """How often the key went from accepted to refused or back."""
        return sum(before[2] != after[2] for before, after in itertools.pairwise(list(self.answers)))

    def _ask(self) -> None:
        with any_client(self.bench) as client:
            headers = {"Authorization": f"Bearer {self.key}"}
            while not self.stopping.is_set():
                asked = time.time()
                status = client.post(PING, headers).status
                assert status in {200, 401}
                self.answers.append((asked, time.time(), status == 200))
                time.sleep(0.005)


PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()


def any_client(bench: Bench) -> Client:
    return bench.connect(bench.new_tenant("watch"), "2025-11-25")


def accepted(bench: Bench, key: str) -> bool:
    """Whether a key is let in."""
    with any_client(bench) as client:
        return client.post(PING, {"Authorization": f"Bearer {key}"}).status == 200


def keys_of(bench: Bench, tenant: Tenant) -> dict[str, int | None]:
    return dict(bench.query("SELECT id, expires_at FROM tenant_keys WHERE tenant_id = ?", tenant.id))


def test_a_killed_rotation_of_a_tenants_key_happened_whole_or_not_at_all(bench: Bench) -> None:
    moments = random.Random(20262)
    began = time.monotonic()
    operate(bench, "key", "rotate", bench.new_tenant().name)
    duration = time.monotonic() - began
    happened = 0
    for number in range(MOMENTS):
        tenant = bench.new_tenant()
        with Watch(bench, tenant.key) as watch:
            # Every other one is killed as soon as its change shows: before it is printed, if that can be.
            printed = rotate_key_and_kill(bench, tenant, duration * moments.uniform(0.4, 1.2), at_once=number % 2 == 0)
            found = keys_of(bench, tenant)
            happened += len(found) == 2
            # One key without an end: the new one, or the only one.
            assert (len(found), list(found.values()).count(None)) in {(1, 1), (2, 1)}
            if printed is not None:
                assert found[printed[3:19]] is None
                assert accepted(bench, printed)
            again = operate(bench, "key", "rotate", tenant.name, "--overlap", "1h", "--now")
            assert accepted(bench, again["key"])
            watch.go_on()
        assert all(ok for _, _, ok in watch.answers), "the key that its owner holds was refused"
    assert happened > 0


def rotate_key_and_kill(bench: Bench, tenant: Tenant, seconds: float, *, at_once: bool) -> str | None:
    """Kill a rotation after so many seconds, or as soon as its change shows; returns the key that it printed."""
    with start_command(bench.environment, "key", "rotate", tenant.name, "--overlap", "1h", "--json") as process:
        until = time.monotonic() + (30 if at_once else seconds)
        while process.poll() is None and time.monotonic() < until and not (at_once and len(keys_of(bench, tenant)) > 1):
            time.sleep(0.001)
        process.kill()
        printed = process.stdout.read() if process.stdout else ""
    return str(json.loads(printed)["key"]) if printed.endswith("\n") else None


def test_the_old_key_works_until_the_overlap_ends_and_the_new_one_from_its_first_call(bench: Bench) -> None:
    tenant = bench.new_tenant()
    with ExitStack() as stack:
        old = stack.enter_context(Watch(bench, tenant.key))
        old.go_on()
        rotated = operate(bench, "key", "rotate", tenant.name, "--overlap", "3s")
        new = stack.enter_context(Watch(bench, rotated["key"]))
        end = keys_of(bench, tenant)[tenant.key[3:19]]
        assert end is not None
        wait_until(lambda: not old.answers[-1][2], "the end of the overlap")
        seen = len(old.answers)
        wait_until(lambda: len(old.answers) > seen + 100, "answers after it")
    assert old.changes() == 1
    assert all(ok for _, answered, ok in old.answers if answered < end / 1000)
    assert not any(ok for asked, _, ok in old.answers if asked > end / 1000)
    assert all(ok for _, _, ok in new.answers)


@pytest.mark.parametrize("kept", [True, False], ids=["another key stays", "the last key"])
def test_a_revoked_key_stops_within_a_second_and_for_good(kept: bool, bench: Bench) -> None:  # noqa: FBT001 - a parameter
    tenant = bench.new_tenant()
    other = operate(bench, "key", "create", tenant.name)["key"] if kept else None
    with Watch(bench, tenant.key) as watch:
        watch.go_on()
        said = operate(bench, "key", "revoke", tenant.key[3:19], "--reason", "leaked")
        exited = time.time()
        wait_until(lambda: not watch.answers[-1][2], "the refusal")
        wait_until(lambda: watch.answers[-1][0] > exited + 1.5, "answers after it")
    assert watch.changes() == 1
    assert not any(ok for asked, _, ok in watch.answers if asked > exited + 1)
    assert said["valid_keys"] == ([other[3:19]] if other else [])
    assert other is None or accepted(bench, other)
