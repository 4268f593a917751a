"""How the harness keeps connections: how long those that nobody uses, and whose certificates it believes."""

import functools
import os
import ssl
from typing import Final

import httpx

from harness.errors import UsageError

# Servers close an idle connection after five seconds (uvicorn) or more. A request that meets the close is lost, and
# would be taken for a fault of the server: so ours are given up well before.
LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)


def certificates() -> ssl.SSLContext:
    """The machine's certificates, or those that SSL_CERT_FILE or SSL_CERT_DIR name in their place.

    Raises UsageError where they cannot be read.
    """
    return _read(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


@functools.cache
def _read(file: str, folder: str) -> ssl.SSLContext:
    """Read once: a client that reads them itself takes 40 ms to make."""
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:
        raise UsageError(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error}") from error
