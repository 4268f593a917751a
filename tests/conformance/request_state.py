"""State that travels through the client between two rounds, sealed so that it comes back as it was given."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson
from mcp_types import INVALID_PARAMS

from server.protocol.messages import ProtocolError


class StateSeal:
    """Seals state with HMAC-SHA256 under a key of this process; a purpose keeps one tool's state from another's."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, purpose: str, state: dict[str, Any]) -> str:
        """The state as opaque text."""
        payload = base64.urlsafe_b64encode(orjson.dumps({"for": purpose, "state": state}))
        return f"{payload.decode()}.{self._tag(payload)}"

    def open(self, purpose: str, sealed: object) -> dict[str, Any]:
        """The state that was sealed for this purpose. Raises ProtocolError INVALID_PARAMS for anything else."""
        payload, _, tag = sealed.partition(".") if isinstance(sealed, str) else ("", "", "")
        try:
            if hmac.compare_digest(self._tag(payload.encode()).encode(), tag.encode()):
                content = orjson.loads(base64.urlsafe_b64decode(payload))
                if content["for"] == purpose:
                    state: dict[str, Any] = content["state"]
                    return state
        except (binascii.Error, ValueError):
            pass
        raise ProtocolError(INVALID_PARAMS, "requestState is not what this server gave")

    def _tag(self, payload: bytes) -> str:
        return hmac.new(self._key, payload, hashlib.sha256).hexdigest()
