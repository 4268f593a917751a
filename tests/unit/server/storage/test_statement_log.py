"""The log of statements: each that reaches the database, its parameters apart from its text, for its owner alone."""

import asyncio
import json
from pathlib import Path

from sqlalchemy import select, text

from server.storage.database import Database
from server.storage.statements import log_statements
from server.storage.tables import tenant_keys
from server.telemetry.request import CURRENT_REQUEST


async def test_each_statement_is_written_with_its_parameters_apart(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "statements.jsonl"
    log_statements(database.engine.sync_engine, path)
    async with database.read() as connection:
        await connection.execute(text("SELECT :word"), {"word": "it's\nhere"})
        await connection.execute(select(tenant_keys.c.id).where(tenant_keys.c.secret_hash == b"\x00told"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (told,) = [line for line in lines if "SELECT ?" in line["statement"]]
    assert "here" not in told["statement"]
    assert "it's\\nhere" in told["parameters"]
    assert any(r"b'\x00told'" in line["parameters"] for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_statements_of_one_request_are_told_from_those_of_another(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "statements.jsonl"
    log_statements(database.engine.sync_engine, path)

    async def work(request: str) -> None:
        CURRENT_REQUEST.set(request)
        async with database.read() as connection:
            await connection.execute(text(f"SELECT '{request}'"))  # its own name
            await asyncio.sleep(0)
            await connection.execute(text(f"SELECT '{request}'"))

    await asyncio.gather(asyncio.create_task(work("first")), asyncio.create_task(work("second")))
    async with database.read() as connection:
        await connection.execute(text("SELECT 'nobody'"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    told = [(line["statement"], line["request_id"]) for line in lines if line["statement"].startswith("SELECT '")]
    assert sorted(told) == [
        ("SELECT 'first'", "first"),
        ("SELECT 'first'", "first"),
        ("SELECT 'nobody'", ""),
        ("SELECT 'second'", "second"),
        ("SELECT 'second'", "second"),
    ]
