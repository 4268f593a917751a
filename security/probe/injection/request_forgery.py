"""No text makes the server fetch an address, or read a file, of the client's choice."""

import contextlib
import ipaddress
import json
import re
import secrets
import socket
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from harness.client import ClientError
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import Samples
from security.probe.injection.asking import Asker, asking
from security.probe.injection.listener import LOOPBACK, Listener, listening
from security.probe.injection.markers import Markers
from security.probe.injection.raw import Mark, Raw, send
from security.probe.injection.vectors import argument_vectors, each_name, plainest
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import SECONDS, Site

ADDRESS = re.compile(r"ur[il]|link|href|hook|callback|image|icon|logo|redirect|endpoint|host|feed|src", re.IGNORECASE)
"""What arguments are called that hold addresses."""
SPELLINGS = (
    "http://localhost:{port}/{mark}",
    "http://2130706433:{port}/{mark}",
    "http://[::ffff:127.0.0.1]:{port}/{mark}",
    "http://example.com@127.0.0.1:{port}/{mark}",
    "//127.0.0.1:{port}/{mark}",
    "127.0.0.1:{port}/{mark}",
    "ftp://127.0.0.1:{port}/{mark}",
    "gopher://127.0.0.1:{port}/_{mark}",
)
HEADERS = {
    "Referer": "{url}",
    "Origin": "http://{authority}",
    "Host": "{authority}",
    "X-Forwarded-Host": "{authority}",
    "Forwarded": "host={authority}",
    "X-Original-URL": "{url}",
    "X-Rewrite-URL": "{url}",
    "X-Callback-URL": "{url}",
    "Link": "<{url}>; rel=preload",
}
WEBHOOK = "/webhooks/orderdesk"
"""Where this project's server takes deliveries; another one has nothing there."""
LATE_SECONDS = 0.5
"""How long a fetch may come behind the answer."""


@probe(
    "injection.request-forgery",
    "No text makes the server fetch an address or read a file",
    "A01:2025",
    "API7:2023",
    "MCP:ssrf",
)
def request_forgery(check: OpenCheck, site: Site) -> None:
    """Name a listener, and a file, everywhere; see whether anybody calls it, and whether an answer holds the file."""
    host = urlsplit(site.url).hostname or ""
    if not _is_loopback(host):
        check.not_applicable(f"the listener is on this machine's loopback, which {host} does not reach")
        return
    markers, places, secret = Markers(), dict[str, str](), secrets.token_hex(16)

    def mark(place: str) -> str:
        places[new := markers.new()] = place
        return new

    with asking(site) as (asker, samples), listening() as listener, tempfile.TemporaryDirectory() as folder:
        _prove(listener)
        file = Path(folder) / "canary.txt"
        file.write_text(secret, encoding="ascii")
        port = listener.authority.rpartition(":")[2]
        vectors = argument_vectors(asker, samples)
        for vector in vectors:
            more = SPELLINGS if ADDRESS.search(vector.argument) else ()
            for text in (f"http://{LOOPBACK}:{{port}}/{{mark}}", *more):
                vector.send(text.format(port=port, mark=mark(vector.name)))
            check.examined += 1
        for vector in each_name(vectors):
            if secret in vector.send(file.as_uri()).text:
                _tell_file(check, vector.name)
        check.examined += _elsewhere(site, asker, samples, listener, mark)
        if secret in _read_resource(asker, file.as_uri()):
            _tell_file(check, "resources/read")
        time.sleep(LATE_SECONDS)
    for line in listener.heard[1:]:
        place = next((places[found] for found in sorted(markers.found(line)) if found in places), "one of the headers")
        check.find(
            "fetched-url",
            f"{place}: the server called an address that was written there ({line[:30]!r}…), so it calls whatever its"
            " machine can reach",
            location=place,
            references=("CWE-918",),
            key=place,
        )
    check.evidence.append(
        f"{len(places)} addresses in {check.examined} places; the listener was proved by a call of ours"
    )


def _elsewhere(site: Site, asker: Asker, samples: Samples, listener: Listener, mark: Mark) -> int:
    """Name the listener in headers, request lines, a resource's address and the webhook. Returns in how many."""

    def url(place: str) -> str:
        return f"http://{listener.authority}/{mark(place)}"

    call = plainest(samples)
    for header, value in HEADERS.items():
        address = url(f"the header {header}")
        asker.call(call.name, call.arguments, {header: value.format(url=address, authority=listener.authority)})
    send(site, Raw(method=b"GET", path=url("a request line as to a proxy").encode(), body=b""))
    send(site, Raw(method=b"CONNECT", path=listener.authority.encode(), body=b""))
    _read_resource(asker, url("resources/read"))
    order = quote(json.dumps({"id": 1, "url": url("the webhook"), "callback": url("the webhook")}))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    ask(site, WEBHOOK, form, method="POST", content=f"order={order}".encode())
    return len(HEADERS) + 4


def _read_resource(asker: Asker, uri: str) -> str:
    """What a resource of this address holds; empty where there is none."""
    with contextlib.suppress(ClientError):
        return json.dumps(asker.client.request("resources/read", {"uri": uri}).result)
    return ""


def _tell_file(check: OpenCheck, place: str) -> None:
    check.find(
        "read-file",
        f"{place}: the answer holds a file of the server's machine that was named there as file://…",
        location=place,
        references=("CWE-918", "CWE-73"),
        key=f"file {place}",
    )


def _prove(listener: Listener) -> None:
    """Call the listener. Raises Inconclusive where it does not hear that."""
    host, _, port = listener.authority.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(b"GET /proof HTTP/1.1\r\n\r\n")
        connection.recv(100)
    deadline = time.monotonic() + SECONDS
    while not listener.heard:
        if time.monotonic() > deadline:
            raise Inconclusive("the listener does not hear a call of our own")
        time.sleep(0.01)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
