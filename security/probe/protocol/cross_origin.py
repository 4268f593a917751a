"""No page of another origin may read answers: CORS is closed."""

from urllib.parse import urlsplit

from harness.client import Client
from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from security.probe.messages import body, require_answered, send
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Site

ORIGINS = ("https://attacker.example", "null")
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@probe("protocol.cross-origin", "Pages of other origins may not read answers", "A02:2025", "API8:2023")
def cross_origin(check: OpenCheck, site: Site) -> None:
    """Ask as a browser asks for such a page: before the request, and with it."""
    path = urlsplit(site.url).path or "/"
    with site.connect() as client:
        require_answered(site, client)
        for origin in ORIGINS:
            for what, answer in {
                "a preflight": ask(site, path, {"Origin": origin, **PREFLIGHT}, method="OPTIONS"),
                "a request": _send(client, origin),
                "a page beside the endpoint": ask(site, "/health", {"Origin": origin}),
            }.items():
                check.examined += 1
                allowed = answer.headers.get("access-control-allow-origin", "")
                if allowed in {origin, "*"}:
                    message = f"{what} from {origin} is answered with Access-Control-Allow-Origin: {allowed}"
                    check.find("open-cors", message, key=f"{what} {origin}", references=("CWE-942",))


def _send(client: Client, origin: str) -> HttpAnswer:
    return send(client, body(client), {"Origin": origin})
