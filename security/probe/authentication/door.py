"""Knock with any Authorization header, byte for byte, and be told whether one is let in."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from enum import StrEnum

from harness.client import wire as mcp
from harness.errors import Inconclusive
from security.probe import wire
from security.probe.patience import TOO_MANY_REQUESTS, asked_to_wait
from security.probe.site import Site

SILENCE_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
"""How long a probe waits in all where the server asks it to come back later."""


class Told(StrEnum):
    """What the server did."""

    IN = "let in"
    OUT = "refused"
    LATER = "told to come back later"
    BROKEN = "neither let in nor refused"


@dataclass
class Door:
    """A request that succeeds with the owner's key, to be sent with others. `knocked` counts how often it was."""

    site: Site
    version: str
    patience: float
    knocked: int = 0

    def knock(self, authorization: bytes | None, headers: Mapping[str, str] | None = None) -> Told:
        """Knock once on a connection of its own, with this header value (None: without one), and further headers."""
        return self.hear(authorization, headers)[0]

    def hear(self, authorization: bytes | None, headers: Mapping[str, str] | None = None) -> tuple[Told, float]:
        """The same, and for how many seconds it asks one to wait."""
        self.knocked += 1
        return self._knock(authorization, "", headers)

    def ask(self, authorization: bytes | None, query: str = "") -> Told:
        """Knock, and wait where told to. Raises Inconclusive where that would take too long, or the server is broken.

        A server that drops the connection has let nobody in: that is a refusal.
        """
        while True:
            self.knocked += 1
            told, seconds = self._knock(authorization, query)
            if told is Told.BROKEN:
                raise Inconclusive("the server answers with an error of its own: see its log, and ask again")
            if told is not Told.LATER:
                return told
            self.patience -= seconds
            if self.patience < 0:
                raise Inconclusive(f"the server limits wrong keys, after {self.knocked} of them: ask again in a minute")
            time.sleep(seconds)

    def _knock(
        self, authorization: bytes | None, query: str, further: Mapping[str, str] | None = None
    ) -> tuple[Told, float]:
        body, headers = opening(self.version)
        head = wire.head(self.site, {**headers, "Content-Length": str(len(body)), **CLOSE, **(further or {})}).replace(
            b" HTTP/1.1", b"", 1
        )
        request_line, _, rest = head.partition(b"\r\n")
        lines = [request_line + query.encode("latin-1") + b" HTTP/1.1"]
        if authorization is not None:
            lines.append(b"Authorization: " + authorization)
        with wire.opened(self.site) as connection:
            connection.sendall(b"\r\n".join(lines) + b"\r\n" + rest + body)
            answer = wire.read_all(connection, SILENCE_SECONDS)
        return read(answer.status, answer.data)


WELCOME = (b'"protocolVersion"', b'"supportedVersions"')
"""Stands in the answer to `initialize` or `server/discover`, and in no refusal."""
CLOSE = {"Connection": "close", "Authorization": ""}


def open_door(site: Site) -> Door:
    """The door of a site. Raises Inconclusive where the owner's own key does not open it."""
    with site.connect() as client:
        version = str(client.version)
    door = Door(site, version, PATIENCE_SECONDS)
    if door.ask(bearer(site.owner.key)) is not Told.IN:
        raise Inconclusive("the owner's own key is refused: give a key that works")
    return door


def guarded_door(site: Site) -> Door:
    """The same, of a site that asks for a key. Raises Inconclusive also where one is let in without."""
    door = open_door(site)
    if door.ask(None) is Told.IN:
        raise Inconclusive("whoever shows no key is let in (see authentication.absent-key): a wrong one says nothing")
    return door


def still_open(door: Door) -> None:
    """Raise Inconclusive unless the owner is still let in: the refusals before were no outage."""
    if door.ask(bearer(door.site.owner.key)) is not Told.IN:
        raise Inconclusive("the owner's key is refused as well by now: what was refused before says nothing")


def bearer(key: str | None) -> bytes:
    """The header value that shows a key."""
    return f"Bearer {key}".encode()


def read(status: int | None, data: bytes) -> tuple[Told, float]:
    """What an answer says, and for how many seconds it asks one to wait."""
    if status is None:
        return Told.OUT, 0.0
    if status == TOO_MANY_REQUESTS:
        head = BytesParser().parsebytes(data.partition(b"\r\n")[2], headersonly=True)
        return Told.LATER, asked_to_wait({name.lower(): value for name, value in head.items()})
    if status >= 500:
        return Told.BROKEN, 0.0
    return Told.IN if status < 300 and any(word in data for word in WELCOME) else Told.OUT, 0.0


def opening(version: str) -> tuple[bytes, dict[str, str]]:
    """The first request of a version: it needs no session, and says who the server is."""
    if version in mcp.MODERN_VERSIONS:
        message = mcp.envelope("server/discover", {}, version, 1)
        return json.dumps(message).encode(), mcp.protocol_headers("server/discover", {}, version)
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": mcp.CLIENT_INFO}
    return json.dumps(mcp.envelope("initialize", params, None, 1)).encode(), {}
