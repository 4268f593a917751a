"""What an answer says of a call: served, refused by the limit, or neither; of any server, in both eras."""

import re
from collections.abc import Mapping
from typing import Any

from harness.client.errors import ProtocolError
from harness.client.transport import EVENT_STREAM, events, parse_json
from security.probe.limits.bucket import Fate

TOO_MANY_REQUESTS = 429
LIMIT_WORDS = re.compile(r"rate.?limit|too many (requests|calls)", re.IGNORECASE)
"""How a limiter speaks where it does not answer 429: inside a JSON-RPC error, or a tool's."""


def fates(status: int, content_type: str, body: bytes) -> list[Fate]:
    """The fate of each call that an HTTP response answers: one, or as many as are answered in its array.

    What is no answer to a call at all is one OTHER.
    """
    if status == TOO_MANY_REQUESTS:
        return [Fate.REFUSED]
    try:
        messages = [parse_json(data) for data in _documents(content_type, body)]
    except ProtocolError:
        return [Fate.OTHER]
    messages = [each for message in messages for each in (message if isinstance(message, list) else [message])]
    answers = [each for each in messages if isinstance(each, dict) and "method" not in each]
    return [_fate(answer) for answer in answers] or [Fate.OTHER]


def _documents(content_type: str, body: bytes) -> list[bytes]:
    return list(events(iter([body, b"\n\n"]))) if content_type.startswith(EVENT_STREAM) else [body]


def _fate(answer: Mapping[str, Any]) -> Fate:
    if isinstance(error := answer.get("error"), dict):
        return Fate.REFUSED if LIMIT_WORDS.search(str(error.get("message"))) else Fate.OTHER
    result = answer.get("result")
    if not isinstance(result, dict):
        return Fate.OTHER
    if result.get("isError") is not True:
        return Fate.SERVED
    return Fate.REFUSED if LIMIT_WORDS.search(str(result.get("content"))) else Fate.OTHER
