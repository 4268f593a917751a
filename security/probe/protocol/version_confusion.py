"""A revision that the server does not speak is refused, and eras are not mixed."""

from harness.client.wire import MODERN_VERSIONS, envelope, modern_meta
from harness.collector import OpenCheck
from security.probe.messages import LIST, body, is_answered, require_answered, send
from security.probe.probe import probe
from security.probe.site import Site

VERSIONS = ("1999-01-01", "2099-12-31", "latest", "2025-11-25,2026-07-28", "../2025-11-25", "0", "x" * 3000)


@probe("protocol.version-confusion", "Unknown and mixed revisions are refused", "A06:2025", "MCP:input-validation")
def version_confusion(check: OpenCheck, site: Site) -> None:
    """Send good requests under revisions that are none, and one era's request under the other's name.

    A revision that is none stands in the header alone, and in header and body alike: a server that compares the two may
    yet believe both.
    """
    with site.connect() as client:
        require_answered(site, client)
        for version in VERSIONS:
            check.examined += 1
            messages = (body(client), envelope(LIST, {"_meta": modern_meta(version)}, None, 1))
            if any(is_answered(send(client, each, {"MCP-Protocol-Version": version})) for each in messages):
                shown = version[:40]
                message = f"a request is answered under the revision {shown!r}, which does not exist"
                check.find("unknown-version", message, key=shown, references=("CWE-436",))
        if client.version in MODERN_VERSIONS:
            check.examined += 1
            bare = {"jsonrpc": "2.0", "id": 1, "method": LIST}
            if is_answered(send(client, bare)):
                message = f"a request without the envelope of {client.version} is answered under its name"
                check.find("mixed-eras", message, references=("CWE-436",))
