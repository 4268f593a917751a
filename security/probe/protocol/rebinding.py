"""A page of another origin, or a name that is not the server's, gets nothing: against DNS rebinding."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from security.probe.deliveries import HASH_HEADER, STORE_HEADER, deliver, order, signature
from security.probe.messages import body, is_answered, require_answered, send
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Site

EVIL = "attacker.example"
ORIGINS = (f"https://{EVIL}", f"http://{EVIL}", f"HTTPS://{EVIL}", "null", "file://")
PAGES = ("/health", "/metrics")
ADMITTED = 400
"""Statuses below it are no refusal."""


@probe("protocol.rebinding", "Foreign hosts and origins are refused", "A01:2025", "MCP:dns-rebinding")
def rebinding(check: OpenCheck, site: Site) -> None:
    """Send good requests under foreign names that a browser can send, and from foreign pages, also to other paths."""
    own, _, port = urlsplit(site.url).netloc.partition(":")
    names = (EVIL, f"{own}.{EVIL}", f"localhost.{EVIL}", f"evil-{own}")
    hosts = [f"{name}:{port}" if port else name for name in names]
    origins = (*ORIGINS, f"https://{own}.{EVIL}", f"https://evil-{own}")
    with site.connect() as client:
        require_answered(site, client)
        for header, values in (("Host", hosts), ("Origin", origins)):
            for value in values:
                check.examined += 1
                if is_answered(send(client, body(client), {header: value})):
                    shown = value.replace(own, "OWN").removesuffix(f":{port}")
                    message = f"a request with {header}: {shown} is answered"
                    check.find(f"foreign-{header.lower()}", message, key=shown, references=REFERENCES)
    # Only ours is known to promise it: elsewhere a public page may answer whoever asks, by any name.
    beside = _beside(site) if site.keys else {}
    for page, request in beside.items():
        if request({}).status >= ADMITTED:
            continue
        for header, value in (("Host", hosts[0]), ("Origin", ORIGINS[0])):
            check.examined += 1
            if request({header: value}).status < ADMITTED:
                message = f"a request to {page} with a foreign {header} is answered"
                check.find(f"foreign-{header.lower()}", message, location=page, key=page, references=REFERENCES)


def _beside(site: Site) -> dict[str, Callable[[Mapping[str, str]], HttpAnswer]]:
    """Good requests to what is beside the endpoint, to be sent with further headers."""
    token = {} if site.admin_token is None else {"Authorization": f"Bearer {site.admin_token}"}

    def get(page: str, headers: Mapping[str, str]) -> HttpAnswer:
        return ask(site, page, {**token, **headers})

    requests: dict[str, Callable[[Mapping[str, str]], HttpAnswer]] = {page: partial(get, page) for page in PAGES}
    if (hook := site.webhook) is not None:
        signed = {STORE_HEADER: hook.store, HASH_HEADER: signature(hook.api_key, order(1))}
        requests[hook.path] = lambda headers: deliver(site, order(1), {**signed, **headers})
    return requests


REFERENCES = ("CWE-346", "CWE-350")
