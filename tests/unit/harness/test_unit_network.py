import socket

import pytest


def test_a_unit_test_that_connects_fails() -> None:
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match="a unit test connects to"):
        client.connect(("127.0.0.1", 9))


def test_sockets_between_processes_of_this_machine_are_let_through() -> None:
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(FileNotFoundError):
        client.connect("/nonexistent/socket")
