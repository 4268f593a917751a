"""A server that is asked on loopback listens there alone."""

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from ipaddress import ip_address
from urllib.parse import urlsplit

import psutil

from harness.client.errors import NoAnswerError
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe import wire
from security.probe.patience import patiently
from security.probe.probe import probe
from security.probe.site import Site

SILENCE_SECONDS = 5.0
HEAD_END = re.compile(rb"\r\n\r\n")
ASKING = {"Authorization": "", "Content-Type": "", "Accept": "application/json", "Connection": "close"}
"""A GET that opens no stream, shows no key and changes nothing."""


@dataclass(frozen=True)
class Manner:
    """By what a server is known again: its answer's status, and the names of its headers. Silence has neither."""

    status: int | None
    headers: frozenset[str]


@probe(
    "configuration.local-binding",
    "A server on loopback answers at no other address of this machine",
    "A02:2025",
    "API8:2023",
    "MCP:localhost-binding",
    severity=Severity.MEDIUM,
)
def local_binding(check: OpenCheck, site: Site) -> None:
    """Ask the same port at every other address of this machine; whoever answers in the same manner is the server.

    MCP's specification (Streamable HTTP, Security Warning): a server that runs locally SHOULD bind to localhost alone.
    Where the machine has no other address, the server can be reached at none: the question does not arise.
    """
    if not _is_loopback(urlsplit(site.url).hostname or ""):
        check.not_applicable("it is not asked at an address of loopback")
        return
    here = _manner(site)
    if here is None or here.status is None:
        raise Inconclusive(f"{site.url} does not answer a GET: it would not be known again at another address")
    others = list(own_addresses())
    check.examined += len(others)
    check.evidence.append(f"{len(others)} other addresses of this machine were asked")
    if not others:
        check.not_applicable("this machine has no other address at which it could be reached")
        return
    there = {address: manner for address in others if (manner := _manner(site, address)) is not None}
    if same := [address for address, manner in there.items() if manner == here]:
        message = f"it answers at {' and '.join(same)} too: whoever reaches these addresses of the machine reaches it"
        check.find("other-address", message, key="other-address", references=("CWE-1327",))
    elif silent := [address for address, manner in there.items() if manner.status is None]:
        raise Inconclusive(f"whoever listens at {silent[0]} on this port says nothing: see whether it is the server")
    elif there:
        check.evidence.append(f"another server has this port at {', '.join(there)}: it answers in another manner")


def own_addresses() -> Iterator[str]:
    """The addresses of this machine that are not of loopback, those of a link with their interface."""
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family in {socket.AF_INET, socket.AF_INET6} and not ip_address(each.address).is_loopback:
                yield each.address


def _is_loopback(host: str) -> bool:
    """Whether an address, or all that a name stands for, is of loopback."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ip_address(each[4][0]).is_loopback for each in found)


def _manner(site: Site, address: str | None = None) -> Manner | None:
    """How whoever listens at the server's port answers there, at `address` in place of its own; None: nobody does."""
    head = wire.head(site, ASKING, method="GET")

    def once() -> wire.RawAnswer:
        with wire.opened(site, SILENCE_SECONDS, address) as connection:
            connection.sendall(head)
            return wire.read_all(connection, SILENCE_SECONDS, HEAD_END)

    try:
        answer = patiently(once)
    except NoAnswerError as error:
        heard = isinstance(error.__cause__, ConnectionResetError | BrokenPipeError | ssl.SSLError)
        return Manner(None, frozenset()) if heard else None
    names = BytesParser().parsebytes(answer.data.partition(b"\r\n")[2], headersonly=True).keys()
    return Manner(answer.status, frozenset(name.lower() for name in names))
