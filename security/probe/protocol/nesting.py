"""JSON that nests deeper than anybody needs is refused, and the server lives on."""

import json

from harness.client.errors import NoAnswerError
from harness.collector import OpenCheck
from security.probe.messages import body, is_answered, require_answered, send
from security.probe.probe import Effect, probe
from security.probe.site import Site

DEPTH = 20_000
SHAPES = {
    "arrays": b"[" * DEPTH + b"]" * DEPTH,
    "objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "arrays without an end": b"[" * DEPTH,
    "objects without an end": b'{"a":' * DEPTH,
}


# It stresses: a parser that recurses without a limit takes its process with it.
@probe("protocol.nesting", "Deeply nested JSON is refused", "API4:2023", "A10:2025", effect=Effect.STRESSES)
def nesting(check: OpenCheck, site: Site) -> None:
    """Nest arrays and objects in a request's params, closed and left open."""
    with site.connect() as client:
        require_answered(site, client)
        good = json.dumps(body(client, params={"x": "PLACE"})).encode()
        for what, nested in SHAPES.items():
            check.examined += 1
            name = f"{DEPTH} nested {what}"
            try:
                answer = send(client, good.replace(b'"PLACE"', nested))
            except NoAnswerError as error:
                check.find("no-answer", f"{name} get no answer: {error}", key=what, references=("CWE-674",))
                continue
            if answer.status >= 500 or is_answered(answer):
                message = f"{name} are answered with HTTP {answer.status}"
                check.find("deep-nesting", message, key=what, references=("CWE-674",))
        require_answered(site, client)
