"""The operator's commands as they are typed: what they print, what they refuse, and what they leave in the audit."""

import asyncio
import base64
import json
import os
import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server import cli
from server.brakes import Brakes
from server.storage.database import Database
from server.telemetry import logging
from server.telemetry.metrics import Metrics
from server.tenancy import erasure
from server.tenancy.keys import TenantKey, seal_secret
from server.tenancy.stores import Stores
from server.tenancy.vault import Vault
from server.writes.leases import Leases
from server.writes.ledger import Write, WriteLedger
from server.writes.operation import Plan
from tests.unit.server.parts import Recorded

MASTER_KEY = os.urandom(32)


@dataclass(frozen=True)
class Printed:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one line of JSON, and nothing beside it."""
        assert (self.code, self.err) == (0, ""), self
        (line,) = self.out.splitlines()
        document: dict[str, Any] = json.loads(line)
        return document

    @property
    def refusal(self) -> str:
        """The one line of a refusal, and nothing beside it."""
        assert (self.code, self.out) == (1, ""), self
        (line,) = self.err.splitlines()
        return line


Command = Callable[..., Printed]


@pytest.fixture
def command(
    database_file: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Type a command."""
    for name in list(os.environ):
        if name.endswith(("_KEY", "_FILE", "_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MASTER_KEY", base64.urlsafe_b64encode(MASTER_KEY).decode())
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{database_file}")
    monkeypatch.setattr(logging, "configure", lambda _level: recorded.logger)
    monkeypatch.setattr(erasure, "MAX_AGE_SECONDS", 0)
    monkeypatch.setattr(erasure, "FLUSH_SECONDS", 0)

    def run(*arguments: str) -> Printed:
        try:
            code = cli.main(arguments)
        except SystemExit as error:
            code = int(error.code or 0)
        printed = capsys.readouterr()
        return Printed(code, printed.out, printed.err)

    return run


@dataclass(frozen=True)
class Shop:
    """A tenant with a store and a write of each kind, in the database."""

    tenant_id: str
    name: str
    key_id: str


@pytest.fixture
def shop(command: Command, database_file: Path) -> Shop:
    """A tenant whose writes hold a customer's data."""
    created = command("tenant", "create", "canary-shop").json
    key_id = created["key"][3:19]

    async def fill() -> None:
        database = Database(f"sqlite:///{database_file}", Metrics("0", "development"))
        vault = Vault(MASTER_KEY)
        try:
            await Stores(database, vault).register(created["tenant_id"], "100", "api-key", "Main shop", "main")
            ledger = WriteLedger(database, vault, Brakes(database, cap=10), Leases.of_this_process(45))
            write = Write(
                created["tenant_id"], key_id, "r", "orders_update", "100", None, "7", bytes(32), {"city": "York"}
            )
            write_id = await ledger.begin(write, Plan({"city": "Leeds"}, {"city": "York"}))
            await ledger.done(write_id, created["tenant_id"], {"message": "customer-canary"})
        finally:
            await database.close()

    asyncio.run(fill())
    return Shop(created["tenant_id"], "canary-shop", key_id)


@pytest.fixture
def query(database_file: Path) -> Callable[..., list[Any]]:
    """Ask the database from outside."""

    def ask(statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(database_file)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    return ask


def test_what_is_in_force_is_told_after_every_change(command: Command, shop: Shop) -> None:
    assert command("brake", "list").out == "No brake is pulled.\n"
    printed = command("brake", "pull", "read-only", "--reason", "runaway  agent\n", "--for", "1h").out
    assert re.fullmatch(
        r"Pulled: the whole server is read-only; reads and dry runs go on\.\n"
        r"Running servers obey within a second\.\n\nIn force now:\n"
        r"  read-only: the whole server, since [0-9-]{10} [0-9:]{8} UTC, until [0-9-]{10} [0-9:]{8} UTC: "
        r"runaway agent\n",
        printed,
    )
    command("brake", "pull", "read-only", "--tenant", shop.name, "--reason", "a")
    command("brake", "pull", "read-only", "--store", shop.tenant_id, "MAIN", "--reason", "b")
    command("brake", "cap", shop.name, "10", "--reason", "c")
    in_force = command("tenant", "suspend", shop.tenant_id, "--reason", "d", "--json").json["in_force"]
    assert [(brake["kind"], brake["scope"], brake["tenant"], brake["store_id"]) for brake in in_force] == [
        ("read_only", "server", None, None),
        ("read_only", "tenant", shop.name, None),
        ("read_only", "store", shop.name, "100"),
        ("cap", "tenant", shop.name, None),
        ("suspended", "tenant", shop.name, None),
    ]
    assert [brake["reason"] for brake in in_force] == ["runaway agent", "a", "b", "c", "d"]
    (listed,) = command("tenant", "list", "--json").json["tenants"]
    assert listed["brakes"] == ["read-only", "read-only (store 100)", "cap of 10 an hour", "suspended"]
    command("brake", "release", "read-only")
    command("brake", "release", "read-only", "--tenant", shop.name)
    command("brake", "release", "read-only", "--store", shop.name, "100")
    command("brake", "cap", shop.name, "--default")
    assert command("tenant", "resume", shop.name, "--json").json == {
        "message": f"Resumed: tenant {shop.name} is answered again.",
        "in_force": [],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["brake", "pull", "read-only", "--reason", "x", "--tenant", "nobody"],
            "no tenant has the id or name 'nobody'",
        ),
        (["brake", "pull", "read-only", "--reason", "x", "--store", "canary-shop", "no"], "has no store 'no'"),
        (["brake", "release", "read-only"], "the whole server has no read-only brake of its own"),
        (["brake", "cap", "canary-shop", "--default"], "tenant canary-shop has no cap of its own"),
        (["tenant", "resume", "canary-shop"], "tenant canary-shop is not suspended"),
        (["key", "create", "nobody"], "no tenant"),
        (["key", "revoke", "nothing", "--reason", "x"], "no key has the id 'nothing'"),
        (["key", "expire", "nothing", "--in", "2h"], "no key"),
        (["tenant", "erase", "canary-shop", "--confirm", "canary"], "'canary-shop'"),
        (["tenant", "export", "nobody", "--output", "file"], "no tenant"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line_and_changes_nothing(
    arguments: list[str], said: str, command: Command, shop: Shop, query: Callable[..., list[Any]]
) -> None:
    before = query("SELECT * FROM audit"), query("SELECT * FROM brakes"), query("SELECT * FROM tenant_keys")
    assert said in command(*arguments).refusal
    assert before == (query("SELECT * FROM audit"), query("SELECT * FROM brakes"), query("SELECT * FROM tenant_keys"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["brake", "pull", "read-only"],
        ["brake", "pull", "full-stop", "--reason", "x"],
        ["brake", "pull", "read-only", "--reason", " "],
        ["brake", "pull", "read-only", "--reason", "x" * 201],
        ["brake", "pull", "read-only", "--reason", "x", "--for", "soon"],
        ["brake", "pull", "read-only", "--reason", "x", "--for", "0s"],
        ["brake", "pull", "read-only", "--reason", "x", "--tenant", "a", "--store", "a", "b"],
        ["brake", "cap", "a", "5"],
        ["brake", "cap", "a", "-1", "--reason", "x"],
        ["brake", "cap", "a", "many", "--reason", "x"],
        ["brake", "cap", "a", "5", "--default"],
        ["key", "create", "a", "--expires", "99999d"],
        ["key", "create", "a", "--expires", "0d"],
        ["tenant", "create", "a", "--expires", "0d"],
        ["tenant", "create", "a\nb"],
        ["tenant", "create", "a\x1b[31mb"],
        ["tenant", "create", "a\u2028b"],
        ["key", "expire", "a", "--at", "tomorrow"],
        ["key", "expire", "a", "--at", "9999-01-01"],
        ["key", "expire", "a"],
        ["key", "revoke", "a"],
        ["tenant", "erase", "a"],
        ["tenant", "export", "a"],
    ],
)
def test_a_wrong_usage_is_refused_before_anything_is_opened(arguments: list[str], command: Command) -> None:
    printed = command(*arguments)
    assert (printed.code, printed.out) == (2, "")
    assert len(printed.err.splitlines()[-1]) < 200


def test_keys_are_listed_with_their_state_and_never_their_secret(
    command: Command, shop: Shop, query: Callable[..., list[Any]]
) -> None:
    created = command("key", "create", shop.name, "--expires", "90d", "--json").json
    query("UPDATE tenant_keys SET expires_at = 1 WHERE id = ?", created["key_id"])
    command("key", "revoke", shop.key_id, "--reason", "leaked")
    third = command("key", "create", shop.name).out.splitlines()[1]
    listed = command("key", "list", shop.tenant_id)
    assert [line.split()[:2] for line in listed.out.splitlines()[1:]] == [
        [shop.key_id, "revoked"],
        [created["key_id"], "expired"],
        [third[3:19], "valid"],
    ]
    keys = command("key", "list", shop.name, "--json").json["keys"]
    assert keys[0]["last_used_at"] is not None
    assert keys[1]["last_used_at"] is None
    for key in (created["key"], third):
        assert key[20:] not in listed.out + json.dumps(keys)


def test_a_rotation_prints_the_new_key_and_the_others_ends(command: Command, shop: Shop) -> None:
    lines = command("key", "rotate", shop.name, "--overlap", "2d").out.splitlines()
    assert lines[0].startswith(f"Key {lines[1][3:19]} of tenant {shop.name}, expires never")
    assert lines[2].startswith(f"Key {shop.key_id} works until ")
    assert "--now" in command("key", "rotate", shop.name).refusal
    assert len(command("key", "rotate", shop.name, "--now", "--json").json["expiring"]) == 2
    ended = command("key", "rotate", shop.name, "--now", "--overlap", "0s").out.splitlines()[2:]
    assert len(ended) == 3
    assert all(line.endswith(" has ended.") for line in ended)


def test_revoking_the_last_key_says_that_there_is_none(command: Command, shop: Shop) -> None:
    assert "no valid key" in command("key", "revoke", shop.key_id, "--reason", "leaked").out


def test_an_end_can_be_a_date_or_a_time_from_now(command: Command, shop: Shop) -> None:
    assert command("key", "expire", shop.key_id, "--at", "2100-01-31", "--json").json["expires_at"] == (
        "2100-01-31T00:00:00.000+00:00"
    )
    at = command("key", "expire", shop.key_id, "--at", "2100-01-31T18:00+02:00", "--json").json["expires_at"]
    assert at == "2100-01-31T16:00:00.000+00:00"
    assert command("key", "expire", shop.key_id, "--in", "2h").code == 0
    assert "past" in command("key", "expire", shop.key_id, "--at", "2020-01-01").refusal


def test_a_tenant_is_told_as_json_and_its_key_can_end(
    command: Command, query: Callable[..., list[Any]], shop: Shop
) -> None:
    for arguments in (["trial", "--expires", "30d"], ["other-trial", "--expires", "30d", "--json"]):
        created = command("tenant", "create", *arguments).json
        assert set(created) == {"tenant_id", "name", "key", "expires_at"}
        ((lives,),) = query("SELECT expires_at - created_at FROM tenant_keys WHERE id = ?", created["key"][3:19])
        assert lives == pytest.approx(30 * 86_400_000, abs=60_000)
    assert command("tenant", "create", "for-ever").json["expires_at"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["brake", "pull", "read-only"],
        ["brake", "pull", "read-only", "--tenant", "canary-shop", "--for", "1h"],
        ["tenant", "suspend", "canary-shop"],
        ["brake", "cap", "canary-shop", "5"],
    ],
)
def test_what_a_brake_replaces_is_told(arguments: list[str], command: Command, shop: Shop) -> None:
    first = command(*arguments, "--reason", "the first", "--json").json
    assert "replaced" not in first
    again = command(*arguments, "--reason", "the second").out.splitlines()
    assert again[1].startswith("Replaced: ")
    assert again[1].endswith(": the first")
    assert ("until released" in again[1]) is ("--for" not in arguments)
    third = command(*arguments, "--reason", "the third", "--json").json
    assert third["replaced"]["reason"] == "the second"
    assert (third["replaced"]["expires_at"] is None) is ("--for" not in arguments)
    assert [brake["reason"] for brake in third["in_force"]] == ["the third"]


def test_a_brake_that_has_let_go_by_itself_is_not_replaced(
    command: Command, shop: Shop, query: Callable[..., list[Any]]
) -> None:
    command("brake", "pull", "read-only", "--reason", "the first", "--for", "1h")
    query("UPDATE brakes SET expires_at = 1")
    assert "Replaced" not in command("brake", "pull", "read-only", "--reason", "the second").out


def test_tables_fit_a_screen(command: Command, shop: Shop) -> None:
    command("tenant", "create", "n" * 200)
    command("brake", "pull", "read-only", "--store", shop.name, "main", "--reason", "x")
    command("tenant", "suspend", shop.name, "--reason", "x")
    command("brake", "cap", shop.name, "1000", "--reason", "x")
    command("key", "create", shop.name, "--expires", "90d")
    for arguments in (("tenant", "list"), ("key", "list", shop.name)):
        heads, *lines = command(*arguments).out.splitlines()
        assert heads == heads.upper()
        assert len(lines) == 2
        assert all(len(line) <= 80 for line in (heads, *lines)), lines
        assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d( |$)", lines[0])
    assert "  suspended," in command("tenant", "list").out
    assert "..." in command("tenant", "list").out
    assert "..." not in command("tenant", "list", "--json").out


def test_tenants_are_listed_with_what_they_have(command: Command, shop: Shop) -> None:
    command("tenant", "create", "another")
    another, canary = command("tenant", "list", "--json").json["tenants"]
    assert (another["name"], another["stores"], another["valid_keys"], another["last_call_at"]) == (
        "another",
        0,
        1,
        None,
    )
    assert (canary["tenant_id"], canary["stores"], canary["valid_keys"]) == (shop.tenant_id, 1, 1)
    assert canary["last_call_at"] is not None
    assert len(command("tenant", "list").out.splitlines()) == 3


def test_an_export_holds_everything_but_what_proves_an_identity(
    command: Command, shop: Shop, tmp_path: Path, query: Callable[..., list[Any]]
) -> None:
    file = tmp_path / "export.json"
    command("brake", "cap", shop.name, "10", "--reason", "c")
    command("tenant", "create", "stranger")
    assert (
        ": 1 key, 1 store, 1 brake, 1 write, 4 audit rows."
        in command("tenant", "export", shop.name, "--output", str(file)).out
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text())
    assert document["tenant"] == {**document["tenant"], "id": shop.tenant_id, "name": shop.name}
    assert document["stores"][0]["label"] == "main"
    (write,) = document["writes"]
    assert write["plan"] == {"arguments": {"city": "York"}, "before": {"city": "Leeds"}, "after": {"city": "York"}}
    assert write["result"] == {"message": "customer-canary"}
    assert [row["tool"] for row in document["audit"]] == [
        "tenant.create",
        "orders_update",
        "brake.cap",
        "tenant.export",
    ]
    assert not {"secret_hash", "sealed_api_key"} & {*document["keys"][0], *document["stores"][0]}
    assert "stranger" not in file.read_text()
    audited = query("SELECT count(*) FROM audit")
    before = file.read_bytes()
    assert "exists" in command("tenant", "export", shop.name, "--output", str(file)).refusal
    assert file.read_bytes() == before
    assert query("SELECT count(*) FROM audit") == audited
    assert [path.name for path in tmp_path.iterdir() if "export" in path.name] == ["export.json"]


def test_an_export_of_what_does_not_open_says_so(
    command: Command, shop: Shop, tmp_path: Path, query: Callable[..., list[Any]]
) -> None:
    query("UPDATE writes SET sealed_plan = randomblob(80)")
    printed = command("tenant", "export", shop.name, "--output", str(tmp_path / "export.json"))
    assert printed.code == 1
    assert "1 plan or result opens under no master key" in printed.err
    (write,) = json.loads((tmp_path / "export.json").read_text())["writes"]
    assert (write["plan"], write["result"]["message"]) == (None, "customer-canary")


def test_an_export_to_nowhere_is_told_in_one_line(command: Command, shop: Shop, tmp_path: Path) -> None:
    printed = command("tenant", "export", shop.name, "--output", str(tmp_path / "absent" / "export.json"))
    assert (printed.code, printed.out) == (2, "")
    assert "absent" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_an_erasure_leaves_no_row_but_that_it_happened_and_nothing_of_the_content(
    command: Command, shop: Shop, database_file: Path, query: Callable[..., list[Any]]
) -> None:
    command("brake", "pull", "read-only", "--store", shop.name, "main", "--reason", "canary-reason")
    stranger = command("tenant", "create", "stranger").json["tenant_id"]
    command("brake", "cap", "stranger", "3", "--reason", "stays")
    held = b"".join(path.read_bytes() for path in database_file.parent.glob("app.db*"))
    canaries = (b"canary-shop", b"Main shop", b"canary-reason", shop.key_id.encode())
    assert all(canary in held for canary in canaries)
    erased = command("tenant", "erase", shop.tenant_id, "--confirm", shop.name, "--json").json
    assert erased["rows"] == {"brakes": 2, "writes": 1, "stores": 1, "tenant_keys": 1, "audit": 4, "tenants": 1}
    assert erased["log_emptied"] is True
    left = b"".join(path.read_bytes() for path in database_file.parent.glob("app.db*"))
    assert not any(canary in left for canary in canaries)
    for table in ("tenants", "tenant_keys", "stores", "writes"):
        column = "id" if table == "tenants" else "tenant_id"
        assert {row[0] for row in query(f"SELECT {column} FROM {table}")} <= {stranger}
    assert query("SELECT tool, key_id, store_id, target FROM audit WHERE tenant_id = ?", shop.tenant_id) == [
        ("tenant.erase", "operator", None, None)
    ]
    assert query("SELECT subject FROM brakes") == [(stranger,)]


def test_a_tenant_with_a_write_under_way_is_not_erased(
    command: Command, shop: Shop, query: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALL_DEADLINE_SECONDS", "0.3")
    monkeypatch.setenv("HTTP_TIMEOUT_SECONDS", "0.2")
    query("UPDATE writes SET state = 'intent', created_at = created_at + 60000")
    assert "under way" in command("tenant", "erase", shop.name, "--confirm", shop.name).refusal
    assert query("SELECT kind FROM brakes") == [("suspended",)]
    assert query("SELECT count(*) FROM writes") == [(1,)]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put keys into MASTER_KEY, in that order."""

    def put(*keys: bytes) -> None:
        monkeypatch.setenv("MASTER_KEY", " ".join(base64.urlsafe_b64encode(key).decode() for key in keys))

    return put


def fingerprint(key: bytes) -> str:
    return Vault(key).first_head[1:].hex()


NEW = os.urandom(32)
OLD_SHOWN, NEW_SHOWN = fingerprint(MASTER_KEY), fingerprint(NEW)


def test_the_rotation_of_the_master_key_says_what_may_be_removed(
    command: Command, shop: Shop, ring: Callable[..., None]
) -> None:
    ring(NEW)
    assert "MASTER_KEY is not the one that sealed this database" in command("key", "rotate-master").refusal
    ring(NEW, MASTER_KEY)
    for resealed in (4, 0):  # the second time it goes by what the first one left in the audit
        assert command("key", "rotate-master").out.splitlines() == [
            f"4 sealed values, {resealed} of them sealed anew.",
            "The keys in MASTER_KEY, by fingerprint:",
            f"  {NEW_SHOWN} seals 4 values and, as the first, what is new",
            f"  {OLD_SHOWN} seals 0 values",
            f"Everything is under {NEW_SHOWN}: {OLD_SHOWN} may be removed from MASTER_KEY.",
            "Keep what you remove somewhere safe: backups made before now need it.",
        ]
    ring(NEW)
    assert command("key", "rotate-master", "--json").json == {
        "examined": 4,
        "resealed": 0,
        "left": 0,
        "unreadable": [],
        "keys": [{"fingerprint": NEW_SHOWN, "first": True, "values": 4, "replaced": False}],
    }
    assert command("tenant", "list", "--json").json["tenants"][0]["name"] == shop.name


@pytest.mark.parametrize(
    "typed",
    [
        ("tenant", "create", "another"),
        ("key", "create", "canary-shop"),
        ("key", "rotate", "canary-shop"),
        ("key", "rotate", "canary-shop", "--overlap", "0s", "--now"),
        ("key", "rotate-master"),
    ],
    ids=" ".join,
)
def test_nothing_is_sealed_under_another_database_s_master_key(
    typed: tuple[str, ...], command: Command, shop: Shop, ring: Callable[..., None], query: Callable[..., list[Any]]
) -> None:
    def everything() -> list[Any]:
        return query("SELECT * FROM tenant_keys") + query("SELECT * FROM tenants") + query("SELECT * FROM audit")

    before = everything()
    ring(NEW)
    assert "MASTER_KEY is not the one that sealed this database" in command(*typed).refusal
    assert everything() == before
    assert command("key", "revoke", shop.key_id, "--reason", "leaked").code == 0  # stopping somebody seals nothing
    ring(MASTER_KEY)
    assert command(*typed).code == 0


def test_a_key_that_a_stranger_s_master_key_sealed_is_told_until_it_is_revoked(
    command: Command, shop: Shop, database_file: Path
) -> None:
    stray = TenantKey.generate()
    sealed = seal_secret(Vault(NEW), shop.tenant_id, stray)
    with closing(sqlite3.connect(database_file)) as connection, connection:
        connection.execute(
            "INSERT INTO tenant_keys (id, tenant_id, secret_hash, created_at) VALUES (?, ?, ?, 0)",
            (stray.id, shop.tenant_id, sealed),
        )
    told = f"tenant {shop.name}: the hash of key {stray.id} was sealed under another master key"
    printed = command("key", "rotate-master")
    assert (printed.code, printed.err) == (1, f"server: left as it is: {told}\n")
    assert "may be removed" not in printed.out
    assert (checked := command("check")).code == 1
    assert f"MASTER_KEY does not open all that is sealed: {told}" in checked.out
    assert command("key", "revoke", stray.id, "--reason", "no master key opens it").code == 0
    rotated = command("key", "rotate-master")
    assert (rotated.code, rotated.err) == (0, "")
    assert rotated.out.startswith("4 sealed values, 0 of them")
    assert command("check").code == 0


def test_a_new_master_key_that_is_not_first_is_noticed_and_no_key_called_superfluous(
    command: Command, shop: Shop, ring: Callable[..., None]
) -> None:
    def refuses_to_name_any() -> None:
        out = command("key", "rotate-master").out
        assert "may be removed" not in out
        assert f"Do not remove {OLD_SHOWN}" in out
        assert "the order in MASTER_KEY is wrong" in out

    ring(MASTER_KEY, NEW)
    refuses_to_name_any()
    earlier = os.urandom(32)
    ring(earlier, MASTER_KEY)
    command("key", "rotate-master")
    ring(MASTER_KEY, earlier)
    assert f"{fingerprint(earlier)} may be removed" in command("key", "rotate-master").out
    ring(MASTER_KEY, NEW)  # there was a run to the first key, but not from this one
    refuses_to_name_any()


def test_the_check_shows_what_each_master_key_seals(command: Command, shop: Shop, ring: Callable[..., None]) -> None:
    ring(NEW, MASTER_KEY)
    found = json.loads(command("check", "--json").out)["checks"]
    said = [finding["message"] for finding in found if finding["check"] == "master key"]
    assert said == [
        "opens 1 store key, 1 tenant key, and the writes",
        f"{NEW_SHOWN} seals 0 values and, as the first, what is new",
        f"{OLD_SHOWN} seals 4 values",
    ]
    ring(NEW)
    printed = command("check")
    assert printed.code == 1
    assert f"tenant {shop.name}, store 100: the API key was sealed under another master key" in printed.out
