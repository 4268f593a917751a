"""The audit's live part on servers made with FastMCP and with the official SDK: true verdicts, and no crash."""

import os
import time
from pathlib import Path

import pytest

from harness.record import RunRecord, parse_record
from harness.verdict import CheckStatus
from security.job import Options, run_audit
from security.probe.catalogue import PROBES
from security.selection import group_of
from tests.integration.security.foreign.foreign_servers import KEYS, Foreign, start_foreign
from tests.integration.security.foreign.verdicts import (
    CARELESS,
    FASTMCP,
    FASTMCP_WITHOUT_KEYS,
    LEGACY,
    SHARED,
    STATELESS,
    WITHOUT_A_SECOND,
    WITHOUT_KEYS,
    Verdict,
)

VARIANTS = (
    Foreign("fastmcp", keys=True, stateless=False),
    Foreign("fastmcp", keys=False, stateless=True),
    Foreign("sdk", keys=True, stateless=True, alone=True),
    Foreign("sdk", keys=False, stateless=False),
    Foreign("sdk", keys=False, stateless=False, legacy=True),
    Foreign("fastmcp", keys=True, stateless=False, careless=True),
    Foreign("sdk", keys=True, stateless=False, careless=True),
)
GROUPS = tuple(sorted({group_of(probe.id) for probe in PROBES}))
ENVIRON = {**os.environ, **{f"KEY_OF_{owner.upper()}": key for owner, key in KEYS.items()}}
TARGET = '[targets.{}]\nurl = "{}"\n'
TOKEN = 'token_env = "KEY_OF_OWNER"\n'
OTHER_TOKEN = 'other_token_env = "KEY_OF_OTHER"\n'
SECONDS = 90.0


def expected(foreign: Foreign) -> dict[str, Verdict]:
    """The verdicts that hold for this variant."""
    return {
        **SHARED,
        **(WITHOUT_A_SECOND if foreign.alone else {}),
        **(STATELESS if foreign.stateless else {}),
        **({} if foreign.keys else WITHOUT_KEYS),
        **(FASTMCP if foreign.made_with == "fastmcp" else {}),
        **(FASTMCP_WITHOUT_KEYS if foreign.made_with == "fastmcp" and not foreign.keys else {}),
        **(LEGACY if foreign.legacy else {}),
        **(CARELESS if foreign.careless else {}),
    }


def audit(foreign: Foreign, url: str, repository: Path) -> RunRecord:
    """The record of an audit's live part on it, begun as an operator would."""
    table = TARGET.format(foreign.name, url)
    table += TOKEN if foreign.keys else ""
    table += OTHER_TOKEN if foreign.keys and not foreign.alone else ""
    (repository / "ops.toml").write_text(table)
    code = run_audit(Options(target=foreign.name, only=GROUPS), repository=repository, environ=ENVIRON)
    record = parse_record((repository / "reports" / "latest-audit" / "record.json").read_bytes())
    assert record.exit_code == code
    return record


# The first run on a machine makes FastMCP's environment.
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("foreign", VARIANTS, ids=lambda foreign: foreign.name)
def test_the_verdicts_are_those_that_are_true_of_the_server(
    foreign: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither gives up in 70 s, as was measured once; nobody need wait for that again.
    monkeypatch.setattr("security.probe.protocol.slow_body.PATIENCE_SECONDS", 2.0)
    # A machine without a network has no other address of its own.
    monkeypatch.setattr("security.probe.configuration.local_binding.own_addresses", lambda: iter(["127.0.0.2"]))
    with start_foreign(foreign, logs=tmp_path / "logs") as url:
        began = time.monotonic()
        record = audit(foreign, url, tmp_path)
        took = time.monotonic() - began
    live = {check.id: check for check in record.checks if check.id == "target" or group_of(check.id) in GROUPS}
    wanted = expected(foreign)
    assert {name: (check.status, check.reason) for name, check in live.items() if name not in wanted} == {}
    told = {name: (check.status, len(check.findings)) for name, check in live.items()}
    for name, verdict in wanted.items():
        if verdict.noisy and "too noisy" in live[name].reason:
            told[name] = verdict.status, verdict.findings
    assert told == {name: (verdict.status, verdict.findings) for name, verdict in wanted.items()}
    for name, verdict in wanted.items():
        assert verdict.says in live[name].reason
        assert live[name].reason or live[name].status is CheckStatus.PASSED
    assert [check.id for check in record.checks if "internal error" in check.reason] == []
    assert [each.path for each in record.artifacts if "traceback" in each.path] == []
    assert took < SECONDS
