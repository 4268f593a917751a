"""Metrics, details, documentation of the inside, and files are not there for anybody."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from harness.collector import OpenCheck
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Site


@dataclass(frozen=True)
class Page:
    """A page that must not be public: its paths, and what its content shows where it really is that page.

    `operators`: tenants must not see it either. `token`: it is what the operator's token is for.
    """

    what: str
    paths: tuple[str, ...]
    sign: re.Pattern[str]
    operators: bool = True
    token: bool = False


ALIVE = ("/health/live", "/health/ready", "/healthz", "/livez", "/readyz")
PAGES = (
    Page(
        "metrics",
        ("/metrics", "/mcp/metrics", "/prometheus", "/actuator/prometheus"),
        re.compile(r"^# (HELP|TYPE) ", re.MULTILINE),
        token=True,
    ),
    Page(
        "detailed health",
        ("/health/detailed", "/health/details", "/healthz/verbose", "/actuator/health", "/status", "/health", *ALIVE),
        re.compile(
            r"(?i)(sqlite|postgres|redis|mysql)://|\"(settings|environment_variables|hostname|database_url|uptime)\""
            # A member that holds an address, or a path of the machine.
            r"|\"\s*:\s*\"(https?://[^\"]+|(/[\w.-]+){2,}|[a-z]:\\\\[^\"]+)\""
        ),
        token=True,
    ),
    Page(
        "settings",
        ("/env", "/actuator/env", "/config", "/config.json", "/settings"),
        re.compile(r"(?i)(token|secret|_key|password)\"?\s*[:=]"),
    ),
    Page(
        "an interactive console",
        ("/console", "/debug", "/debug/pprof/", "/_debug"),
        re.compile(r"(?i)debugger|pprof|console"),
    ),
    Page(
        "its API's description",
        ("/docs", "/openapi.json", "/redoc", "/swagger.json", "/swagger", "/api-docs", "/graphql"),
        re.compile(r"(?i)\"?(openapi|swagger)\"?\s*[:\-]|__schema"),
        operators=False,
    ),
    Page(
        "its secrets",
        ("/.env", "/.env.production", "/.aws/credentials", "/.netrc"),
        re.compile(r"(?im)^\s*(export )?\w+\s*=\s*\S"),
    ),
    Page(
        "its repository",
        ("/.git/config", "/.git/HEAD", "/.svn/entries"),
        re.compile(r"\[core\]|^ref: refs/", re.MULTILINE),
    ),
    Page(
        "its database",
        ("/app.db", "/data/app.db", "/backup.db", "/dump.sql"),
        re.compile(r"\ASQLite format 3|CREATE TABLE"),
    ),
    Page(
        "a listing of its files",
        ("/", "/static/", "/files/", "/backups/", "/logs/"),
        re.compile(r"(?i)Index of /|Directory listing"),
    ),
)


@probe(
    "configuration.public-pages",
    "What is for operators is not for the public, and not for tenants",
    "A01:2025",
    "A02:2025",
    "API5:2023",
    "API9:2023",
)
def public_pages(check: OpenCheck, site: Site) -> None:
    """Ask for each page without a key, with a wrong one and with tenants'; what it holds must be what the page would.

    Where the operator's token is known, metrics and health that it opens, and that nobody sees without a key, are no
    tenant's either, whatever they hold: API5:2023 calls that broken function level authorization.
    """
    everybody = {"anybody": None, "anybody with a made-up key": secrets.token_urlsafe(24)}
    parties = {"a tenant": site.owner, "another tenant": site.stranger}
    tenants = {who: party.key for who, party in parties.items() if party is not None and party.key is not None}
    opened = []
    for page in PAGES:
        for path in page.paths:
            shown = _readers(check, site, path, everybody)
            telling = [who for who, text in shown.items() if page.sign.search(text)]
            if page.operators and not telling:
                guarded = page.token and not shown and _opens(check, site, path)
                opened += [path] if guarded else []
                shown = _readers(check, site, path, tenants)
                telling = [who for who, text in shown.items() if guarded or page.sign.search(text)]
            for who in telling:
                message, references = f"{path} shows {page.what} to {who}", ("CWE-200", "CWE-285")
                check.find("public-page", message, location=path, key=f"{path} {who}", references=references)
    check.evidence.append(f"asked as {', '.join([*everybody, *tenants])}")
    if site.admin_token is not None:
        check.evidence.append(f"the operator's token alone opens {', '.join(opened) or 'nothing'}")


def _readers(check: OpenCheck, site: Site, path: str, keys: Mapping[str, str | None]) -> dict[str, str]:
    """Who is shown a page, and what it says to them."""
    texts = {who: _read(check, site, path, key) for who, key in keys.items()}
    return {who: text for who, text in texts.items() if text is not None}


def _opens(check: OpenCheck, site: Site, path: str) -> bool:
    """Whether the operator's token opens a page."""
    return site.admin_token is not None and _read(check, site, path, site.admin_token) is not None


def _read(check: OpenCheck, site: Site, path: str, key: str | None) -> str | None:
    """What a page says to who shows this key; None where it is refused, or not there."""
    answer = ask(site, path, {} if key is None else {"Authorization": f"Bearer {key}"})
    check.examined += 1
    return answer.body.decode("utf-8", "replace") if answer.status == 200 else None
