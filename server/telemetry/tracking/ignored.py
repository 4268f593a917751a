"""What is not reported although it was logged as an error or raised, each with its reason (docs/ERROR-TRACKING.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Ignored:
    """`name` is an exception's full name, its subclasses included, or a library's logger, those below it included."""

    kind: Literal["exception", "logger"]
    name: str
    reason: str


IGNORED: Final = (
    Ignored(
        "exception",
        "server.errors.ToolError",
        "An answer that a client is to expect: wrong arguments, a rate limit, a conflict, an OrderDesk that is down."
        " `errors_total` and `rate_limit_hits_total` count them.",
    ),
    Ignored(
        "exception",
        "server.edge.layer.RefusedError",
        "A request refused at the edge: too large, too slow, another host's. `errors_total` counts them.",
    ),
    Ignored(
        "exception",
        "server.protocol.messages.ProtocolError",
        "A message that is no MCP: the client's fault, and told to it. `errors_total` counts them.",
    ),
    Ignored("exception", "asyncio.exceptions.CancelledError", "The client went away, or the server stops."),
    Ignored("exception", "builtins.BrokenPipeError", "The client went away while it was answered."),
    Ignored("exception", "builtins.ConnectionResetError", "The client went away while it was answered."),
    Ignored("logger", "sentry_sdk", "An error in reporting an error would be reported, and so on for ever."),
    Ignored("logger", "urllib3", "The client that reports are sent with: as above."),
)
_EXCEPTIONS: Final = frozenset(each.name for each in IGNORED if each.kind == "exception")
_LOGGERS: Final = tuple(each.name for each in IGNORED if each.kind == "logger")


def is_ignored(error: BaseException | None, logger: str | None) -> bool:
    """Whether an error, or what a library of this name logged, is not to be reported."""
    if error is not None and any(full_name(kind) in _EXCEPTIONS for kind in type(error).__mro__):
        return True
    return logger is not None and any(logger == name or logger.startswith(name + ".") for name in _LOGGERS)


def full_name(kind: type) -> str:
    """A class's name with its module's."""
    return f"{kind.__module__}.{kind.__qualname__}"
