"""Plans to findings, on real databases: each gate finds what is planted for it, and nothing where there is nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perf.queries.job import explain_all
from perf.queries.judge import Found, repeated, unindexed, unused_indexes, whole_tables
from perf.queries.plans import Plan, Schema, explain, open_database, read_schema
from perf.queries.statements import Statement

LARGE = 500
Judge = Callable[[str, tuple[Any, ...]], tuple[list[Plan], Schema]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A large table with an index that is good for something, and a small one."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER, tenant TEXT, tool TEXT UNIQUE);"
            "CREATE INDEX ix_audit_tenant_at ON audit (tenant, at);"
            "CREATE TABLE tenants (id TEXT PRIMARY KEY, name TEXT);"
            "CREATE TABLE plain (tenant TEXT, word TEXT);"
            "CREATE TABLE alembic_version (version_num TEXT);"
        )
        rows = [(number, number, f"t{number % 2}", f"tool{number}") for number in range(1_000)]
        connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?)", rows)
        connection.executemany("INSERT INTO plain VALUES (?, ?)", [(row[2], row[3]) for row in rows])
        connection.execute("INSERT INTO tenants VALUES ('t0', 'Tenant 0')")
        connection.commit()
    return path


@pytest.fixture
def judge(path: Path) -> Judge:
    """Explain one statement."""

    def plans(text: str, parameters: tuple[Any, ...] = ()) -> tuple[list[Plan], Schema]:
        schema = read_schema(path)
        with closing(open_database(path)) as connection:
            return [explain(connection, Statement(text, parameters, ""), schema, LARGE)], schema

    return plans


def rules(found: list[Found]) -> list[tuple[str, str]]:
    return [(each.rule, each.place) for each in found]


def test_the_schema_has_the_rows_and_tells_constraints_from_indexes(path: Path) -> None:
    schema = read_schema(path)
    assert schema.rows == {"audit": 1_000, "plain": 1_000, "tenants": 1}
    assert {index.name: index.constraint for index in schema.indexes} == {
        "ix_audit_tenant_at": False,
        "sqlite_autoindex_audit_1": True,
        "sqlite_autoindex_tenants_1": True,
    }


@pytest.mark.parametrize(
    ("text", "parameters", "found"),
    [
        ("SELECT * FROM audit", (), [("scan", "audit")]),
        ("SELECT tenant, at FROM audit", (), [("scan", "audit")]),  # by an index, and all of it
        ("SELECT count(*) FROM audit", (), [("scan", "audit")]),  # one step of SQLite's machine, and all of it
        ("SELECT a.tool FROM audit AS a WHERE a.tool > 'x' OR a.at = 1", (), [("scan", "audit")]),
        ("UPDATE plain SET word = '' WHERE word = ?", ("x",), [("scan", "plain")]),
        ("DELETE FROM plain WHERE word = ?", ("x",), [("scan", "plain")]),
        ("SELECT * FROM audit WHERE word = ?", ("t0",), None),
        ("SELECT id FROM audit WHERE tenant >= ? ORDER BY lower(tool)", ("t",), [("sort", "audit")]),
        (
            "SELECT id FROM audit WHERE tenant >= ? ORDER BY lower(tool) LIMIT ? OFFSET ?",
            ("t", 5, 0),
            [("sort", "audit")],
        ),
        ("SELECT id FROM audit WHERE tenant = ? AND at < 9 ORDER BY tool", ("t1",), []),  # a few
        ("SELECT id FROM audit WHERE tenant = ? ORDER BY at, tool", ("t1",), []),  # in order but for equals
        ("SELECT tool FROM audit WHERE id = ?", (7,), []),
        ("SELECT * FROM tenants WHERE name = ?", ("x",), []),  # small
        ("SELECT 1 FROM plain WHERE word LIKE 'tool%' LIMIT 1", (), []),  # the first one will do
        ("SELECT 1 FROM plain WHERE word = 'tool999' LIMIT 1", (), [("scan", "plain")]),  # the last one
        ("SELECT value FROM json_each(?)", ("[1]",), []),
    ],
)
def test_what_reads_or_sorts_a_whole_large_table_is_found(
    text: str, parameters: tuple[Any, ...], found: list[tuple[str, str]] | None, judge: Judge
) -> None:
    if found is None:
        with pytest.raises(sqlite3.Error):
            judge(text, parameters)
        return
    assert rules(whole_tables(*judge(text, parameters), LARGE)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT * FROM plain WHERE word = 'tool999'", [("none", "plain")]),
        ("SELECT * FROM plain", []),  # no condition: the other gate's
        ("SELECT * FROM audit WHERE tenant = 't0'", []),
        (
            "SELECT * FROM plain AS a JOIN plain AS b ON a.word = b.word",
            [("automatic", "plain")],
        ),
    ],
)
def test_a_condition_without_an_index_is_found(text: str, found: list[tuple[str, str]], judge: Judge) -> None:
    assert rules(unindexed(*judge(text, ()), LARGE)) == found


def test_an_index_that_no_plan_uses_is_found_and_a_constraint_is_not(judge: Judge) -> None:
    using, schema = judge("SELECT * FROM audit WHERE tenant = 't0'", ())
    assert unused_indexes(using, schema) == []
    other, schema = judge("SELECT * FROM audit WHERE id = 1", ())
    assert rules(unused_indexes(other, schema)) == [("unused", "audit")]


def test_a_statement_repeated_in_one_request_is_found() -> None:
    sent = [Statement(f"SELECT * FROM t WHERE id IN ({', '.join('?' * n)})", (), "r1") for n in (2, 3, 4)]
    assert repeated(sent, 3) == []
    (found,) = repeated([*sent, sent[0]], 3)
    assert "4 times" in found.message


def test_what_several_requests_or_the_background_send_is_not_repeated() -> None:
    requests = [Statement("SELECT 1", (), f"r{number}") for number in range(9)]
    background = [Statement("SELECT 1", (), "")] * 9
    assert repeated([*requests, *background], 3) == []


def test_the_same_finding_is_told_once_however_long_its_lists_are(judge: Judge) -> None:
    one, schema = judge("SELECT * FROM plain WHERE word IN (?, ?)", ("x", "y"))
    two, _ = judge("SELECT * FROM plain WHERE word IN (?, ?, ?)", ("x", "y", "z"))
    assert len(whole_tables([*one, *two], schema, LARGE)) == 1


@pytest.mark.parametrize("words", [("tool0", "tool999"), ("tool999", "tool0")])
def test_what_only_one_of_the_values_bound_makes_a_scan_is_found(path: Path, words: tuple[str, str]) -> None:
    text = "SELECT 1 FROM plain WHERE word = ? LIMIT 1"
    explained = explain_all(path, [Statement(text, (word,), "") for word in words], LARGE)

    assert rules(whole_tables(explained.plans, explained.schema, LARGE)) == [("scan", "plain")]


def test_a_statement_that_has_no_plan_is_told(path: Path) -> None:
    explained = explain_all(path, [Statement("SELECT word FROM audit", (), "")], LARGE)

    assert explained.plans == []
    assert "no such column" in explained.failures[0]


def test_the_connection_cannot_write(path: Path) -> None:
    with closing(open_database(path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM audit")
