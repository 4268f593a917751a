"""Every response says how browsers and caches must treat it."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.collector import OpenCheck
from harness.verdict import Severity
from security.probe.messages import body, require_answered, send
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Site


@dataclass(frozen=True)
class Demand:
    """A header that must be there, with a word that it must hold; `why` says what happens without it."""

    header: str
    word: str
    why: str
    only_https: bool = False


# Source: OWASP REST Security Cheat Sheet, "Security Headers"; those for pages with markup do not apply to JSON.
DEMANDS = (
    Demand("x-content-type-options", "nosniff", "a browser may take the answer for a page"),
    Demand("cache-control", "no-store", "a cache may keep one tenant's answer and give it to others"),
    Demand("strict-transport-security", "max-age=", "a browser may come back without TLS", only_https=True),
)


@probe(
    "configuration.headers", "Responses carry their security headers", "A02:2025", "API8:2023", severity=Severity.MEDIUM
)
def headers(check: OpenCheck, site: Site) -> None:
    """Look at an answer of the endpoint, a refusal of it, and a page that does not exist."""
    with site.connect() as client:
        require_answered(site, client)
        answers = {
            "an answer of the endpoint": send(client, body(client)).headers,
            "a refusal of the endpoint": send(client, b"{").headers,
            "a page that does not exist": ask(site, "/no-such-page").headers,
        }
    demands = [each for each in DEMANDS if site.url.startswith("https:") or not each.only_https]
    for where, given in answers.items():
        for demand in demands:
            check.examined += 1
            if demand.word not in _value(given, demand.header):
                message = f"{where} lacks {demand.header}: {demand.word}; {demand.why}"
                check.find("missing-header", message, key=f"{demand.header} {where}", references=("CWE-693",))


def _value(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").lower()
