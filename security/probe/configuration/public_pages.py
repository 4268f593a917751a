"""Metrics, details, documentation of the inside, and files are not there for anybody."""

import re
import secrets
from dataclasses import dataclass

from harness.collector import OpenCheck
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Site


@dataclass(frozen=True)
class Page:
    """A page that must not be public: its paths, and what its content shows where it really is that page."""

    what: str
    paths: tuple[str, ...]
    sign: re.Pattern[str]


ALIVE = ("/health/live", "/health/ready", "/healthz", "/livez", "/readyz")
PAGES = (
    Page(
        "metrics",
        ("/metrics", "/mcp/metrics", "/prometheus", "/actuator/prometheus"),
        re.compile(r"^# (HELP|TYPE) ", re.MULTILINE),
    ),
    Page(
        "detailed health",
        ("/health/detailed", "/health/details", "/healthz/verbose", "/actuator/health", "/status", "/health", *ALIVE),
        re.compile(
            r"(?i)(sqlite|postgres|redis|mysql)://|\"(settings|environment_variables|hostname|database_url|uptime)\""
            # A member that holds an address, or a path of the machine.
            r"|\"\s*:\s*\"(https?://[^\"]+|(/[\w.-]+){2,}|[a-z]:\\\\[^\"]+)\""
        ),
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


@probe("configuration.public-pages", "What is for operators is not public", "A01:2025", "A02:2025", "API9:2023")
def public_pages(check: OpenCheck, site: Site) -> None:
    """Ask for each page without a key, and with a wrong one; what it holds must be what the page would hold."""
    for page in PAGES:
        for path in page.paths:
            for who, headers in (
                ("anybody", {}),
                ("anybody with a made-up key", {"Authorization": f"Bearer {secrets.token_urlsafe(24)}"}),
            ):
                answer = ask(site, path, headers)
                check.examined += 1
                if answer.status == 200 and page.sign.search(answer.body.decode("utf-8", "replace")):
                    message = f"{path} shows {page.what} to {who}"
                    check.find("public-page", message, location=path, key=f"{path} {who}", references=("CWE-200",))
