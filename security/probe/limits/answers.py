"""What an answer says of a call: served, refused by the limit, or neither; of any server, in both eras."""

import re
from collections.abc import Mapping
from typing import Any

from harness.client.errors import ProtocolError
from harness.client.transport import EVENT_STREAM, events, parse_json
from security.probe.limits.bucket import Fate

TOO_MANY_REQUESTS = 429
INTERNAL_SERVER_ERROR = 500
KEYLESS = {401, 403}
LIMIT_WORDS = re.compile(r"rate.?limit|too many (requests|calls)", re.IGNORECASE)
"""How a limiter speaks where it does not answer 429: inside a JSON-RPC error, or a tool's."""


def fates(status: int, content_type: str, body: bytes) -> list[Fate]:
    """The fate of each call that an HTTP response answers: one, or as many as are answered in its array.

    What is no answer to a call at all is one OTHER.
    """
    if status == TOO_MANY_REQUESTS:
        return [Fate.REFUSED]
    return [_fate(answer) for answer in _answers(content_type, body)] or [Fate.OTHER]


def fate_of_invalid(status: int, content_type: str, body: bytes) -> Fate:
    """The fate of a call that is to be refused for what it is: SERVED where it got an answer of its own, error or not.

    OTHER is what a proxy, a failure or a key that does not count may have answered.
    """
    fates_of_it = fates(status, content_type, body)
    if Fate.OTHER not in fates_of_it:
        return fates_of_it[0]
    own = status < INTERNAL_SERVER_ERROR and status not in KEYLESS
    erred = any("error" in answer or "result" in answer for answer in _answers(content_type, body))
    return Fate.SERVED if own and erred else Fate.OTHER


def _answers(content_type: str, body: bytes) -> list[dict[str, Any]]:
    try:
        messages = [parse_json(data) for data in _documents(content_type, body)]
    except ProtocolError:
        return []
    messages = [each for message in messages for each in (message if isinstance(message, list) else [message])]
    return [each for each in messages if isinstance(each, dict) and "method" not in each]


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
