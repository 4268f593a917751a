"""Made-up data: the same rows for the same seed, nothing where it must not be, and every secret opens."""

import base64
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server import cli
from server.seeding import DAY_MILLISECONDS, Sizes, fill
from server.storage.database import Database
from server.storage.tables import metadata
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.writes.ledger import place_of

SIZES = Sizes(tenants=20, stores=200, audit_rows=2_000, writes=100)
NOW = 1_760_000_000_000
SEED = ("seed", "--tenants", "3", "--stores", "6", "--audit-rows", "100")
SECRET = {"secret_hash", "sealed_api_key", "sealed_plan", "sealed_result"}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "ADMIN_TOKEN": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "ALLOWED_HOSTS": "mcp.shop.test",
}


def silent(_table: str, _inserted: int, _total: int) -> None:
    """Nobody watches."""


def rows_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without what is secret."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [
                {name: value for name, value in dict(row).items() if name not in SECRET}
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")
            ]
            for table in metadata.tables
            if table not in {"brakes", "write_leases"}
        }


async def filled(migrated: Path, path: Path, seed: int) -> dict[str, list[dict[str, Any]]]:
    shutil.copy(migrated, path)
    database = Database(f"sqlite:///{path}", Metrics("0", "development"))
    await fill(database, Vault(os.urandom(32)), SIZES, seed=seed, now=NOW, progress=silent)
    await database.close()
    return rows_of(path)


async def test_the_same_seed_gives_the_same_rows(migrated_file: Path, tmp_path: Path) -> None:
    first, again, other = [
        await filled(migrated_file, tmp_path / name, seed) for name, seed in (("1", 7), ("2", 7), ("3", 8))
    ]
    assert first == again
    assert first["audit"] != other["audit"]


async def test_the_sizes_are_those_asked_for(migrated_file: Path, tmp_path: Path) -> None:
    made = await filled(migrated_file, tmp_path / "app.db", 1)
    assert {name: len(rows) for name, rows in made.items()} == {
        "tenants": 20,
        "tenant_keys": 27,  # every third tenant has a revoked one as well
        "stores": 200,
        "writes": 100,
        "audit": 2_000,
    }
    written = {row["write_id"] for row in made["audit"] if row["write_id"]}
    assert written == {row["id"] for row in made["writes"]}
    times = [row["at"] for row in made["audit"]]
    assert times == sorted(times)
    assert NOW - 91 * DAY_MILLISECONDS < times[0] < times[-1] <= NOW


async def test_the_master_key_opens_what_is_sealed_and_the_printed_key_lets_in(
    database: Database, database_file: Path, vault: Vault, tenants: Tenants
) -> None:
    made = await fill(database, vault, SIZES, seed=1, now=NOW, progress=silent)
    caller = await tenants.authenticate(str(made.key))
    assert caller is not None
    assert caller.tenant_id == made.id
    stores = Stores(database, vault)
    known = await stores.all(made.id)
    assert len(known) == 10
    assert all(stores.api_key(store) for store in known)
    with closing(sqlite3.connect(database_file)) as connection:
        sealed = connection.execute("SELECT tenant_id, id, sealed_plan FROM writes").fetchall()
    assert all(vault.open(tenant, place_of(write, "sealed_plan"), plan) for tenant, write, plan in sealed)


@pytest.mark.parametrize(
    "sizes", [Sizes(0, 0, 0, 0), Sizes(1, 101, 0, 0), Sizes(1, 1, 5, 6), Sizes(1, 0, 5, 1), Sizes(1, 1, -1, 0)]
)
def test_sizes_that_cannot_be_are_told(sizes: Sizes) -> None:
    assert sizes.problem()


@pytest.fixture
def environment(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_KEY", "_FILE", "_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MASTER_KEY", base64.urlsafe_b64encode(os.urandom(32)).decode())
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{database_file}")


@pytest.mark.usefixtures("environment")
def test_the_command_fills_once_and_prints_one_line_of_json(
    database_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(SEED) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tenant"]["key"].startswith("qm_")
    assert (told["tenants"], told["stores"], told["audit_rows"], told["writes"]) == (3, 6, 100, 2)
    before = rows_of(database_file)
    assert cli.main(SEED) == 1
    refused = capsys.readouterr()
    assert (refused.out, len(refused.err.splitlines())) == ("", 1)
    assert "holds tenants" in refused.err
    assert rows_of(database_file) == before


@pytest.mark.usefixtures("environment")
def test_production_is_not_filled(
    database_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert cli.main(SEED) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("it is refused in production")
    assert rows_of(database_file)["tenants"] == []


@pytest.mark.usefixtures("environment")
def test_sizes_that_cannot_be_are_wrong_usage(database_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(("seed", "--tenants", "1", "--stores", "101", "--audit-rows", "0")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "100 stores at most" in line
    assert rows_of(database_file)["tenants"] == []
