"""Hold a restored database, not yet opened by a server, against its manifest and the updates acknowledged before it."""

from pathlib import Path

from backups.database import find_problems, open_read_only, read_contents
from backups.manifest import Manifest
from backups.steps import step
from backups.traffic import Acknowledged
from harness.collector import OpenCheck, Run

SHOWN = 5
# The server commits the write's outcome, then its audit row, then answers (server/writes.py, server/tools/registry.py);
# so a row of the second kind without one of the first is no moment that the database was ever in.
_DONE = "SELECT request_id FROM writes WHERE state = 'done'"
_AUDITED = "SELECT request_id FROM audit WHERE tool = 'orders_update' AND status = 'success'"


def inspect(run: Run, restored: Path, manifest: Manifest, updates: Acknowledged) -> None:
    """Make the steps intact, contents and acknowledged."""
    with step(run, "intact") as check, open_read_only(restored) as connection:
        for problem in find_problems(connection):
            check.find("damage", problem)
        (check.examined,) = connection.execute("PRAGMA page_count").fetchone()
        check.evidence.append(f"{check.examined} pages")
    with step(run, "contents") as check, open_read_only(restored) as connection:
        contents = read_contents(connection)
        check.expect(
            contents.revision == manifest.revision,
            f"its schema is at revision {contents.revision}, the manifest says {manifest.revision}",
        )
        for table in sorted({*contents.tables, *manifest.tables}):
            found, expected = contents.tables.get(table), manifest.tables.get(table)
            check.expect(found == expected, f"{table}: {_rows(found)}, the manifest says {_rows(expected)}")
        check.evidence.append(", ".join(f"{table} {rows}" for table, rows in contents.tables.items()))
    with step(run, "acknowledged") as check, open_read_only(restored) as connection:
        done = {request_id for (request_id,) in connection.execute(_DONE)}
        audited = {request_id for (request_id,) in connection.execute(_AUDITED)}
        check.examined = len(updates.before)
        _none(check, updates.before - done, "updates that were acknowledged before are not in it as done")
        _none(check, updates.before - audited, "updates that were acknowledged before have no audit row in it")
        _none(check, (updates.later & audited) - done, "later updates have an audit row in it, but not their outcome")
        check.evidence.append(
            f"{len(updates.before)} acknowledged before, {len(updates.later)} later; "
            f"in it are {len(done)} outcomes and {len(audited)} audit rows"
        )


def _rows(count: int | None) -> str:
    return "no such table" if count is None else f"{count} rows"


def _none(check: OpenCheck, request_ids: frozenset[str], what: str) -> None:
    if request_ids:
        check.fail(f"{len(request_ids)} {what}: {', '.join(sorted(request_ids)[:SHOWN])}")
