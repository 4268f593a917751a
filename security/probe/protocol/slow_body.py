"""A client that sends slowly does not hold a connection for ever: neither with its head nor with its body."""

import contextlib
import functools
import time

from harness.background import in_background
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.probe import Effect, probe
from security.probe.site import Site
from security.probe.wire import head, opened

PATIENCE_SECONDS = 65.0
"""A server that has not given up by then waits for any time; most give up after 30 s or 60 s."""
EVERY_SECONDS = 0.5


@probe(
    "protocol.slow-body",
    "Slow requests are given up",
    "API4:2023",
    "A06:2025",
    effect=Effect.STRESSES,
    waits=True,
)
def slow_body(check: OpenCheck, site: Site) -> None:
    """Send a head, and a body, a byte at a time, and wait until the server has had enough."""
    whole = head(site, {"Content-Length": "100000"})
    trickles = {"head": (whole[:20], b"x"), "body": (whole, b" ")}
    waits = {
        what: in_background(functools.partial(_seconds_until_cut, site, *parts)) for what, parts in trickles.items()
    }
    for what, waited in waits.items():
        seconds = waited.result()
        check.examined += 1
        if seconds is None:
            message = f"a {what} that arrives a byte at a time is still waited for after {PATIENCE_SECONDS:.0f} s"
            check.find("slow-request", message, key=what, references=("CWE-400",))
        else:
            check.evidence.append(f"a slow {what} is given up after {seconds:.0f} s")


def _seconds_until_cut(site: Site, first: bytes, byte: bytes) -> float | None:
    """Seconds until the server answered or closed; None where it did neither in time."""
    began = time.monotonic()
    with opened(site) as connection:
        connection.sendall(first)
        connection.settimeout(EVERY_SECONDS)
        while time.monotonic() - began < PATIENCE_SECONDS:
            if site.over.is_set():
                raise Inconclusive("the audit ended before the server had enough")
            with contextlib.suppress(TimeoutError):
                with contextlib.suppress(ConnectionError):
                    connection.recv(1)
                return time.monotonic() - began
            try:
                connection.sendall(byte)
            except (TimeoutError, ConnectionError):
                return time.monotonic() - began
    return None
