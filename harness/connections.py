"""How long the harness keeps a connection that nobody uses."""

from typing import Final

import httpx

# Servers close an idle connection after five seconds (uvicorn) or more. A request that meets the close is lost, and
# would be taken for a fault of the server: so ours are given up well before.
LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)
