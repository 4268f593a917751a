"""A server is known again at another address; another server there, or no other address, is no finding."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.record import Target
from harness.verdict import CheckStatus
from security.probe.configuration import local_binding
from security.probe.site import Site, Tenant
from tests.integration.background import served

HERE, OTHER = "127.0.0.1", "127.0.0.2"
Ask = Callable[..., OpenCheck]


class Refusing(BaseHTTPRequestHandler):
    """Refuses as an endpoint does."""

    status = 405

    def do_GET(self) -> None:
        """Answer with the status alone."""
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Missing(Refusing):
    """Knows of no such page."""

    status = 404


class Silent(Refusing):
    """Says nothing."""

    def do_GET(self) -> None:
        """Close the connection."""
        self.close_connection = True


@contextlib.contextmanager
def listening(address: str, port: int, handler: type[Refusing]) -> Iterator[int]:
    with ThreadingHTTPServer((address, port), handler) as server, served(server):
        yield server.server_port


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the probe on a machine with these other addresses."""

    def asked(port: int, others: Sequence[str] = (OTHER,), host: str = HERE) -> OpenCheck:
        monkeypatch.setattr(local_binding, "own_addresses", lambda: iter(others))
        check = OpenCheck(local_binding.local_binding.id, 1)
        local_binding.local_binding.ask(check, Site(Target(name="it", url=f"http://{host}:{port}/mcp"), Tenant(None)))
        return check

    return asked


def test_the_same_server_at_another_address_is_found_by_one_finding_whatever_the_address(ask: Ask) -> None:
    with listening(HERE, 0, Refusing) as port, listening(OTHER, port, Refusing):
        (first,) = ask(port).findings
        (second,) = ask(port, ["127.0.0.3", OTHER], "localhost").findings
    assert OTHER in first.message
    assert first.fingerprint == second.fingerprint


def test_another_server_on_the_same_port_is_not_taken_for_it(ask: Ask) -> None:
    with listening(HERE, 0, Refusing) as port, listening(OTHER, port, Missing):
        check = ask(port)
    assert check.outcome(None) == (CheckStatus.PASSED, "")
    assert f"another server has this port at {OTHER}" in " ".join(check.evidence)


def test_who_listens_and_says_nothing_leaves_it_open(ask: Ask) -> None:
    with (
        listening(HERE, 0, Refusing) as port,
        listening(OTHER, port, Silent),
        pytest.raises(Inconclusive, match="says nothing"),
    ):
        ask(port)


def test_a_server_that_does_not_answer_itself_leaves_it_open(ask: Ask) -> None:
    with (
        listening(HERE, 0, Silent) as port,
        pytest.raises(Inconclusive, match="does not answer a GET"),
    ):
        ask(port)


def test_without_another_address_the_question_does_not_arise(ask: Ask) -> None:
    with listening(HERE, 0, Refusing) as port:
        assert ask(port, []).settled == (
            CheckStatus.NOT_APPLICABLE,
            "this machine has no other address at which it could be reached",
        )


def test_a_target_elsewhere_is_asked_nothing(ask: Ask) -> None:
    check = ask(9, host="192.0.2.1")
    assert check.settled == (CheckStatus.NOT_APPLICABLE, "it is not asked at an address of loopback")
    assert check.examined == 0


def test_addresses_of_loopback_are_no_other_addresses() -> None:
    assert not {HERE, "::1"} & set(local_binding.own_addresses())
