"""Pages beside the endpoint tell the public nothing of any tenant, and nobody a secret."""

import json
import re

import httpx

from harness.collector import OpenCheck
from harness.connections import certificates
from harness.errors import Inconclusive
from security.probe.isolation.neighbours import Neighbours, neighbours, secrets_of
from security.probe.isolation.private import EMAIL
from security.probe.probe import probe
from security.probe.site import SECONDS, Need, Site

PAGES = (
    "/health", "/healthz", "/health/live", "/health/ready", "/health/detailed", "/live", "/livez", "/ready", "/readyz",
    "/metrics", "/status", "/info", "/version", "/stats", "/debug", "/",
)  # fmt: skip
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
LEAST_LENGTH = 5
REFERENCES = ("CWE-200", "CWE-497")


@probe(
    "isolation.public-output",
    "Health and metrics tell the public nothing of any tenant, and nobody a secret",
    "A01:2025",
    "A02:2025",
    "API3:2023",
    needs=(Need.KEY, Need.STRANGER),
)
def public_output(check: OpenCheck, site: Site) -> None:
    """After calls of both tenants read the pages as anybody, as a tenant, and as the operator where that can be."""
    with neighbours(site) as both:
        of_tenants, hidden = _of_tenants(both), _secrets(site, both)
        viewers = {"anybody": None, "who shows a wrong token": "wrong", "a tenant": site.owner.key}
        answered: list[str] = []
        for viewer, token in viewers.items():
            for page, text in _read_pages(site, token):
                answered.append(page)
                check.examined += 1
                for kind, texts in (("a tenant's name, id or store", of_tenants), ("a secret", hidden)):
                    _judge(check, f"{page} tells {viewer} {kind}", page, text, texts)
                if EMAIL.search(text):
                    _find(check, f"{page} tells {viewer} an e-mail address", page)
        check.evidence.append(f"pages that answer the public: {', '.join(dict.fromkeys(answered)) or 'none'}")
        if site.admin_token is not None:
            _judge_operators(check, site, hidden)
        if not check.examined:
            check.not_applicable("there is no page of health or metrics")


def _judge_operators(check: OpenCheck, site: Site, hidden: frozenset[str]) -> None:
    """The operator may see tenants' ids, in labels, and nobody's secrets or addresses."""
    read = 0
    for page, text in _read_pages(site, site.admin_token):
        read += 1
        check.examined += 1
        _judge(check, f"{page} tells the operator a secret", page, text, hidden)
        if EMAIL.search(text):
            _find(check, f"{page} tells the operator an e-mail address", page)
    check.evidence.append(f"{read} pages answer the operator")
    if not read:
        raise Inconclusive("no page answers the operator's token: is it this server's?")


def _judge(check: OpenCheck, message: str, page: str, text: str, texts: frozenset[str]) -> None:
    if any(_stands_in(each, text) for each in texts):
        _find(check, message, page)


def _find(check: OpenCheck, message: str, page: str) -> None:
    check.find("telling-page", message, location=page, key=message, references=REFERENCES)


def _of_tenants(both: Neighbours) -> frozenset[str]:
    """How the tenants and their stores are called, where that is long enough not to stand there by chance."""
    texts = set(both.aliases)
    for party in (both.owner, both.stranger):
        facts = party.samples.facts
        texts |= {
            text for text in (party.tenant.id, party.tenant.store, facts.get("tenant"), facts.get("tenant_id")) if text
        }
    return frozenset(text for text in texts if len(text) >= LEAST_LENGTH)


def _secrets(site: Site, both: Neighbours) -> frozenset[str]:
    texts = [*secrets_of(both.owner.tenant), *secrets_of(both.stranger.tenant), site.admin_token or ""]
    texts.append(site.upstream.api_key if site.upstream else "")
    return frozenset(text for text in texts if len(text) >= LEAST_LENGTH)


def _stands_in(text: str, page: str) -> bool:
    """Whether a page tells a text; a bare number among others may be anything, so one must be quoted, or a member."""
    if not text.isdigit():
        return text in page
    try:
        return bool(re.search(rf'[":\[]\s*{text}\s*[",}}\]]', page)) if json.loads(page) is not None else False
    except ValueError:
        return any(text in quoted for quoted in QUOTED.findall(page))


def _read_pages(site: Site, token: str | None) -> list[tuple[str, str]]:
    """The pages that answer with this token, and what they say, headers included."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    read = []
    with httpx.Client(
        headers=headers, timeout=SECONDS, trust_env=False, follow_redirects=False, verify=certificates()
    ) as client:
        for page in PAGES:
            try:
                answer = client.get(site.base_url + page)
            except httpx.HTTPError as error:
                raise Inconclusive(f"{page} does not answer: {error}") from error
            if answer.status_code < 300 or (answer.status_code == 503 and answer.content):
                read.append((page, answer.text))
    return read
