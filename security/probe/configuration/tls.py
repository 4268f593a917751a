"""Keys and orders travel encrypted, with a certificate that is valid, and by no version or cipher that is broken."""

import socket
import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.probe import probe
from security.probe.site import SECONDS, Site

DAYS_LEFT = 14
"""With fewer days left, a certificate's renewal has failed."""
OLD = {"TLS 1.0": ssl.TLSVersion.TLSv1, "TLS 1.1": ssl.TLSVersion.TLSv1_1}
WEAK = "aNULL:eNULL:EXPORT:DES:3DES:RC4:MD5:SEED:IDEA:!TLSv1.3"
ANY = "ALL:COMPLEMENTOFALL"
LOWEST = ":@SECLEVEL=0"
"""Lets this machine's library speak what it would refuse by itself."""


@probe("configuration.tls", "The server speaks TLS as it should be spoken today", "A04:2025", "API8:2023")
def tls(check: OpenCheck, site: Site) -> None:
    """Shake hands: once as it should be, then with each old version, then with broken ciphers alone."""
    parts = urlsplit(site.url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        if not _is_loopback(host):
            check.find(
                "no-tls", f"{parts.netloc} is asked without TLS: keys travel in the clear", references=("CWE-319",)
            )
            return
        check.not_applicable("the target listens on loopback, without TLS")
        return
    address = (host, parts.port or 443)
    trouble = _check_certificate(check, address)
    for name, version in OLD.items():
        check.examined += 1
        if _shakes_hands(address, _context(version, version, ANY)):
            check.find("old-version", f"{name} is accepted", key=name, references=("CWE-326",))
    check.examined += 1
    if _shakes_hands(address, _context(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, WEAK)):
        check.find("weak-cipher", "a cipher is accepted that is broken", key="cipher", references=("CWE-327",))
    if trouble and not check.findings:
        raise Inconclusive(f"no TLS connection comes about: {trouble}")


def _check_certificate(check: OpenCheck, address: tuple[str, int]) -> str:
    """Shake hands as clients of today do; what kept that from happening, if it was not the certificate."""
    check.examined += 1
    try:
        with (
            socket.create_connection(address, timeout=SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=address[0]) as connection,
        ):
            certificate = connection.getpeercert() or {}
            check.evidence.append(f"{connection.version()} with {(connection.cipher() or ('?',))[0]}")
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message or "not valid"
        check.find(
            "bad-certificate", f"the certificate is refused: {reason}", key="certificate", references=("CWE-295",)
        )
        return ""
    except OSError as error:
        return str(error)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left = (ends - datetime.now(UTC)).days
    if left < DAYS_LEFT:
        check.find("certificate-ends", f"the certificate ends in {left} days, on {ends:%Y-%m-%d}", key="end")
    return ""


def _context(lowest: ssl.TLSVersion, highest: ssl.TLSVersion | None, ciphers: str) -> ssl.SSLContext:
    """A client that offers just that, whatever the certificate. Raises Inconclusive where its library cannot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.set_ciphers(ciphers + LOWEST)
        context.minimum_version = lowest
        if highest is not None:
            context.maximum_version = highest
    except (ssl.SSLError, ValueError) as error:
        raise Inconclusive(f"this machine's TLS library cannot offer what was to be tried: {error}") from error
    return context


def _shakes_hands(address: tuple[str, int], context: ssl.SSLContext) -> bool:
    """Whether a handshake succeeds; a refusal is one of TLS or the connection's end. Raises Inconclusive."""
    try:
        with socket.create_connection(address, timeout=SECONDS) as plain, context.wrap_socket(plain):
            return True
    except (ssl.SSLError, ConnectionError):
        return False
    except OSError as error:
        raise Inconclusive(f"the server cannot be reached: {error}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
