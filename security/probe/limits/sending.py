"""Ways to send calls: one after the other, on many connections at once, or many in one write."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from security.probe.limits.answers import fates
from security.probe.limits.bucket import Call
from security.probe.limits.line import Line, Response
from security.probe.site import Site


def in_turn(line: Line, requests: Iterable[bytes]) -> list[Call]:
    """Each request sent when the one before is answered."""
    return [call for request in requests for call in at_once([line], [request])]


def at_once(lines: Sequence[Line], requests: Sequence[bytes]) -> list[Call]:
    """A request on each line, all sent before the first answer is read."""
    sent = [line.send(request) for line, request in zip(lines, requests, strict=True)]
    return [call for line, began in zip(lines, sent, strict=True) for call in _calls(began, line.receive())]


def in_one_write(line: Line, requests: Sequence[bytes]) -> list[Call]:
    """All requests in one write (pipelined), then their answers, up to where the server closes the connection."""
    began = line.send(b"".join(requests))
    calls = []
    for _ in requests:
        response = line.receive()
        calls += _calls(began, response)
        if not response.status:
            break
    return calls


@contextlib.contextmanager
def opened(site: Site, count: int) -> Iterator[list[Line]]:
    """So many lines, closed afterwards."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Line(site)) for _ in range(count)]


def _calls(sent: float, response: Response) -> list[Call]:
    kind = response.headers.get("content-type", "")
    return [Call(sent, response.at, fate) for fate in fates(response.status, kind, response.body)]
