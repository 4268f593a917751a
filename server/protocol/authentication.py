"""Who calls: a key becomes a caller, or the refusal that every transport gives in its own way."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from server.attempts import TooManyWrongKeysError
from server.errors import AuthenticationError, RateLimitError, SuspendedError
from server.limits import retry_after
from server.protocol.dispatch import RATE_LIMITED
from server.protocol.messages import ProtocolError
from server.tenancy.tenants import Caller

UNAUTHORIZED: Final = -32001


class Authenticate(Protocol):
    """The caller whose key is given, or None; `address` is the peer's, None where there is no network.

    Raises SuspendedError where the key is right and its tenant may not call, and TooManyWrongKeysError.
    """

    def __call__(self, key: str | None, address: str | None, /) -> Awaitable[Caller | None]: ...


async def identify(authenticate: Authenticate, key: str | None, advice: str, address: str | None = None) -> Caller:
    """The caller whose key is given. Raises ProtocolError; `advice` says how this transport wants the key."""
    try:
        caller = await authenticate(key, address)
    except TooManyWrongKeysError as error:
        seconds = retry_after(error.seconds)
        message = f"This key is wrong too, as were too many before it: a right one is let in at once ({advice})"
        data = {"code": RateLimitError.code, "retry_after_seconds": seconds, "limit": "wrong_keys"}
        raise ProtocolError(RATE_LIMITED, message, data, status=429, retry_after=seconds) from None
    except SuspendedError as error:
        raise ProtocolError(UNAUTHORIZED, error.message, {"code": error.code}, status=403) from None
    if caller is None:
        message = f"A valid tenant key is required: {advice}"
        raise ProtocolError(UNAUTHORIZED, message, {"code": AuthenticationError.code}, status=401)
    return caller
