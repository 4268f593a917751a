"""A request that says one thing twice means different things to different readers, and is refused."""

import json

from harness.collector import OpenCheck
from security.probe.messages import LIST, body, is_answered, require_answered, send
from security.probe.probe import probe
from security.probe.site import Site


@probe("protocol.duplicate-keys", "JSON with a member twice is refused", "A06:2025", "MCP:input-validation")
def duplicate_keys(check: OpenCheck, site: Site) -> None:
    """Repeat a member of the request, of its params and of something deeper, first and last."""
    with site.connect() as client:
        require_answered(site, client)
        good = json.dumps(body(client, params={"x": {"y": 1}}))
        cases = {
            "method, the other one first": good.replace('"method": ', '"method": "no/such", "method": ', 1),
            "method, the other one last": good[:-1] + f', "method": "{LIST}"}}',
            "jsonrpc": good[:-1] + ', "jsonrpc": "2.0"}',
            "a member of params": good.replace('"x": ', '"x": 1, "x": ', 1),
            "a deeper member": good.replace('"y": 1', '"y": 1, "y": 2', 1),
            "a member written in two ways": good.replace('"y": 1', '"y": 1, "\\u0079": 2', 1),
        }
        for what, content in cases.items():
            check.examined += 1
            if is_answered(send(client, content.encode())):
                check.find(
                    "duplicate-key", f"a request with {what} twice is answered", key=what, references=("CWE-436",)
                )
