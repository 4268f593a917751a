"""An audit of a running server as of any other target: known by its address and by keys alone."""

import os
from collections.abc import Sequence
from pathlib import Path

from harness.record import Check, parse_record
from security.job import Options, run_audit

NAME = "outside"
KEYS = ("token", "other_token", "admin_token")


def audit(repository: Path, url: str, keys: Sequence[str], only: Sequence[str], more: str = "") -> dict[str, Check]:
    """What an audit of this address says, by check; begun as an operator would."""
    repository.mkdir()
    tokens = "".join(f'{key}_env = "KEY_{number}"\n' for number, key in enumerate(KEYS))
    (repository / "ops.toml").write_text(f'[targets.{NAME}]\nurl = "{url}/mcp"\n{tokens}{more}')
    environ = {**os.environ, **{f"KEY_{number}": key for number, key in enumerate(keys)}}
    run_audit(Options(target=NAME, only=tuple(only)), repository=repository, environ=environ)
    record = parse_record((repository / "reports" / "latest-audit" / "record.json").read_bytes())
    return {check.id: check for check in record.checks}
