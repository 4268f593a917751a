"""How an operator finds writes: what the list shows, in which words it is asked for, and what --help says."""

import argparse
import base64
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from server import cli
from server.brakes import Brakes
from server.clock import now_milliseconds
from server.commands import writes as writes_command
from server.errors import ConflictError, WriteUncertainError
from server.storage.database import Database
from server.storage.tables import writes as kept_writes
from server.telemetry import logging
from server.tenancy.stores import Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.tools.registry import ALL
from server.writes.leases import Leases
from server.writes.ledger import Write, WriteLedger
from server.writes.operation import Plan
from server.writes.states import STATES
from tests.unit.server.parts import Recorded

KEY = os.urandom(32)
ACTIONS = ("list", "show", "uncertain", "settle", "revert")
LONG = "a tenant whose name goes on and on"
Writes = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vault() -> Vault:
    return Vault(KEY)


@pytest.fixture
async def kept(database: Database, vault: Vault, tenants: Tenants) -> dict[str, str]:
    """The ids of writes: by their states of one tenant, and one of another tenant, that has no such store any more."""
    leases = Leases.of_this_process(45)
    brakes, stores = Brakes(database, cap=100), Stores(database, vault)
    ledger = WriteLedger(database, vault, brakes, leases)
    (acme, _), (other, _) = await tenants.create("acme"), await tenants.create(LONG)
    await stores.register(acme.tenant_id, "10001", "k1", "Main shop", "main")
    await stores.register(acme.tenant_id, "10002", "k2", "Outlet", "twin")
    await stores.register(other.tenant_id, "10003", "k3", "Third", "twin")
    tool = max((tool.name for tool in ALL if tool.writes), key=len)
    asked = Write(acme.tenant_id, "k", "r", tool, "10001", None, "100000000042 and 19 more", bytes(32), {})
    plan = Plan({"id": "1"}, {"id": "1", "email": "x"})
    ids = {}
    for state in ("done", "failed", "uncertain"):
        ids[state] = await ledger.begin(asked, plan)
    await ledger.done(ids["done"], acme.tenant_id, {"status": "success"})
    await ledger.failed(ids["failed"], ConflictError("x"))
    await ledger.failed(ids["uncertain"], WriteUncertainError("lost"))
    ids["abandoned"] = await ledger.begin(asked, plan)
    async with database.write() as connection:
        past = now_milliseconds() - leases.stale_milliseconds
        await connection.execute(
            update(kept_writes).where(kept_writes.c.id == ids["abandoned"]).values(created_at=past)
        )
    ids["under-way"] = await ledger.begin(asked, plan)
    stranger = replace(
        asked, tenant_id=other.tenant_id, store_id="20001", tool="order_items_update", target="10000000 and 1 more"
    )
    ids["other"] = await ledger.begin(stranger, plan)
    await ledger.done(ids["other"], other.tenant_id, {"status": "success"})
    return ids


@pytest.fixture
def writes(database_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Writes:
    """`writes ...` as it is typed: its exit code and what it printed."""
    monkeypatch.setenv("MASTER_KEY", base64.urlsafe_b64encode(KEY).decode())
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{database_file}")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = cli.main(("writes", *arguments))
        except SystemExit as error:
            code = int(error.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def listed(writes: Writes, *arguments: str) -> set[str]:
    code, out, err = writes("list", "--json", *arguments)
    assert (code, err) == (0, "")
    return {row["id"] for row in json.loads(out)}


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_asked_for_as_it_is_shown(state: str, kept: dict[str, str], writes: Writes) -> None:
    code, out, _ = writes("list", "--json", "--tenant", "acme", "--state", state)
    assert (code, [(row["id"], row["state"]) for row in json.loads(out)]) == (0, [(kept[state], state)])


@pytest.mark.parametrize("arguments", [(), ("--tenant", "acme")], ids=["several tenants", "one tenant"])
def test_a_list_fits_a_screen_and_ids_are_whole(
    arguments: tuple[str, ...], kept: dict[str, str], writes: Writes
) -> None:
    _, out, _ = writes("list", *arguments)
    heads, *rows = out.splitlines()
    assert heads.split("  ")[0] == "ID"
    assert ("TENANT" in heads, "TARGET" in heads) == ((False, True) if arguments else (True, False))
    assert max(map(len, out.splitlines())) <= 80
    assert {row.split()[0] for row in rows} == set(kept.values()) - ({kept["other"]} if arguments else set())
    assert {state for state in STATES if any(row.endswith(f"  {state}") for row in rows)} == set(STATES)


def test_what_is_as_long_as_usual_is_not_cut(kept: dict[str, str], writes: Writes) -> None:
    _, out, _ = writes("list", "--tenant", LONG)
    assert re.search(r"\n" + kept["other"] + r"  \d\d-\d\d \d\d:\d\d  order_items_update  10000000 \+1  done\n", out)


def test_json_has_everything(kept: dict[str, str], writes: Writes) -> None:
    _, out, _ = writes("list", "--json", "--tenant", LONG)
    (row,) = json.loads(out)
    assert row.pop("at").endswith("+00:00")
    assert row == {
        "id": kept["other"],
        "tenant": LONG,
        "store_id": "20001",
        "tool": "order_items_update",
        "target": "10000000 and 1 more",
        "state": "done",
        "error_code": None,
        "reverts": None,
        "request_id": "r",
    }


@pytest.mark.parametrize("store", ["10001", "main", "MAIN ", "main shop"])
def test_a_store_is_named_as_tenants_name_it(store: str, kept: dict[str, str], writes: Writes) -> None:
    assert listed(writes, "--store", store) == set(kept.values()) - {kept["other"]}
    assert listed(writes, "--store", store, "--tenant", "acme") == set(kept.values()) - {kept["other"]}


def test_a_store_that_is_not_registered_any_more_is_named_by_its_id(kept: dict[str, str], writes: Writes) -> None:
    assert listed(writes, "--store", "20001") == {kept["other"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--store", "nowhere"), "no store of any tenant has the OrderDesk id, label or name 'nowhere'"),
        (("--store", "main", "--tenant", LONG), "no store of the tenant has"),
        (("--store", "twin"), f"10002 of tenant acme, 10003 of tenant {LONG}; give the id, or --tenant"),
    ],
    ids=["unknown", "another tenant's", "ambiguous"],
)
@pytest.mark.usefixtures("kept")
def test_a_store_that_is_not_clear_is_refused(arguments: tuple[str, ...], said: str, writes: Writes) -> None:
    code, out, err = writes("list", *arguments)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert said in err


def test_a_label_that_two_tenants_gave_is_clear_with_the_tenant(kept: dict[str, str], writes: Writes) -> None:
    assert kept
    assert listed(writes, "--store", "twin", "--tenant", "acme") == set()


@pytest.mark.parametrize(
    ("tool", "said"),
    [("orders_updat", "did you mean orders_update?"), ("orders_get", "orders_get only reads"), ("zz", "these write: ")],
)
@pytest.mark.parametrize("action", ["list", "uncertain", "revert"])
def test_a_tool_that_cannot_have_written_is_wrong_usage(action: str, tool: str, said: str, writes: Writes) -> None:
    code, out, err = writes(action, "--tool", tool)
    assert (code, out) == (2, "")
    assert said in err


def test_reverts_are_found_by_the_name_that_the_list_shows(kept: dict[str, str], writes: Writes) -> None:
    assert kept
    assert listed(writes, "--tool", "writes_revert") == set()


@pytest.mark.usefixtures("kept")
def test_a_list_that_is_cut_says_so(writes: Writes) -> None:
    code, out, err = writes("list", "--limit", "2")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "--limit" in err
    assert writes("list", "--limit", "6")[2] == ""
    assert writes("list", "--limit", "0")[0] == 2


@pytest.mark.parametrize("option", ["", "--json", "--look-up"])
def test_what_is_uncertain_and_more_than_can_be_listed_is_told(
    option: str, kept: dict[str, str], writes: Writes, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "configure", lambda _level: recorded.logger)
    for limit in (1, 3):  # as many as there are
        monkeypatch.setattr(writes_command, "LISTED", limit)
        code, out, err = writes("uncertain", *([option] if option else []))
        assert (code, kept["under-way"] in out, kept["uncertain"] in out) == (1, True, limit == 3)
        told = [line for line in err.splitlines() if line.startswith("Only the newest")]
        reasons = ["looked up", "shown"] if option == "--look-up" else ["shown"]
        other = ": choose others by --tenant, --store or --tool."
        assert told == [f"Only the newest 1 are {done}{other}" for done in reasons if limit == 1]


@pytest.mark.parametrize("action", ACTIONS)
def test_help_says_what_it_does_the_exit_codes_and_an_example_that_works(action: str, writes: Writes) -> None:
    code, out, _ = writes(action, "--help")
    assert (code, "Exit codes: 0 " in out) == (0, True)
    assert max(map(len, out.splitlines())) <= 80
    examples = [line.split()[3:] for line in out.splitlines() if line.startswith("  python -m server writes ")]
    assert examples
    for example in examples:
        assert "command" in cli._parser().parse_args(example)


def test_every_action_is_covered_above() -> None:
    parser: Any = cli._parser()
    (commands,) = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    (actions,) = [each for each in commands.choices["writes"]._actions if isinstance(each, argparse._SubParsersAction)]
    assert set(actions.choices) == set(ACTIONS)
