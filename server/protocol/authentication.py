"""Who calls: a key becomes a caller, or the refusal that every transport gives in its own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from server.errors import AuthenticationError, SuspendedError
from server.protocol.messages import ProtocolError
from server.tenancy.tenants import Caller

UNAUTHORIZED: Final = -32001

Authenticate = Callable[[str | None], Awaitable[Caller | None]]
"""The caller whose key is given, or None. Raises SuspendedError where the key is right and its tenant may not call."""


async def identify(authenticate: Authenticate, key: str | None, advice: str) -> Caller:
    """The caller whose key is given. Raises ProtocolError; `advice` says how this transport wants the key."""
    try:
        caller = await authenticate(key)
    except SuspendedError as error:
        raise ProtocolError(UNAUTHORIZED, error.message, {"code": error.code}, status=403) from None
    if caller is None:
        message = f"A valid tenant key is required: {advice}"
        raise ProtocolError(UNAUTHORIZED, message, {"code": AuthenticationError.code}, status=401)
    return caller
