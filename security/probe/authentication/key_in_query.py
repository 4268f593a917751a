"""A key in the address opens nothing: addresses stand in logs, in histories and in Referer headers."""

from urllib.parse import quote

from harness.collector import OpenCheck
from security.probe.authentication.door import Told, guarded_door, still_open
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Need, Site

ADMIN_PAGES = ("/metrics", "/health/detailed")
NAMES = ("token", "key", "api_key", "apikey", "access_token", "authorization", "auth", "bearer", "master_key")


@probe(
    "authentication.key-in-query",
    "A key in the address lets nobody in",
    "A07:2025",
    "API2:2023",
    "MCP:transport-authentication",
    needs=(Need.KEY,),
    at_least=len(NAMES),
)
def key_in_query(check: OpenCheck, site: Site) -> None:
    """Send the owner's key as a parameter under the usual names, without a header; and the operator's token likewise.

    The key then stands in the logs of what is in front of a remote server: it is the canary tenant's, and no other's.
    """
    key, door = str(site.owner.key), guarded_door(site)
    for name in NAMES:
        check.examined += 1
        for value in dict.fromkeys((key, f"Bearer {key}")):
            if door.ask(None, f"?{name}={quote(value)}") is Told.IN:
                message = f"the owner's key as ?{name}= in the address is taken: it will stand in logs and histories"
                check.find("key-in-query", message, key=name, references=("CWE-598",))
                break
    still_open(door)
    _ask_pages(check, site)
    if site.target.url.startswith("https"):
        check.evidence.append("the canary's key was sent in addresses: it may stand in the proxy's log")


def _ask_pages(check: OpenCheck, site: Site) -> None:
    """Show the operator's token in the address of each page that it opens."""
    if site.admin_token is None:
        check.evidence.append("the operator's token was not given, and not shown")
        return
    for page in ADMIN_PAGES:
        opened = ask(site, page, {"Authorization": f"Bearer {site.admin_token}"})
        if opened.status != OPEN or ask(site, page).status == OPEN:  # configuration.public-pages judges the latter
            continue
        for name in NAMES:
            check.examined += 1
            for value in (site.admin_token, f"Bearer {site.admin_token}"):
                if ask(site, f"{page}?{name}={quote(value)}").status == OPEN:
                    message = f"the operator's token as ?{name}= in the address opens {page}: it will stand in logs"
                    check.find("token-in-query", message, location=page, key=f"{page} {name}", references=("CWE-598",))
                    break


OPEN = 200
