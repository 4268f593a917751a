"""Sessions as the older revisions have them: opened by `initialize`, bound to whom they were opened for."""

import itertools
import secrets

from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.keys import Caller
from tests.vulnerable.wire import Request

SESSION = "mcp-session-id"
EVENT_STREAM = ("content-type", "text/event-stream")
HOLES = (
    "session-is-key",
    "session-over-key",
    "session-unbound",
    "session-stream",
    "session-ended-by-anybody",
    "session-counted",
    "session-short",
    "session-repeated",
)


class Sessions:
    """The sessions of one server, which has none unless they are wanted, or a hole is in them."""

    def __init__(self, holes: OpenHoles, *, wanted: bool) -> None:
        self._holes = holes
        self._opens = wanted or any(map(holes.has, HOLES))
        self._owners: dict[str, Caller] = {}
        self._numbers = itertools.count(0x3F2A91)

    def begin(self, caller: Caller) -> tuple[tuple[str, str], ...]:
        """The header that tells of a new session of the caller's; nothing where there are none."""
        if not self._opens:
            return ()
        session = self._draw(caller)
        self._owners[session] = caller
        return ((SESSION, session),)

    def manages(self, request: Request) -> bool:
        """Whether it asks for a session's stream, or for its end."""
        return self._opens and request.method in {"GET", "DELETE"}

    def admits(self, request: Request, caller: Caller) -> bool:
        """Whether the caller may use the session that a request names, if it names one."""
        session = request.header(SESSION)
        if session is None or not self._opens:
            return True
        owner = self._owners.get(session)
        return owner is not None and (owner.tenant == caller.tenant or self._holes.has("session-unbound"))

    def taken_for(self, request: Request) -> Caller | None:
        """Whom a hole takes for the caller, because the request names a session of theirs."""
        shown = request.header("authorization") is not None
        if not self._holes.has("session-over-key" if shown else "session-is-key"):
            return None
        return self._owners.get(request.header(SESSION) or "")

    def end(self, request: Request) -> None:
        """End the session that a request names."""
        self._owners.pop(request.header(SESSION) or "", None)

    def _draw(self, caller: Caller) -> str:
        if self._holes.has("session-repeated"):
            return f"{caller.tenant}{caller.key}"
        if self._holes.has("session-counted"):
            return f"0000000000000000000000000000{next(self._numbers):08x}"
        return secrets.token_hex(4 if self._holes.has("session-short") else 16)
