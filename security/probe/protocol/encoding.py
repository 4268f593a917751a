"""Text that is not UTF-8 is refused: it reads differently wherever it is logged, stored or compared."""

import json

from harness.collector import OpenCheck
from security.probe.messages import body, is_answered, require_answered, send
from security.probe.probe import probe
from security.probe.site import Site

# Source: the table of ill-formed sequences of the Unicode Standard, 3.9.
SEQUENCES = {
    "a byte that begins nothing": b"\xff",
    "a continuation without a beginning": b"\x80",
    "a cut sequence": b"\xe2\x82",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "a code point beyond the last": b"\xf4\x90\x80\x80",
    "Latin-1": b"\xe9",
}


@probe("protocol.encoding", "Requests that are not UTF-8 are refused", "A05:2025", "MCP:input-validation")
def encoding(check: OpenCheck, site: Site) -> None:
    """Put ill-formed bytes into a string of a request; send the request in UTF-16 and UTF-32."""
    with site.connect() as client:
        require_answered(site, client)
        good = json.dumps(body(client, params={"x": "PLACE"}))
        cases = {what: good.encode().replace(b"PLACE", octets) for what, octets in SEQUENCES.items()}
        cases |= {name: good.encode(name) for name in ("utf-16", "utf-32-le")}
        for what, content in cases.items():
            answer = send(client, content)
            check.examined += 1
            if is_answered(answer):
                check.find("ill-formed-text", f"a request with {what} is answered", key=what, references=("CWE-838",))
            elif answer.status >= 500:
                message = f"a request with {what} is answered with HTTP {answer.status}"
                check.find("server-error", message, key=what, references=("CWE-755",))
