"""What the probe of framing says of servers that guess, in each shape; of one that refuses; and of one that is odd."""

import contextlib
import re
import socketserver
from collections.abc import Callable, Iterator

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.record import Target
from security.probe.protocol.framing import framing
from security.probe.protocol.shapes import SHAPES
from security.probe.site import Site, Tenant
from tests.integration.background import served

BEGINNING = re.compile(rb"(?:POST|GET) /\S* HTTP/1\.1\r\n")
GOOD = re.compile(rb"json\r\nContent-Length: 0\r\n\r\nGET ")
Answer = Callable[[bytes], tuple[list[int], bool]]
"""The statuses that all that was sent is answered with, and whether the connection is closed then."""


def guesses(sent: bytes) -> tuple[list[int], bool]:
    """Whatever looks like a request is one."""
    return [200] * len(BEGINNING.findall(sent)), False


def swallows(sent: bytes) -> tuple[list[int], bool]:
    """Whatever is in doubt is one request, well done, and the connection is as good as before."""
    return ([200, 404] if GOOD.search(sent) else [200]), False


def refuses(sent: bytes) -> tuple[list[int], bool]:
    """What is in doubt is refused, and the connection is at its end."""
    good = sent.count(b"Content-Length") == 1 and GOOD.search(sent) is not None
    return ([200, 404], False) if good else ([400], True)


def closes(_: bytes) -> tuple[list[int], bool]:
    """No connection lasts longer than a request."""
    return [200], True


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[Site]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                statuses, closed = answer(self.request.recv(65536))
                for status in statuses:
                    self.request.sendall(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode())
                if not closed:
                    self.request.recv(65536)  # until the other side has had enough

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server, served(server):
        yield Site(Target(name="toy", url=f"http://127.0.0.1:{server.server_address[1]}/mcp"), Tenant(None))


def found(answer: Answer) -> dict[str, int]:
    """How many shapes the probe finds, by rule."""
    check = OpenCheck("protocol.framing", 1)
    with serving(answer) as site:
        framing.ask(check, site)
    assert check.examined == len(SHAPES)
    rules = [finding.rule for finding in check.findings]
    assert len({finding.fingerprint for finding in check.findings}) == len(rules)
    return {rule: rules.count(rule) for rule in rules}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A toy on loopback answers at once."""
    monkeypatch.setattr("security.probe.protocol.framing.QUIET_SECONDS", 0.08)


def test_every_shape_is_found_where_the_second_request_is_answered() -> None:
    assert found(guesses) == {"smuggled-request": len(SHAPES)}


def test_every_shape_whose_end_is_in_doubt_is_found_where_it_is_taken_for_good() -> None:
    assert found(swallows) == {"ambiguous-request": sum(not shape.clear for shape in SHAPES.values())}


def test_who_refuses_each_is_not_accused() -> None:
    assert found(refuses) == {}


def test_where_no_connection_is_kept_nothing_can_be_told() -> None:
    with pytest.raises(Inconclusive, match="nothing would show"):
        found(closes)
