"""Numbers larger than any machine's, and such as JSON does not have, do not break the server."""

import json
from collections.abc import Callable
from typing import Any

from harness.client import Client
from harness.client.errors import NoAnswerError
from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from security.probe.calls import is_reading
from security.probe.messages import LIST, body, require_answered, send
from security.probe.patience import when_let_in
from security.probe.probe import probe
from security.probe.site import Site

CALL = "tools/call"
SLOW_SECONDS = 5.0
INTERNAL_ERROR = b"-32603"
"""JSON-RPC's code for a fault of the server."""
NUMBERS = {
    "a float beyond the largest": b"1e400",
    "a float below the smallest": b"1e-400",
    "an integer of 400 digits": b"9" * 400,
    "an integer of 100,000 digits": b"9" * 100_000,
    "an integer beyond 64 bits": b"18446744073709551616",
    "the least integer": b"-9223372036854775809",
    "minus zero": b"-0",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "a fraction of 10,000 digits": b"0." + b"1" * 10_000,
}


@probe("protocol.numbers", "Numbers of any size leave the server as it was", "A10:2025", "API4:2023")
def numbers(check: OpenCheck, site: Site) -> None:
    """Send each as a request's id, as a parameter, and as each argument of a tool that takes a number."""
    with site.connect() as client:
        require_answered(site, client)
        request = json.dumps({**body(client, params={"x": "PLACE"}), "id": "ID"}).encode()
        call = _call(client)
        for what, number in NUMBERS.items():
            for where, content, params in (
                ("the id", request.replace(b'"ID"', number), {}),
                ("a parameter", request.replace(b'"ID"', b"1").replace(b'"PLACE"', number), {}),
                ("an argument", json.dumps(body(client, CALL, call)).encode().replace(b'"PLACE"', number), call),
            ):
                method = CALL if params else LIST
                check.examined += 1
                _look(check, f"{what} as {where}", lambda: send(client, content, method=method, params=params))  # noqa: B023 -- called at once
        require_answered(site, client)


def _call(client: Client) -> dict[str, Any]:
    """A call of a tool that reads, each of its arguments to become the number; of none where all may write."""
    nothing: dict[str, Any] = {"name": "none", "inputSchema": {}}
    tool = next(filter(is_reading, when_let_in(client.list_tools)), nothing)
    names = tool["inputSchema"].get("properties") or {"x": {}}
    return {"name": tool["name"], "arguments": dict.fromkeys(names, "PLACE")}


def _look(check: OpenCheck, name: str, sent: Callable[[], HttpAnswer]) -> None:
    try:
        answer = sent()
    except NoAnswerError as error:
        check.find("no-answer", f"{name} gets no answer: {error}", key=name, references=("CWE-755",))
        return
    if answer.status >= 500 or INTERNAL_ERROR in answer.body or answer.seconds > SLOW_SECONDS:
        message = f"{name} is answered with HTTP {answer.status} after {answer.seconds:.1f} s"
        check.find("server-error", message, key=name, references=("CWE-755",))
