"""Everything that a server's operator, or anybody beside who asked, may come to see of what the server did.

What may be where, and nowhere else:

| what | where |
|---|---|
| master key, operator's token, keys of tenants, the DSN | the server's own environment, no child's |
| API keys of stores, OrderDesk's data, what clients send | results for the owner; sealed columns of the database |
| an argument that names a store, a tool or a method that there is not | also the error to whoever sent it |
| names of tenants and stores, labels | results for the owner; clear columns of `tenants` and `stores`; commands |
| a write as asked for, and what was there before | also the output of `writes show` and of a revert's preview |
| ids of tenants, stores and orders, a request's id that looks like one | log, audit and (of tenants) metrics |

Operators choose tenants by name, so names are in the database in the clear. What is looked through here as "the
database" is every byte of its files, and a name is the one thing of the corpus that may be among them.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from backups.manifest import MANIFEST_NAME
from backups.snapshot import take_snapshot
from tests.integration.server.bench import Bench, Tenant
from tests.integration.server.leaks.corpus import STORE_NAME
from tests.integration.server.leaks.tracing import Trace, Tracer
from tests.integration.server.operating import wait_until
from tests.integration.server.sentry_receiver import Receiver

HARMLESS = "0dd0dd0dd0dd0dd1"
"""A request's id that goes wherever a call leaves a trace."""
HARMLESS_HOST = "harmless-marker.test"
"""A setting that is shown where settings are."""
PAUSE_SECONDS = 0.2
LATEST = 200
"""Of what Sentry was told so much is looked through for the harmless call: its queue holds half of it."""
PAGES = ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics")
COMMANDS = "what commands print"
NAMES_TENANTS = frozenset({"the database", "the snapshot's database", COMMANDS})
OWN_VARIABLES = frozenset({"MASTER_KEY", "ADMIN_TOKEN", "TENANT_KEY", "SENTRY_DSN"})
"""The variables by which a server is given its secrets."""


@dataclass(frozen=True)
class Place:
    """A text that was looked through, and what harmless thing must be in it, or it was not looked at."""

    text: str | bytes
    marker: str


def mark(bench: Bench, tenant: Tenant, receiver: Receiver) -> None:
    """Make a harmless call whose trace goes the way of all others, again where Sentry's queue was full."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stores_list", "arguments": {}}}
    headers = {"Authorization": f"Bearer {tenant.key}", "X-Request-ID": HARMLESS}

    def told() -> bool:
        bench.upstream.http.post(bench.url, json=call, headers=headers)
        time.sleep(PAUSE_SECONDS)
        return any(HARMLESS.encode() in body for _, body in receiver.requests[-LATEST:])

    wait_until(told, "what Sentry is told")
    wait_until(
        lambda: bench.query("SELECT count(*) FROM audit WHERE request_id = ?", HARMLESS) != [(0,)], "the audit's row"
    )


def look(bench: Bench, tenant: Tenant, receiver: Receiver, folder: Path, log: str = "") -> dict[str, Place]:
    """All places of a server that still serves `tenant`; `log` is of further processes, `folder` its TMPDIR's."""
    mark(bench, tenant, receiver)
    places = {**kept(bench, receiver, folder, log), **processes(bench)}
    for page in PAGES:
        for admin in (True, False):
            answer = bench.get(page, admin=admin)
            text = f"{answer.status_code} {dict(answer.headers)} {answer.text}"
            places[f"{page} {'for the operator' if admin else 'for anybody'}"] = Place(text, _marker_of(page, answer))
    return places


def kept(bench: Bench, receiver: Receiver, folder: Path, log: str = "") -> dict[str, Place]:
    """Those that are there when the server is not any more, once a harmless call was made."""
    (folder / "looked-at").write_text(HARMLESS)
    files = sorted(bench.database.parent.glob(f"{bench.database.name}*"))
    snapshot = take_snapshot(
        bench.database, bench.database.parent / "snapshots", server_version="1", now=lambda: datetime.now(UTC)
    )
    manifest = (snapshot.folder / MANIFEST_NAME).read_text()
    copy = b"".join(path.read_bytes() for path in snapshot.folder.iterdir() if path.name != MANIFEST_NAME)
    shutil.rmtree(snapshot.folder)
    return {
        "the log": Place(bench.log.read_text() + bench.process.stdout.read_text() + log, HARMLESS),
        "the audit": Place(str(bench.query("SELECT * FROM audit")), HARMLESS),
        "the database": Place(b"".join(path.read_bytes() for path in files), HARMLESS),
        "the snapshot's database": Place(copy, HARMLESS),
        "the snapshot's manifest": Place(manifest, '"audit"'),
        "Sentry": Place(receiver.everything(), HARMLESS),
        "temporary files": Place(everything_below(folder), HARMLESS),
    }


def _marker_of(page: str, answer: httpx.Response) -> str:
    if answer.status_code == 401:
        return "AUTH_ERROR"
    return {
        "/metrics": 'mcp_tool_calls_total{status="success",tool_name="stores_list"}',
        "/health/detailed": HARMLESS_HOST,
    }.get(page, "status")


def processes(bench: Bench) -> dict[str, Place]:
    """What any user of the machine sees of the server's processes, and what theirs are told in their environment."""
    server = psutil.Process(bench.process.pid)
    family = [server, *server.children(recursive=True)]
    lines = "\n".join(" ".join(process.cmdline()) for process in family)
    told = [
        f"{name}={value}"
        for process in family
        for name, value in process.environ().items()
        if process is not server or name not in OWN_VARIABLES
    ]
    return {
        "command lines": Place(lines, "-m"),
        "environments": Place("\n".join(told), HARMLESS_HOST),
    }


def everything_below(folder: Path) -> bytes:
    """The names and contents of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\n".join(os.fsencode(path.relative_to(folder)) + b"\n" + path.read_bytes() for path in files)


def leaks(tracer: Tracer, places: Mapping[str, Place]) -> list[str]:
    """What was found where it may not be. Every place must hold its marker."""
    for name, place in places.items():
        marker = place.marker.encode() if isinstance(place.text, bytes) else place.marker
        assert marker in place.text, f"{name} was not looked at: {place.marker!r} is not in it"  # type: ignore[operator]
    found = tracer.trace({name: place.text for name, place in places.items()})
    return [str(trace) for trace in found if not _is_allowed(trace)]


def _is_allowed(trace: Trace) -> bool:
    return trace.piece.kind == STORE_NAME and trace.place in NAMES_TENANTS
