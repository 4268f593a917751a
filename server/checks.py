"""Whether a server would run as it is set up: what `python -m server check` looks at, each thing itself and now."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import func, select, union
from sqlalchemy.exc import DatabaseError

from server.plural import counted
from server.rules import GENERAL, LOOPBACK, PRODUCTION
from server.settings import Settings, file_variable
from server.storage.database import Database
from server.storage.tables import HEAD, writes
from server.tenancy.keys import proofs
from server.tenancy.rotation import OF_KEYS, OF_STORES, ring_keys
from server.tenancy.vault import HEAD_BYTES, Vault, VaultError

MIGRATE: Final = "run: python -m server migrate"
EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to

Status = Literal["ok", "note", "failed"]


@dataclass(frozen=True)
class Finding:
    """What one look found: `note` is worth knowing and fails nothing."""

    check: str
    status: Status
    message: str


def check_settings(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """The time-out chain, and how the settings fit together. Settings that break a rule were refused before."""
    fits = f"fit together; none of {len(GENERAL)} rules is broken"
    if settings.environment == "production":
        fits += f", and none of production's {len(PRODUCTION)}"
    return [
        _chain(
            ("client", settings.client_timeout_seconds),
            ("proxy", settings.proxy_timeout_seconds),
            ("call", settings.call_deadline_seconds),
        ),
        _chain(
            ("stop", settings.stop_timeout_seconds),
            ("drain", settings.drain_seconds),
            ("call", settings.call_deadline_seconds),
        ),
        Finding("settings", "ok", fits),
        *(Finding("settings", "note", note) for note in _notes(settings, environ)),
    ]


def _chain(*links: tuple[str, float]) -> Finding:
    holds = all(longer > shorter for (_, longer), (_, shorter) in pairwise(links))
    said = " > ".join(f"{name} {seconds:g} s" for name, seconds in links)
    return Finding("time-outs", "ok" if holds else "failed", said + ("" if holds else " does not hold"))


def _notes(settings: Settings, environ: Mapping[str, str]) -> Iterable[str]:
    if not environ.get("ENVIRONMENT"):
        yield "ENVIRONMENT is not set: this is development, and production's rules are not applied"
    if settings.host in EVERY_ADDRESS:
        yield f"HOST {settings.host}: listens on every address; only the proxy should be able to reach it"
    if not environ.get(file_variable("master_key")) and settings.environment != "development":
        yield f"MASTER_KEY shows wherever the environment does; {file_variable('master_key')} does not"
    if len(settings.master_keys_bytes) > 1:
        number = len(settings.master_keys_bytes)
        yield f"MASTER_KEY holds {number} keys: the first seals; key rotate-master says which may be removed"
    if settings.admin_token is None:
        yield "ADMIN_TOKEN is not set: /metrics and /health/detailed are closed"
    if settings.query_token_enabled:
        yield "QUERY_TOKEN_ENABLED: keys in URLs end up in logs"
    examples = [host for host in settings.allowed_hosts if host.endswith((".example", "example.com", "example.org"))]
    if examples:
        yield f"ALLOWED_HOSTS names an example: {', '.join(examples)}"
    if settings.environment == "staging" and set(settings.allowed_hosts) <= set(LOOPBACK):
        yield "ALLOWED_HOSTS names loopback only: clients elsewhere get 421"


def check_storage(path: Path, reserve_bytes: int, free_bytes: int) -> list[Finding]:
    """Whether the database's folder can be written, and more than the reserve is free."""
    folder = next(folder for folder in path.parents if folder.is_dir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        writable = Finding("data directory", "failed", f"{folder} cannot be written: {error.strerror}")
    else:
        message = f"{folder} can be written"
        if folder != path.parent:
            message += f"; migrate makes {path.parent}"
        writable = Finding("data directory", "ok", message)
    enough = free_bytes > reserve_bytes
    said = f"{free_bytes // 2**20} MiB are free, {reserve_bytes // 2**20} MiB are the reserve"
    more = "" if enough else ": writes are refused; make space, or lower DISK_RESERVE_BYTES"
    return [writable, Finding("disk", "ok" if enough else "failed", said + more)]


async def check_database(database: Database, vault: Vault) -> list[Finding]:
    """Whether the database is there, can be read and written, and is at this release's revision; and its secrets."""
    try:
        if not database.path.exists():
            return [Finding("database", "failed", f"{database.path} does not exist; {MIGRATE}")]
        revision = await database.revision()
        if revision != HEAD:
            state = f"is at revision {revision}" if revision else "is empty"
            return [Finding("database", "failed", f"it {state}, and this release needs {HEAD}; {MIGRATE}")]
        await database.ping()
        reachable = Finding("database", "ok", f"reads and writes, at revision {HEAD}")
        return [reachable, *await _check_master_keys(database, vault)]
    except (DatabaseError, OSError) as error:
        reason = error.orig if isinstance(error, DatabaseError) else error.strerror or error
        return [Finding("database", "failed", f"{database.path}: {reason}")]


async def _check_master_keys(database: Database, vault: Vault) -> list[Finding]:
    """Whether the master keys open what is there: API keys and hashes each, writes by their heads; what each seals."""
    heads = union(
        *(
            select(func.substr(sealed, 1, HEAD_BYTES)).where(sealed.is_not(None))
            for sealed in (writes.c.sealed_plan, writes.c.sealed_result)
        )
    )
    async with database.read() as connection:
        store_rows = (await connection.execute(OF_STORES.rows())).all()
        key_rows = (await connection.execute(OF_KEYS.rows())).all()
        unopened = [head for (head,) in await connection.execute(heads) if not vault.can_open(head)]
    damaged = []
    for row in store_rows:
        try:
            vault.open(row.tenant_id, f"stores/{row.id}", row.sealed)
        except VaultError as error:
            damaged.append(OF_STORES.unopened(row, error))
    for row in key_rows:
        try:
            proofs(vault, row.tenant_id, row.id, row.sealed)
        except VaultError as error:
            damaged.append(OF_KEYS.unopened(row, error))
    if unopened:
        damaged.append("writes were sealed under another master key")
    ring = [Finding("master key", "ok", str(key)) for key in await ring_keys(database, vault)]
    if damaged:
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        said = f"MASTER_KEY does not open all that is sealed: {damaged[0]}{more}"
        return [Finding("master key", "failed", said), *ring]
    opened = f"opens {counted(len(store_rows), 'store key')}, {counted(len(key_rows), 'tenant key')}, and the writes"
    return [Finding("master key", "ok", opened if store_rows or key_rows else "nothing is sealed yet"), *ring]
