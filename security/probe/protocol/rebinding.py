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
    """Send a good request under foreign names, and from foreign pages."""
    own = urlsplit(site.url).netloc
    hosts = (EVIL, f"{EVIL}:80", f"{own}.{EVIL}", f"{own}@{EVIL}", f"{EVIL}#{own}")
    origins = (*ORIGINS, f"https://{own.partition(':')[0]}.{EVIL}")
    with site.connect() as client:
        require_answered(site, client)
        for header, values in (("Host", hosts), ("Origin", origins)):
            for value in values:
                check.examined += 1
                if is_answered(send(client, body(client), {header: value})):
                    shown = value.replace(own, "OWN")
                    message = f"a request with {header}: {shown} is answered"
                    check.find(f"foreign-{header.lower()}", message, key=shown, references=("CWE-346", "CWE-350"))
