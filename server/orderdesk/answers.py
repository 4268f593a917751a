"""What an answer of OrderDesk means: a success, an error wherever it hides, or a reason to try again."""

from __future__ import annotations

import re
from typing import Any, Final

import httpx
import orjson

from server.errors import AuthenticationError, NotFoundError, OrderDeskError, WriteUncertainError
from server.orderdesk.messages import impersonal

RATE_LIMITED: Final = "rate_limited"
LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0
# "Store Not Found" says nothing of the order that was asked for.
OBJECT_GONE: Final = re.compile(r"\b(order|item|shipment|product)s?\b[^.]*\bnot found\b", re.IGNORECASE)
ANOTHER_GONE: Final = re.compile(r"\W*(the |this |your )?(store|account|page|route|endpoint)\b", re.IGNORECASE)


class TryAgainError(Exception):
    """A try that failed in a way that another may not, after `wait` seconds where OrderDesk said so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def read_answer(response: httpx.Response, *, reading: bool) -> dict[str, Any]:
    """The body of a success.

    Raises TryAgainError, WriteUncertainError where a write may have been applied, or what OrderDesk said is wrong.
    """
    if response.status_code == 429:
        raise TryAgainError(RATE_LIMITED, _seconds(response.headers.get("X-Retry-After")) or 1.0)
    if response.status_code >= 500:
        if reading:
            raise TryAgainError(f"http_{response.status_code}", _seconds(response.headers.get("X-Retry-After")))
        raise uncertain()
    body = _json(response.content)
    if response.status_code in {401, 403}:
        raise AuthenticationError("OrderDesk refused the store's API key.", http_status=response.status_code)
    # A 404 that is no error of OrderDesk's own is a gateway's page: it tells neither that an object is gone nor that
    # nothing was done.
    if _failed(body) or not (response.is_success or response.status_code == 404):
        raise _refusal(response.status_code, body)
    # Whatever does not say that it succeeded did not: a maintenance page in JSON confirms no write.
    if response.is_success and isinstance(body, dict) and body.get("status") == "success":
        return body
    if reading:
        raise TryAgainError("unreadable")
    raise uncertain()


def uncertain() -> WriteUncertainError:
    """The error of a write that was sent and not clearly answered."""
    return WriteUncertainError("The write was sent to OrderDesk and its outcome is not known.")


def _failed(body: object) -> bool:
    """OrderDesk reports errors inside HTTP 200 too."""
    return isinstance(body, dict) and body.get("status") == "error"


def _refusal(status: int, body: object) -> OrderDeskError | NotFoundError:
    """What an error is: NotFoundError where OrderDesk says so of an object, which inside HTTP 200 it has to name."""
    message = impersonal(body.get("message")) if isinstance(body, dict) else ""
    named = status == 404 or OBJECT_GONE.search(message)
    if _failed(body) and named and not ANOTHER_GONE.match(message):
        return NotFoundError(message or "OrderDesk does not know it.")
    return OrderDeskError(message or "OrderDesk refused the request.", http_status=status)


def _json(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _seconds(header: str | None) -> float | None:
    """A wait in seconds; None where the header is absent, no number or not in the future."""
    try:
        seconds = float(header) if header else 0.0
    except ValueError:
        return None
    return min(seconds, LONGEST_RETRY_AFTER_SECONDS) if seconds > 0 else None
