"""The SDK's own sender, with bounds that suit a server: nothing waits for Sentry, what it does not take is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sentry_sdk.consts import EndpointType
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import HttpTransport
from urllib3 import BaseHTTPResponse

SENT: Final = frozenset({"event", "transaction"})
"""The types of an envelope's items that leave; the SDK knows a dozen, from sessions to profiles."""
REASONS: Final = {
    "full_queue": "queue",
    "network": "network",
    "status_429": "rate_limit",
    "self_rate_limits": "rate_limit",
}
"""Why something was not delivered: the SDK's words and ours. Any other status is a refusal."""

Watch = Callable[[bytes, int | None], None]


class BoundedTransport(HttpTransport):
    """Sends from a thread and a queue of its own, each envelope once and to no other address than the DSN's.

    `dropped` is called with the reason for each event that is lost, `watch` with each body that left and the status
    that it was answered with, None where there was no answer.
    """

    TIMEOUT = 5  # seconds, for all of a request

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.dropped: Callable[[str], None] = lambda _reason: None
        self.watch: Watch = lambda _body, _status: None

    def capture_envelope(self, envelope: Envelope) -> None:
        """Queue an envelope, unless it holds anything but what we report."""
        if all(item.type in SENT for item in envelope.items):
            super().capture_envelope(envelope)

    def on_dropped_event(self, reason: str) -> None:
        """Count an event that the SDK gives up."""
        self.dropped(REASONS.get(reason, "refused"))

    def _request(
        self, method: str, endpoint_type: EndpointType, body: bytes, headers: Mapping[str, str]
    ) -> BaseHTTPResponse:
        # The SDK's own would follow redirects with what it carries, and try thrice while the queue fills.
        status = None
        try:
            address = self._auth.get_api_url(endpoint_type)
            response = self._pool.request(method, address, body=body, headers=headers, retries=False)
            status = response.status
        finally:
            self.watch(body, status)
        return response
