"""Pages beside the MCP endpoint, asked as anybody would."""

from collections.abc import Mapping

import httpx

from harness.client.errors import NoAnswerError
from harness.client.transport import HttpAnswer
from harness.connections import LIMITS, certificates
from security.probe.patience import patiently
from security.probe.site import SECONDS, Site


def ask(
    site: Site, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", content: bytes = b""
) -> HttpAnswer:
    """The answer to a request to a path of the server, without any key of its own.

    Raises NoAnswerError, and Inconclusive where the server's limit does not let it through.
    """
    return patiently(lambda: _ask(site, path, headers or {}, method, content))


def _ask(site: Site, path: str, headers: Mapping[str, str], method: str, content: bytes) -> HttpAnswer:
    try:
        # See `harness.client.transport` on what a client must not do by itself.
        with httpx.Client(
            timeout=SECONDS, trust_env=False, follow_redirects=False, limits=LIMITS, verify=certificates()
        ) as http:
            response = http.request(method, f"{site.base_url}{path}", headers=dict(headers), content=content)
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise NoAnswerError(f"{path}: {str(error) or type(error).__name__}") from error
    return HttpAnswer(response.status_code, response.headers, response.content, response.elapsed.total_seconds())
