"""What the probe of TLS says of servers that speak it badly, each in one way, and of such as do not speak it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.record import Target
from security.probe.configuration.tls import tls
from security.probe.site import Site, Tenant
from tests.integration.security.probes.certificate import make_certificate

# Python warns of whoever offers an old version; the probe must, and so must a server that is to be found out.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
V10, V11, V12, V13 = (getattr(ssl.TLSVersion, name) for name in ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"))
Trust = Callable[[Path], None]


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Trust:
    """Let this machine trust a certificate for the rest of the test."""
    return lambda certificate: monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def context(
    files: tuple[Path, Path], lowest: ssl.TLSVersion = V12, highest: ssl.TLSVersion = V13, ciphers: str = ""
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*files)
    if lowest < V12 or ciphers:
        made.set_ciphers(f"{ciphers or 'ALL:!aNULL'}:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = lowest, highest
    return made


@contextlib.contextmanager
def listening(greet: Callable[[socket.socket], None]) -> Iterator[Site]:
    """A site on loopback that greets every connection so, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    greet(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield Site(Target(name="secure", url=f"https://127.0.0.1:{port}/mcp"), Tenant(None))
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def found(greet: ssl.SSLContext | Callable[[socket.socket], None]) -> dict[str, str]:
    """What the probe finds, by rule."""
    check = OpenCheck("configuration.tls", 1)

    def shake(connection: socket.socket) -> None:
        assert isinstance(greet, ssl.SSLContext)
        greet.wrap_socket(connection, server_side=True).close()

    with listening(shake if isinstance(greet, ssl.SSLContext) else greet) as site:
        tls.ask(check, site)
    assert check.examined > 3
    return {finding.rule: finding.message for finding in check.findings}


@pytest.mark.parametrize(("lowest", "highest"), [(V12, V13), (V13, V13), (V12, V12)])
def test_tls_of_today_is_no_finding(
    tmp_path: Path, trust: Trust, lowest: ssl.TLSVersion, highest: ssl.TLSVersion
) -> None:
    files = make_certificate(tmp_path)
    trust(files[0])
    assert found(context(files, lowest, highest)) == {}


@pytest.mark.parametrize(
    ("lowest", "highest", "name"),
    [(V10, V10, "TLS 1.0"), (V11, V11, "TLS 1.1"), (V11, V13, "TLS 1.1")],
)
def test_an_old_version_is_found_also_where_there_is_no_other(
    tmp_path: Path, trust: Trust, lowest: ssl.TLSVersion, highest: ssl.TLSVersion, name: str
) -> None:
    files = make_certificate(tmp_path)
    trust(files[0])
    assert found(context(files, lowest, highest)) == {"old-version": f"{name} is accepted"}


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA", "ALL:COMPLEMENTOFALL"])
def test_a_cipher_without_a_key_or_without_a_name_is_found(tmp_path: Path, trust: Trust, ciphers: str) -> None:
    files = make_certificate(tmp_path)
    trust(files[0])
    assert list(found(context(files, V12, V12, ciphers))) == ["weak-cipher"]


def test_a_certificate_that_nobody_vouches_for_is_found(tmp_path: Path) -> None:
    assert found(context(make_certificate(tmp_path))) == {
        "bad-certificate": "the certificate is refused: self-signed certificate"
    }


def test_a_certificate_that_has_ended_is_found(tmp_path: Path, trust: Trust) -> None:
    files = make_certificate(tmp_path, ends_in=-timedelta(hours=1))
    trust(files[0])
    assert found(context(files)) == {"bad-certificate": "the certificate is refused: certificate has expired"}


def test_a_certificate_of_another_host_is_found(tmp_path: Path, trust: Trust) -> None:
    files = make_certificate(tmp_path, host="other.example.com")
    trust(files[0])
    (message,) = found(context(files)).values()
    assert message.startswith("the certificate is refused: IP address mismatch")


def test_a_certificate_whose_renewal_has_failed_is_found(tmp_path: Path, trust: Trust) -> None:
    files = make_certificate(tmp_path, ends_in=timedelta(days=5, hours=1))
    trust(files[0])
    (message,) = found(context(files)).values()
    assert message.startswith("the certificate ends in 5 days, on ")


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"])
def test_a_server_that_does_not_speak_tls_is_inconclusive(greeting: bytes) -> None:
    def greet(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(greeting)

    with pytest.raises(Inconclusive, match="no TLS connection comes about"):
        found(greet)


def test_an_address_without_tls_beyond_this_machine_is_found_and_nothing_is_sent() -> None:
    check = OpenCheck("configuration.tls", 1)
    tls.ask(check, Site(Target(name="open", url="http://mcp.example.com/mcp"), Tenant(None)))
    assert [finding.rule for finding in check.findings] == ["no-tls"]
