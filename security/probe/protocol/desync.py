"""Behind a proxy whose connections are shared, nobody gets the answer to what another's request had inside it."""

import json
import re
import secrets
from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import urlsplit

from harness.client import Client
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.messages import LIST, body
from security.probe.patience import patiently
from security.probe.probe import Effect, probe
from security.probe.protocol.shapes import SHAPES, Shape
from security.probe.site import Site
from security.probe.wire import RawAnswer, head, opened, read_all

QUIET_SECONDS = 0.7
ANSWER_SECONDS = 5.0
CLIENTS = 2
"""How many ask after each shape: a proxy uses the connection first that it used last."""
PATIENCE = 6
"""How often they ask until they are answered as before."""
FINAL = re.compile(rb"HTTP/1\.[01] [2-5][0-9]{2}\b.*?\r\n\r\n", re.DOTALL)


class Sign(Enum):
    """What an answer that is not the request's own shows: proof by itself, only if it comes again, or nothing."""

    PROOF = "proof"
    IF_AGAIN = "if again"
    NONE = "none"


@dataclass(frozen=True)
class Trouble:
    """An answer that was not the request's own."""

    sign: Sign
    text: str
    hung: bool = False


@dataclass
class Clients:
    """Others than who sends the shapes: each on a connection of its own, each knowing its answer by the id in it."""

    site: Site
    client: Client
    ids: list[str] = field(default_factory=list)

    def ask(self) -> Trouble | None:
        """Ask once; None where the answer is the request's own. Raises Inconclusive where the limit does not let it."""
        name = f"own-{secrets.token_hex(8)}"
        answer = patiently(lambda: self._send(name))
        others = [each for each in self.ids if each.encode() in answer.data]
        self.ids.append(name)
        if name.encode() in answer.data:
            return None
        if others:
            return Trouble(Sign.PROOF, "with what was for another")
        if answer.status is None and not answer.closed:
            return Trouble(Sign.IF_AGAIN, f"with nothing for {ANSWER_SECONDS:.0f} s", hung=True)
        if answer.status is None:
            return Trouble(Sign.NONE, "with the end of its connection")
        # A gateway answers 5xx for itself where it has lost the server; anything else was meant for somebody.
        return Trouble(Sign.IF_AGAIN if answer.status < 500 else Sign.NONE, f"with HTTP {answer.status}")

    def settle(self) -> Trouble | None:
        """Ask until an answer is the request's own; what was wrong to the last where none is, or one is proof."""
        trouble = None
        for _ in range(PATIENCE):
            if (trouble := self.ask()) is None or trouble.sign is Sign.PROOF:
                break
        return trouble

    def _send(self, name: str) -> RawAnswer:
        content = json.dumps({**body(self.client), "id": name})
        usual = {each: value for each, value in self.client.headers(LIST, {}).items() if value}
        fields = {**usual, "Content-Length": str(len(content)), "Connection": "close"}
        with opened(self.site) as connection:
            connection.sendall(head(self.site, fields) + content.encode())
            return read_all(connection, ANSWER_SECONDS, until=re.compile(name.encode()))


# Alone: the others' requests would get the answers, and theirs be taken for ours.
@probe(
    "protocol.desync",
    "Requests whose end is in doubt leave other clients' answers as they were",
    "A06:2025",
    "A10:2025",
    effect=Effect.STRESSES,
    alone=True,
)
def desync(check: OpenCheck, site: Site) -> None:
    """Send each shape, and ask as other clients do whose answers are known."""
    doubts = []
    with site.connect() as client:
        clients = Clients(site, client)
        for _ in range(CLIENTS):
            if trouble := clients.ask():
                raise Inconclusive(f"a request as it should be, written byte by byte, is answered {trouble.text}")
        for name, shape in SHAPES.items():
            what = f"a request with {name}"
            check.examined += 1
            if (trouble := _reproduced(clients, shape, what)) is None:
                continue
            told = f"after {what}, a good request on another connection is answered {trouble.text}"
            if trouble.sign is Sign.NONE:
                doubts.append(f"{told}: that may have other reasons, or not come again")
                continue
            check.find("desynchronised", told, key=name, references=("CWE-444",))
            if trouble.hung or clients.settle() is not None:
                check.evidence.append("the shapes after it were not sent: other clients were still in trouble")
                break
    if doubts:
        raise Inconclusive(doubts[0])


def _reproduced(clients: Clients, shape: Shape, what: str) -> Trouble | None:
    """What the shape does to others; with `Sign.NONE` where that is not certain. Raises Inconclusive where all is lost.

    What is no proof by itself must be over once, and come again with the shape.
    """
    trouble = _trouble_after(clients, shape)
    if trouble is None or trouble.sign is Sign.PROOF:
        return trouble
    if (rest := clients.settle()) is not None:
        if rest.sign is Sign.PROOF:
            return rest
        raise Inconclusive(f"after {what}, good requests are answered {rest.text} from then on")
    return _trouble_after(clients, shape) or replace(trouble, sign=Sign.NONE)


def _trouble_after(clients: Clients, shape: Shape) -> Trouble | None:
    """The worst trouble of those who ask when the shape was sent: with a whole request in it, then with one begun.

    A proxy that closes a connection on which more comes than it waits for is safe from the first, not from the second:
    what that lacks is the next client's request, and its answer that client's.
    """
    site = clients.site
    for second in (_whole(site), _begun()):
        with opened(site) as connection:
            connection.sendall(shape.request(site, second))
            read_all(connection, QUIET_SECONDS, until=FINAL)
    troubles = [trouble for _ in range(CLIENTS) if (trouble := clients.ask())]
    return min(troubles, key=lambda trouble: list(Sign).index(trouble.sign), default=None)


def _whole(site: Site) -> bytes:
    return f"GET /{secrets.token_hex(4)} HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\n\r\n".encode()


def _begun() -> bytes:
    return f"GET /{secrets.token_hex(4)} HTTP/1.1\r\nX-Rest: ".encode()
