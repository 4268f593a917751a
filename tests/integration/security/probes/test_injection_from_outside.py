"""Probes of injection where less can be had of a server than of a local one, and what they leave behind."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.progress import SilentProgress
from harness.record import Check, Target
from harness.verdict import CheckStatus
from security.probe.injection.asking import Asker, Seen, Vector
from security.probe.injection.log import log
from security.probe.injection.prompt_in_data import prompt_in_data
from security.probe.injection.request_forgery import request_forgery
from security.probe.injection.sql import sql
from security.probe.injection.sql_answers import judge_by_answers
from security.probe.injection.sql_headers import sql_headers
from security.probe.injection.sql_second_order import sql_second_order
from security.probe.local import open_local
from security.probe.probe import Probe
from security.probe.run import ask_together
from security.probe.site import RateLimit, Site
from tests.integration.security.probes.vulnerable_site import open_vulnerable


def ask(site: Site, folder: Path, *probes: Probe) -> list[Check]:
    run = Run(folder, SilentProgress(), site.target)
    ask_together(run, probes, site, ())
    return run.checks


@pytest.mark.parametrize(
    ("hole", "probe", "location"),
    [
        ("sql-concatenation", sql, "orders_list search"),
        ("sql-second-order", sql_second_order, "stores_resolve"),
        ("sql-header", sql_headers, "the header User-Agent"),
    ],
)
def test_sql_is_found_by_answers_where_no_statement_is_seen(
    hole: str, probe: Probe, location: str, tmp_path: Path
) -> None:
    with open_vulnerable(hole, logs=tmp_path) as site:
        (check,) = ask(replace(site, statements=None), tmp_path, probe)
    assert check.status is CheckStatus.FAILED, check.evidence
    assert location in {finding.location for finding in check.findings}


def test_without_a_hole_answers_alone_show_none(tmp_path: Path) -> None:
    with open_vulnerable(logs=tmp_path) as site:
        checks = ask(replace(site, statements=None), tmp_path, sql, sql_second_order, sql_headers)
    assert [check.status for check in checks] == [CheckStatus.PASSED] * 3, [check.reason for check in checks]


def test_sql_that_shows_in_no_answer_is_found_by_its_pace(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "goods.db") as database:
        database.execute("CREATE TABLE goods (name TEXT)")
        database.execute("INSERT INTO goods VALUES ('Mug')")

    def send(text: str) -> Seen:
        began = time.perf_counter()
        with contextlib.suppress(sqlite3.Error):
            database.execute(f"SELECT * FROM goods WHERE name = '{text}'").fetchall()
        return Seen(ok=True, text="thank you", seconds=time.perf_counter() - began)

    check = OpenCheck("injection.sql", 1)
    judge_by_answers(check, [Vector("goods_find name", send, "name")])
    database.close()
    assert [finding.rule for finding in check.findings] == ["sql-pace"]


def test_a_limit_is_waited_out_and_not_for_ever(tmp_path: Path) -> None:
    limit = RateLimit(per_minute=60, burst=8)
    with open_vulnerable(logs=tmp_path, limit=limit) as site, site.connect() as client:
        patient = Asker(client, patience_seconds=5)
        assert all(patient.call("stores_list", {}).ok for _ in range(9))
        with pytest.raises(Inconclusive, match="higher"):
            [Asker(client, patience_seconds=0).call("stores_list", {}) for _ in range(9)]


def test_tools_that_a_limit_refuses_are_not_left_out_in_silence(tmp_path: Path) -> None:
    with open_vulnerable(logs=tmp_path, limit=RateLimit(per_minute=60, burst=6)) as site:
        (check,) = ask(site, tmp_path, sql)
    assert check.status is CheckStatus.INCONCLUSIVE
    assert "the server's limit refused" in check.reason


def test_a_log_without_the_canary_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.probe.injection.log.SECONDS", 0.1)
    with open_vulnerable(logs=tmp_path) as site:
        (check,) = ask(replace(site, log=lambda: "an old line\n"), tmp_path, log)
    assert check.status is CheckStatus.INCONCLUSIVE
    assert "does not tell" in check.reason


def test_a_server_elsewhere_is_not_asked_to_call_this_machine(tmp_path: Path) -> None:
    with open_vulnerable("fetches-urls", logs=tmp_path) as site:
        elsewhere = replace(site, target=Target(name="elsewhere", url="https://mcp.example.com/mcp"))
        (check,) = ask(elsewhere, tmp_path, request_forgery)
    assert check.status is CheckStatus.NOT_APPLICABLE
    assert "mcp.example.com" in check.reason


def test_what_was_stored_in_our_server_is_gone_afterwards(tmp_path: Path) -> None:
    with open_local(logs=tmp_path, environ=os.environ) as site:
        before = held(site)
        checks: Sequence[Check] = ask(site, tmp_path, sql_second_order, prompt_in_data, log)
        assert held(site) == before
    assert [check.status for check in checks] == [CheckStatus.PASSED] * 3, [check.reason for check in checks]
    assert not [line for check in checks for line in check.evidence if "still there" in line]


def held(site: Site) -> tuple[set[str], set[str]]:
    """The stores and the orders that the owner has."""
    with site.connect() as client:
        stores = (client.call_tool("stores_list", {}).structured or {})["stores"]
        orders = (client.call_tool("orders_list", {"limit": 500}).structured or {})["orders"]
    return {each["store_id"] for each in stores}, {each["id"] for each in orders}
