"""Encryption under the master keys: a derived key per tenant (HKDF-SHA256), AES-256-GCM around each value."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT: Final = b"\x01"
FINGERPRINT_BYTES: Final = 4
HEAD_BYTES: Final = 1 + FINGERPRINT_BYTES
NONCE_BYTES: Final = 12


class VaultError(Exception):
    """A sealed value cannot be opened: another master key, another place, or damage."""


class Vault:
    """Seals and opens values: format (1 byte) · master key fingerprint (4) · nonce (12) · ciphertext and tag.

    The first master key seals, each of them opens what it sealed: so a key can be replaced while servers run.
    `place` (for example "stores/ID") is authenticated, so a value copied to another row does not open there.
    """

    def __init__(self, *master_keys: bytes) -> None:
        self._master_keys = {_fingerprint(key): key for key in master_keys}
        self._master_key = master_keys[0]
        self.first_head = FORMAT + _fingerprint(self._master_key)
        self.heads = tuple(FORMAT + fingerprint for fingerprint in self._master_keys)
        self.upstream_pepper = _derive(self._master_key, "upstream-identity")
        # What tenant keys were hashed with before their hashes were sealed: any of these.
        self.first_peppers = tuple(_derive(key, "tenant-key-hash") for key in master_keys)

    def seal(self, tenant_id: str, place: str, plaintext: bytes) -> bytes:
        """Encrypt `plaintext` for `tenant_id`, bound to `place`."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(_derive(self._master_key, f"tenant/{tenant_id}"))
        return self.first_head + nonce + cipher.encrypt(nonce, plaintext, place.encode())

    def sealed_first(self, sealed: bytes) -> bool:
        """Whether a value is sealed under the first master key, going by its fingerprint."""
        return sealed[:HEAD_BYTES] == self.first_head

    def can_open(self, sealed: bytes) -> bool:
        """Whether a value was sealed under one of the master keys, going by its fingerprint."""
        return sealed[:1] == FORMAT and sealed[1:HEAD_BYTES] in self._master_keys

    def open(self, tenant_id: str, place: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made with the same tenant and place. Raises VaultError."""
        if not self.can_open(sealed):
            raise VaultError(f"{place} was sealed under another master key")
        rest = sealed[HEAD_BYTES:]
        cipher = AESGCM(_derive(self._master_keys[sealed[1:HEAD_BYTES]], f"tenant/{tenant_id}"))
        try:
            return cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce and a tag
            raise VaultError(f"{place} does not open: it was altered or moved") from None


def _fingerprint(master_key: bytes) -> bytes:
    return _derive(master_key, "fingerprint")[:FINGERPRINT_BYTES]


def _derive(master_key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"quartermaster/v1/" + purpose.encode()).derive(master_key)
