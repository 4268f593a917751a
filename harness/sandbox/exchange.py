"""A request below /api/v2 and its answer, as the sandbox's parts hand them to each other."""

from dataclasses import dataclass

JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, its method already overridden by X-HTTP-Method-Override, its path below /api/v2."""

    method: str
    path: str
    query: str
    store_id: str
    api_key: str
    request_id: str | None
    body: bytes
    has_content_type: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `status` None drops the connection instead, with a TCP reset when `reset` is set."""

    status: int | None
    body: bytes = b""
    content_type: bytes = JSON
    tokens_remaining: int = 0
    retry_after: int | None = None
    body_seconds: float = 0.0
    reset: bool = False
