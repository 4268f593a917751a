from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.machine import read_environment

STARTED = datetime(2026, 11, 23, 1, 2, 3, 456_000, tzinfo=UTC)


@pytest.fixture
def record_fields() -> Callable[..., dict[str, Any]]:
    """The fields of a valid record that passed, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "id": "20261123T010203.456Z-load-0123abcd",
            "kind": "load",
            "target": {"name": "local", "url": "http://127.0.0.1:8080/mcp", "production": False, "release": None},
            "revision": {"commit": "a" * 40, "dirty": False},
            "arguments": {},
            "started": STARTED.isoformat(),
            "finished": (STARTED + timedelta(seconds=2)).isoformat(),
            "duration_seconds": 2.0,
            "environment": read_environment().model_dump(),
            "status": "passed",
            "exit_code": 0,
            "parts": [],
            "checks": [{"id": "answers", "title": "It answers", "status": "passed", "examined": 1}],
            "measurements": [],
            "artifacts": [],
            **changes,
        }

    return make
