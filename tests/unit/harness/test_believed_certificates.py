"""Whose certificates clients believe: an operator's own authority is named as for any other program."""

from pathlib import Path

import pytest

from harness.connections import certificates
from harness.errors import UsageError
from tests.integration.security.probes.certificate import make_certificate


def test_an_authority_that_the_environment_names_is_believed_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    usual = certificates()
    assert usual is certificates()
    certificate, _ = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert [each["subject"] for each in certificates().get_ca_certs()] == [((("commonName", "localhost"),),)]
    monkeypatch.delenv("SSL_CERT_FILE")
    assert certificates() is usual


def test_one_that_cannot_be_read_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        certificates()
