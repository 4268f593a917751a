"""A page of another origin, or a name that is not the server's, gets nothing: against DNS rebinding."""

from urllib.parse import urlsplit

from harness.collector import OpenCheck
from security.probe.messages import body, is_answered, require_answered, send
from security.probe.probe import probe
from security.probe.site import Site

EVIL = "attacker.example"
ORIGINS = (f"https://{EVIL}", f"http://{EVIL}", "null", "file://")


@probe("protocol.rebinding", "Foreign hosts and origins are refused", "A01:2025", "MCP:dns-rebinding")
def rebinding(check: OpenCheck, site: Site) -> None:
    """Send a good request under foreign names that a browser can send, and from foreign pages."""
    own, _, port = urlsplit(site.url).netloc.partition(":")
    names = (EVIL, f"{own}.{EVIL}", f"localhost.{EVIL}")
    hosts = [f"{name}:{port}" if port else name for name in names]
    origins = (*ORIGINS, f"https://{own}.{EVIL}")
    with site.connect() as client:
        require_answered(site, client)
        for header, values in (("Host", hosts), ("Origin", origins)):
            for value in values:
                check.examined += 1
                if is_answered(send(client, body(client), {header: value})):
                    shown = value.replace(own, "OWN").removesuffix(f":{port}")
                    message = f"a request with {header}: {shown} is answered"
                    check.find(f"foreign-{header.lower()}", message, key=shown, references=("CWE-346", "CWE-350"))
