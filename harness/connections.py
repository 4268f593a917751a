"""How the harness keeps connections: how long those that nobody uses, and whose certificates it believes."""

import functools
import ssl
from typing import Final

import httpx

# Servers close an idle connection after five seconds (uvicorn) or more. A request that meets the close is lost, and
# would be taken for a fault of the server: so ours are given up well before.
LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)


@functools.cache
def certificates() -> ssl.SSLContext:
    """The machine's certificates, read once: a client that reads them itself takes 40 ms to make."""
    return httpx.create_ssl_context(trust_env=False)
