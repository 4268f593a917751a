"""The log of statements: each that reaches the database, its parameters apart from its text, for its owner alone."""

import json
from pathlib import Path

from sqlalchemy import text

from server.storage.database import Database
from server.storage.statements import log_statements


async def test_each_statement_is_written_with_its_parameters_apart(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "statements.jsonl"
    log_statements(database.engine.sync_engine, path)
    async with database.read() as connection:
        await connection.execute(text("SELECT :word"), {"word": "it's\nhere"})
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (told,) = [line for line in lines if "SELECT ?" in line["statement"]]
    assert "here" not in told["statement"]
    assert "it's\\nhere" in told["parameters"]
    assert path.stat().st_mode & 0o777 == 0o600
