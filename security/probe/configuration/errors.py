"""Errors tell a client what is wrong with its request, and nothing of the server's inside."""

import functools
import re
from collections.abc import Callable

from harness.client import LATEST_LEGACY, Client
from harness.client.errors import NoAnswerError
from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe.messages import connect_in, send
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Site

# What only a program's inside says: stack traces, paths of its code, its database's and its libraries' own words.
SIGNS = {
    "a stack trace": re.compile(
        r"Traceback \(most recent|File \"[^\"]+\", line \d+|\bat \S+ \(\S+:\d+:\d+\)|\.go:\d+ \+0x"
    ),
    "a path of the server's files": re.compile(r"site-packages|/usr/lib/|/home/[a-z]|node_modules/"),
    "its database's words": re.compile(r"sqlite3?\.\w*Error|SQLSTATE|psycopg|sqlalchemy", re.IGNORECASE),
    "a debugger": re.compile(r"Werkzeug Debugger|DEBUG = True|X-Debug-Token"),
}
VERSION = re.compile(r"[A-Za-z][\w.-]*/\d+(\.\d+)*")
"""A product with its version, as in the header Server."""
BODIES = {
    "no JSON": b"{",
    "a number for a request": b"7",
    "null": b"null",
    "an empty array": b"[]",
    "a method that is a number": b'{"jsonrpc":"2.0","id":1,"method":7}',
    "an unknown method": b'{"jsonrpc":"2.0","id":1,"method":"no/such"}',
    "params that are text": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"x"}',
    "an unknown tool": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no_such","arguments":{}}}',
    "arguments that are a list": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[]}}',
    "an id that is an object": b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
    "a lone surrogate": b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "a NUL": b'{"jsonrpc":"2.0","id":1,"method":"tools/list\\u0000"}',
}
PATHS = ("/no-such-page", "/%00", "/..%2f..%2fetc/passwd", "/%ff")


@probe(
    "configuration.errors",
    "Errors tell nothing of the server's inside",
    "A02:2025",
    "A10:2025",
    severity=Severity.MEDIUM,
)
def errors(check: OpenCheck, site: Site) -> None:
    """Send what cannot be answered, and read what comes back."""
    silent = 0
    # In a legacy conversation where there is one: there no header has to repeat the body, so more gets inside.
    with connect_in(site, LATEST_LEGACY) or site.connect() as client:
        for what, request in _requests(site, client).items():
            try:
                answer = request()
            except NoAnswerError:
                silent += 1
                continue
            check.examined += 1
            _look(check, what, answer)
    if not check.examined or silent > check.examined:
        raise Inconclusive(f"{silent} of {silent + check.examined} requests got no answer at all")


def _requests(site: Site, client: Client) -> dict[str, Callable[[], HttpAnswer]]:
    bodies = {what: functools.partial(send, client, body) for what, body in BODIES.items()}
    return {**bodies, **{f"a request to {path}": functools.partial(ask, site, path) for path in PATHS}}


def _look(check: OpenCheck, what: str, answer: HttpAnswer) -> None:
    text = answer.body.decode("utf-8", "replace")
    for sign, pattern in SIGNS.items():
        if pattern.search(text):
            message = f"the answer to {what} holds {sign}"
            check.find("inside-told", message, key=f"{sign} {what}", references=("CWE-209",))
    if answer.status >= 500:
        check.find("server-error", f"{what} is answered with HTTP {answer.status}", key=what, references=("CWE-755",))
    if found := VERSION.search(answer.headers.get("server", "")):
        check.find("version-told", f"the header Server tells {found[0]}", key=what, references=("CWE-200",))
