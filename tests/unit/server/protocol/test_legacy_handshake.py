from typing import Any

import pytest
from mcp_types import INVALID_PARAMS

from server.protocol.exchange import Surface
from server.protocol.legacy import initialize, is_legacy
from server.protocol.messages import ProtocolError

SURFACE = Surface("name", "1.2", "read me", {"tools": {}}, {}, lambda _caller: 0.0)
VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_known_version_is_agreed_to(version: str) -> None:
    result = initialize(SURFACE, {"protocolVersion": version})
    assert result == {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "name", "version": "1.2"},
        "instructions": "read me",
    }


@pytest.mark.parametrize("version", ["1999-01-01", "2026-07-28", "2099-01-01", ""])
def test_any_other_version_is_answered_with_the_newest_that_has_a_handshake(version: str) -> None:
    assert initialize(SURFACE, {"protocolVersion": version})["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("version", [None, 5, [], {}])
def test_a_version_that_is_no_text_is_refused(version: Any) -> None:
    with pytest.raises(ProtocolError) as refused:
        initialize(SURFACE, {"protocolVersion": version})
    assert refused.value.code == INVALID_PARAMS


def test_no_version_header_or_an_old_one_means_legacy() -> None:
    assert all(is_legacy(version) for version in (None, *VERSIONS))
    assert not any(is_legacy(version) for version in ("2026-07-28", "2099-01-01", "", "latest"))
