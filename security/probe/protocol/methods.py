"""Methods that are not served do nothing: none echoes, tunnels, or passes for another."""

import functools
import secrets

from harness.collector import OpenCheck
from harness.verdict import Severity
from security.probe.messages import body, is_answered, require_answered, send
from security.probe.patience import patiently
from security.probe.probe import probe
from security.probe.site import Site
from security.probe.wire import RawAnswer, head, opened, read_all

QUIET_SECONDS = 1.0
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
OTHERS = ("PUT", "PATCH", "DELETE", "PROPFIND", "MOVE", "DEBUG", "get", "post")


@probe(
    "protocol.methods",
    "No method echoes, tunnels, or passes for another",
    "A02:2025",
    "API8:2023",
    severity=Severity.MEDIUM,
)
def methods(check: OpenCheck, site: Site) -> None:
    """Ask with TRACE, CONNECT and others on connections of their own, and let headers say another method."""
    mark = secrets.token_hex(8)
    with site.connect() as client:
        require_answered(site, client)
        content = body(client)
        for header in OVERRIDES:
            check.examined += 1
            if not is_answered(send(client, content, {header: "DELETE"})):
                message = f"a POST with {header}: DELETE is not answered as a POST"
                check.find("method-override", message, key=header, references=("CWE-650",))
    for method in ("TRACE", "CONNECT", *OTHERS):
        answer = patiently(functools.partial(_ask, site, method, mark))
        check.examined += 1
        if mark.encode() in answer.data:
            check.find("echo", f"{method} sends a request's headers back", key=method, references=("CWE-693",))
        elif method == "CONNECT" and answer.status == 200:
            check.find("tunnel", "CONNECT is answered with 200", key=method, references=("CWE-441",))
        elif answer.status is not None and answer.status >= 500 and answer.status != 501:
            message = f"{method} is answered with HTTP {answer.status}"
            check.find("server-error", message, key=method, references=("CWE-755",))


def _ask(site: Site, method: str, mark: str) -> RawAnswer:
    with opened(site) as connection:
        connection.sendall(head(site, {"X-Mark": mark, "Content-Length": "0", "Connection": "close"}, method=method))
        return read_all(connection, QUIET_SECONDS)
