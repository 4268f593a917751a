"""The security categories that a check may cover: one table, so that a report can also name those that none covers.

Sources: OWASP Top 10:2025, OWASP API Security Top 10 2023, and what MCP itself says on security: its guide "Security
Best Practices" of revision 2026-07-28, and the security sections of its specification on transports and tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

OWASP = "OWASP Top 10:2025"
OWASP_API = "OWASP API Security Top 10 2023"
MCP = "MCP security guidance"


@dataclass(frozen=True)
class Category:
    """One category of a standard."""

    standard: str
    title: str


_OWASP = (
    "Broken Access Control",
    "Security Misconfiguration",
    "Software Supply Chain Failures",
    "Cryptographic Failures",
    "Injection",
    "Insecure Design",
    "Authentication Failures",
    "Software or Data Integrity Failures",
    "Security Logging & Alerting Failures",
    "Mishandling of Exceptional Conditions",
)
_OWASP_API = (
    "Broken Object Level Authorization",
    "Broken Authentication",
    "Broken Object Property Level Authorization",
    "Unrestricted Resource Consumption",
    "Broken Function Level Authorization",
    "Unrestricted Access to Sensitive Business Flows",
    "Server Side Request Forgery",
    "Security Misconfiguration",
    "Improper Inventory Management",
    "Unsafe Consumption of APIs",
)
_MCP = {
    "confused-deputy": "Confused deputy",
    "token-passthrough": "Token passthrough",
    "ssrf": "Server-side request forgery",
    "session-hijacking": "Session hijacking, and state handle hijacking since 2026-07-28",
    "local-server-compromise": "Local server compromise",
    "oauth-urls": "OAuth authorization URL validation (of clients)",
    "stdio-proxies": "stdio transport behind a proxy (of proxies)",
    "mix-up": "Mix-up attacks (of clients)",
    "localhost-redirects": "Localhost redirect URI impersonation (of authorization servers)",
    "client-metadata": "Trust in client metadata documents (of authorization servers)",
    "scope-minimization": "Scope minimization",
    "dns-rebinding": "Transport: Host and Origin are validated, against DNS rebinding",
    "transport-authentication": "Transport: every connection is authenticated",
    "localhost-binding": "Transport: a local server listens on localhost alone",
    "input-validation": "Tools: every input is validated",
    "access-control": "Tools: access is controlled",
    "rate-limiting": "Tools: invocations are rate limited",
    "output-sanitization": "Tools: outputs are sanitized",
}

CATEGORIES: Mapping[str, Category] = MappingProxyType(
    {
        **{f"A{number:02}:2025": Category(OWASP, title) for number, title in enumerate(_OWASP, 1)},
        **{f"API{number}:2023": Category(OWASP_API, title) for number, title in enumerate(_OWASP_API, 1)},
        **{f"MCP:{name}": Category(MCP, title) for name, title in _MCP.items()},
    }
)
"""Every category by its id, in the order of the standards."""


def require_category(name: str) -> str:
    """`name`, where it is the id of a category. Raises ValueError."""
    if name not in CATEGORIES:
        raise ValueError(f"no security category is named {name} (see harness/categories.py)")
    return name
