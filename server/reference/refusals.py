"""What is refused before a tool is reached: by HTTP, and by JSON-RPC. A test holds the codes to the server's source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
)

from server.protocol.authentication import UNAUTHORIZED
from server.protocol.dispatch import RATE_LIMITED
from server.protocol.surface import LEGACY_RESOURCE_NOT_FOUND


@dataclass(frozen=True)
class Refusal:
    """One kind of refusal: `status` is HTTP's, `code` the error's."""

    status: str
    code: str | int
    when: str
    action: str


JSON_RPC: Final = (
    Refusal("400", PARSE_ERROR, "The body is not JSON.", "Mend the request."),
    Refusal("400", INVALID_REQUEST, "The body is no JSON-RPC message, or an array that is not allowed.", "Mend it."),
    Refusal("405", INVALID_REQUEST, "Another method than POST: there are no sessions and no streams to GET.", "POST."),
    Refusal("415", INVALID_REQUEST, "The Content-Type is not application/json.", "Send application/json."),
    Refusal(
        "401",
        UNAUTHORIZED,
        "No tenant key, or one that is unknown, wrong, revoked or expired.",
        "Send `Authorization: Bearer KEY`; ask the operator for a key. Do not repeat with the same one.",
    ),
    Refusal("403", UNAUTHORIZED, "The key is right, and its tenant suspended.", "Ask the operator."),
    Refusal(
        "429",
        RATE_LIMITED,
        "The tenant's rate limit is used up by other methods than tools/call, which says so in its result.",
        "Wait for `Retry-After` seconds, then repeat.",
    ),
    Refusal(
        "429",
        RATE_LIMITED,
        "The key is wrong, and so were too many before it under its id or from its address: `data.limit` is"
        " `wrong_keys`.",
        "As for 401. A right key is let in at once.",
    ),
    Refusal("404 or 200", METHOD_NOT_FOUND, "The method does not exist in this revision.", "Do not repeat."),
    Refusal(
        "400 or 200",
        INVALID_PARAMS,
        "`params` are wrong: an unknown tool, a missing `_meta`, a cursor.",
        "Mend the request; the message says what, and which tool is nearest.",
    ),
    Refusal("400", HEADER_MISMATCH, "A header does not repeat what the body says.", "Send both alike."),
    Refusal(
        "400",
        UNSUPPORTED_PROTOCOL_VERSION,
        "The revision is not served.",
        "Choose from `data.supported`, or use initialize.",
    ),
    Refusal("stdio only", INTERNAL_ERROR, "A fault of the server's; HTTP has status 500.", "Tell the operator."),
    Refusal(
        "200",
        LEGACY_RESOURCE_NOT_FOUND,
        "resources/read in the older revisions: there are no resources.",
        "Do not repeat.",
    ),
)

HTTP: Final = (
    Refusal("400", "INVALID_HTTP", "What arrived is no HTTP request.", "Send HTTP/1.1, over TLS to the proxy alone."),
    Refusal("400", "BAD_REQUEST", "A header that must be given once is given twice, or a form is malformed.", "Mend."),
    Refusal("400", "TOO_DEEP", "The JSON nests deeper than MAX_JSON_DEPTH.", "Send less nested JSON."),
    Refusal("400", "DISCONNECTED", "The client went away before its request was whole.", "Nothing was done: repeat."),
    Refusal("401", "AUTH_ERROR", "/metrics, /health/detailed: no admin token. The webhook: a wrong hash.", "Send it."),
    Refusal("403", "ORIGIN_NOT_ALLOWED", "A browser's page of a foreign origin.", "Operator: ALLOWED_ORIGINS."),
    Refusal("404", "NOT_FOUND", "No such path.", "Use /mcp."),
    Refusal("405", "METHOD_NOT_ALLOWED", "The path does not take this method.", "See the Allow header."),
    Refusal("408", "BODY_TOO_SLOW", "The body did not arrive in time.", "Nothing was done: repeat."),
    Refusal("413", "BODY_TOO_LARGE", "The body is larger than MAX_BODY_BYTES.", "Send less."),
    Refusal("421", "HOST_NOT_ALLOWED", "The Host header names another server.", "Operator: ALLOWED_HOSTS."),
    Refusal("429", "RATE_LIMIT_EXCEEDED", "The webhook: too many unverified deliveries.", "Repeat later."),
    Refusal(
        "431",
        "HEAD_TOO_LARGE",
        "The request's line and headers, those that trail a body in chunks among them, are larger than 65536 bytes.",
        "Send fewer or shorter headers.",
    ),
    Refusal("500", "INTERNAL_ERROR", "A fault of the server's.", "Give the operator the request id."),
)
