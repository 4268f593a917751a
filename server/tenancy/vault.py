"""Encryption under the master key: a derived key per tenant (HKDF-SHA256), AES-256-GCM around each value."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT: Final = b"\x01"
FINGERPRINT_BYTES: Final = 4
NONCE_BYTES: Final = 12


class VaultError(Exception):
    """A sealed value cannot be opened: another master key, another place, or damage."""


class Vault:
    """Seals and opens values: format (1 byte) · master key fingerprint (4) · nonce (12) · ciphertext and tag.

    `place` (for example "stores/ID") is authenticated, so a value copied to another row does not open there.
    """

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key
        self._fingerprint = self._derive("fingerprint")[:FINGERPRINT_BYTES]
        self.key_hash_pepper = self._derive("tenant-key-hash")
        self.upstream_pepper = self._derive("upstream-identity")

    def seal(self, tenant_id: str, place: str, plaintext: bytes) -> bytes:
        """Encrypt `plaintext` for `tenant_id`, bound to `place`."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self._derive(f"tenant/{tenant_id}"))
        return FORMAT + self._fingerprint + nonce + cipher.encrypt(nonce, plaintext, place.encode())

    def sealed_here(self, sealed: bytes) -> bool:
        """Whether a value was sealed under this master key, going by its fingerprint."""
        return sealed[: 1 + FINGERPRINT_BYTES] == FORMAT + self._fingerprint

    def open(self, tenant_id: str, place: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made with the same tenant and place. Raises VaultError."""
        rest = sealed[1 + FINGERPRINT_BYTES :]
        if not self.sealed_here(sealed):
            raise VaultError(f"{place} was sealed under another master key")
        cipher = AESGCM(self._derive(f"tenant/{tenant_id}"))
        try:
            return cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce and a tag
            raise VaultError(f"{place} does not open: it was altered or moved") from None

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"quartermaster/v1/" + purpose.encode()).derive(self._master_key)
