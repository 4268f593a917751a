"""Headers that say something else than the body are refused: who routes by one must not be fooled by the other."""

from typing import Any

from harness.client import LATEST_MODERN
from harness.collector import OpenCheck
from security.probe.calls import is_reading
from security.probe.messages import LIST, body, connect_in, is_answered, require_answered, send
from security.probe.patience import when_let_in
from security.probe.probe import probe
from security.probe.site import Site

CALL = "tools/call"


@probe("protocol.header-mismatch", "Headers that contradict the body are refused", "A06:2025", "MCP:input-validation")
def header_mismatch(check: OpenCheck, site: Site) -> None:
    """Send requests whose method, name or revision differs between head and body."""
    client = connect_in(site, LATEST_MODERN)
    if client is None:
        check.not_applicable(f"the server does not speak {LATEST_MODERN}, whose headers repeat the body")
        return
    with client:
        require_answered(site, client)
        # Where the headers are not compared, the call is made: so of no tool that may write.
        tool = next((each["name"] for each in when_let_in(client.list_tools) if is_reading(each)), "none")
        call: dict[str, Any] = {"name": tool, "arguments": {}}
        cases: dict[str, tuple[dict[str, Any], dict[str, str | None]]] = {
            "Mcp-Method names another method": (body(client), {"Mcp-Method": "ping"}),
            "Mcp-Method is absent": (body(client), {"Mcp-Method": None}),
            "Mcp-Method hides a call behind a listing": (body(client, CALL, call), {"Mcp-Method": LIST}),
            "Mcp-Name names another tool": (
                body(client, CALL, call),
                {"Mcp-Method": CALL, "Mcp-Name": f"{tool}_other"},
            ),
            "Mcp-Name is absent": (body(client, CALL, call), {"Mcp-Method": CALL, "Mcp-Name": None}),
        }
        for what, (message, headers) in cases.items():
            check.examined += 1
            if is_answered(send(client, message, headers)):
                check.find(
                    "header-mismatch", f"a request is answered although {what}", key=what, references=("CWE-436",)
                )
