import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine

from server.storage.migrate import MIGRATIONS, configuration, upgrade
from server.storage.tables import HEAD, metadata

TABLES = {"audit", "brakes", "stores", "tenant_keys", "tenants", "write_leases", "writes"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nested" / "folder" / "app.db"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in rows} - {"alembic_version", "sqlite_sequence"}


def revision(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def test_a_fresh_database_goes_all_the_way_up_in_a_folder_that_does_not_exist_yet(path: Path) -> None:
    upgrade(url(path))
    assert tables(path) == TABLES
    assert revision(path) == HEAD


def test_a_new_database_and_its_log_are_for_the_owner_alone(path: Path) -> None:
    umask = os.umask(0)
    try:
        upgrade(url(path))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO tenants VALUES ('t', 'shop', 1)")
            connection.commit()
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(umask)
    assert modes == {"app.db": 0o600, "app.db-wal": 0o600, "app.db-shm": 0o600}


def test_a_database_that_is_there_keeps_its_mode(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    path.chmod(0o640)
    upgrade(url(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert tables(path) == TABLES


def test_it_goes_all_the_way_down_and_up_again(path: Path) -> None:
    upgrade(url(path))
    command.downgrade(configuration(url(path)), "base")
    assert tables(path) == set()
    upgrade(url(path))
    assert tables(path) == TABLES


def test_every_step_can_be_taken_back(path: Path) -> None:
    config = configuration(url(path))
    steps = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    for step in reversed(steps):
        command.upgrade(config, step)
        command.downgrade(config, "-1")
        command.upgrade(config, step)
    assert revision(path) == HEAD


def test_a_second_upgrade_changes_nothing(path: Path) -> None:
    upgrade(url(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO tenants VALUES ('t', 'shop', 1)")
        connection.commit()
    upgrade(url(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM tenants").fetchall() == [("shop",)]


def test_what_the_first_release_wrote_is_kept(path: Path) -> None:
    config = configuration(url(path))
    command.upgrade(config, "0001")
    rows = {
        "tenants": "('t', 'shop', 1)",
        "tenant_keys": "('k', 't', zeroblob(32), 1, NULL, NULL)",
        "stores": "('s', 't', '1', 'n', NULL, x'00', 1, 1)",
        "writes": "('w', 't', '1', 'orders_update', '2', 'key', zeroblob(32), 'done', NULL, x'01', 'r', 1, 2)",
        "audit": "(1, 1, 't', 'k', 'r', 'orders_get', '1', '2', 'success', NULL, 3)",
    }
    with closing(sqlite3.connect(path)) as connection:
        for table, row in rows.items():
            connection.execute(f"INSERT INTO {table} VALUES {row}")
        connection.commit()
    upgrade(url(path))
    with closing(sqlite3.connect(path)) as connection:
        assert all(len(connection.execute(f"SELECT * FROM {table}").fetchall()) == 1 for table in rows)
        assert connection.execute("SELECT objects, capped, sealed_result FROM writes").fetchall() == [(1, 0, b"\x01")]
    command.downgrade(config, "0001")
    with closing(sqlite3.connect(path)) as connection:
        assert all(len(connection.execute(f"SELECT * FROM {table}").fetchall()) == 1 for table in rows)


def test_the_revision_that_the_code_needs_is_alembic_s_only_head() -> None:
    assert ScriptDirectory.from_config(configuration("sqlite://")).get_heads() == [HEAD]


def test_the_migrations_make_what_the_tables_say(path: Path) -> None:
    upgrade(url(path))
    engine = create_engine(url(path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    command.check(configuration(url(path)))


def test_a_difference_between_migrations_and_tables_would_be_found(path: Path) -> None:
    upgrade(url(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE tenants ADD COLUMN surplus TEXT")
    with pytest.raises(CommandError, match="surplus"):
        command.check(configuration(url(path)))


NEXT = """
from alembic import op
revision, down_revision = "next", "{head}"

def upgrade():
    {body}
"""
REBUILD = """with op.batch_alter_table("tenants", recreate="always") as batch:
        batch.alter_column("name", new_column_name="title")"""


def with_next_step(path: Path, folder: Path, body: str) -> Config:
    """The configuration of a release that has one migration more."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "next.py").write_text(NEXT.format(head=HEAD, body=body))
    config = configuration(url(path))
    config.set_main_option("script_location", str(folder))
    return config


def fill(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO tenants VALUES ('t', 'shop', 1)")
        connection.execute("INSERT INTO stores VALUES ('s', 't', '1', 'n', NULL, x'00', 0, 1)")
        connection.commit()


def test_rebuilding_a_parent_table_keeps_the_rows_of_its_children(path: Path, tmp_path: Path) -> None:
    upgrade(url(path))
    fill(path)
    command.upgrade(with_next_step(path, tmp_path / "migrations", REBUILD), "head")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT title FROM tenants").fetchall() == [("shop",)]
        assert connection.execute("SELECT id FROM stores").fetchall() == [("s",)]


def test_a_migration_that_leaves_orphans_is_rolled_back(path: Path, tmp_path: Path) -> None:
    upgrade(url(path))
    fill(path)
    with pytest.raises(RuntimeError, match="foreign key"):
        command.upgrade(with_next_step(path, tmp_path / "migrations", 'op.execute("DELETE FROM tenants")'), "head")
    assert revision(path) == HEAD
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM tenants").fetchall() == [("shop",)]


def test_a_migrated_database_is_in_wal_mode(path: Path) -> None:
    upgrade(url(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
