"""What a tool may answer instead of a result: one exception per code of the client contract."""

from __future__ import annotations

from typing import Any, ClassVar


class ToolError(Exception):
    """An error that belongs inside a tool's result. `details` is JSON; nothing personal, no secret, goes into it."""

    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ArgumentsError(ToolError):
    """The arguments do not fit: details say missing_fields, invalid_fields, example_request."""

    code = "VALIDATION_ERROR"


class AuthenticationError(ToolError):
    """A key that is not the caller's, or that OrderDesk refuses."""

    code = "AUTH_ERROR"


class SuspendedError(ToolError):
    """The key is right, but the operator has suspended its tenant."""

    code = "AUTH_ERROR"

    def __init__(self) -> None:
        super().__init__("This tenant is suspended by the operator.")


class NotFoundError(ToolError):
    """The order or product does not exist in this store."""

    code = "NOT_FOUND"


class StoreNotFoundError(ToolError):
    """No store of the tenant answers to the identifier, or none was named and none is active."""

    code = "STORE_NOT_FOUND"


class ConflictError(ToolError):
    """Someone else changed it, or it exists already: details may say retries_attempted."""

    code = "CONFLICT_ERROR"


class RateLimitError(ToolError):
    """A limit was reached: details say retry_after_seconds and which limit."""

    code = "RATE_LIMIT_EXCEEDED"


class OrderDeskError(ToolError):
    """OrderDesk refused the request and said why."""

    code = "ORDERDESK_API_ERROR"


class UpstreamUnavailableError(ToolError):
    """OrderDesk could not be reached or did not answer in time; nothing was changed."""

    code = "UPSTREAM_UNAVAILABLE"


class WriteUncertainError(ToolError):
    """A write was sent and its outcome is unknown: look before trying again."""

    code = "WRITE_UNCERTAIN"


class ReadOnlyError(ToolError):
    """The operator made the server, the tenant or the store read-only: details say which scope."""

    code = "READ_ONLY"


class StorageUnavailableError(ToolError):
    """The server cannot record a write (its disk is full, its database locked); nothing was changed."""

    code = "STORAGE_UNAVAILABLE"


class InternalError(ToolError):
    """A fault of ours; the request id finds it in the log."""

    code = "INTERNAL_ERROR"
