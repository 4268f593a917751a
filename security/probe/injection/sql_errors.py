"""Texts that databases and their drivers fail with: in an answer, they show that a client's text broke a statement."""

import re

DATABASE_ERROR = re.compile(
    r"sqlite3?\.\w*Error|SQLITE_ERROR|near \\?\".{0,40}?\\?\": syntax error|unrecognized token: \\?[\"']"
    r"|syntax error at or near|unterminated quoted string|psycopg\d?\.|asyncpg\.|\bPG::\w+Error|PSQLException"
    r"|You have an error in your SQL syntax|MySQLSyntaxError|pymysql\.err|\bORA-\d{5}|SQLSTATE\["
    r"|Unclosed quotation mark|Incorrect syntax near|quoted string not properly terminated"
    r"|sqlalchemy\.exc\.|aiosqlite\.|java\.sql\.SQL\w*Exception|JDBCException|SequelizeDatabaseError"
)
"""Of SQLite, PostgreSQL, MySQL, SQL Server, Oracle, and of what stands between them and programs."""


def database_error(text: str) -> str | None:
    """What a database said in `text`; None where none did."""
    found = DATABASE_ERROR.search(text)
    return found.group() if found else None
