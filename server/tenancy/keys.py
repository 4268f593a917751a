"""Tenant keys: `qm_ID.SECRET`, looked up by id and verified in constant time against a sealed hash of the secret."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from server.tenancy.vault import Vault, VaultError

KEY_SHAPE: Final = re.compile(r"qm_([a-z2-7]{16})\.([A-Za-z0-9_-]{43})\Z")


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A key as its owner holds it: 80 bits that name it, 256 that prove it."""

    id: str
    secret: str

    @classmethod
    def generate(cls) -> TenantKey:
        """A new random key."""
        return cls(base64.b32encode(secrets.token_bytes(10)).decode().lower(), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> TenantKey | None:
        """The key that `text` spells exactly, or None."""
        shape = KEY_SHAPE.match(text)
        return cls(shape[1], shape[2]) if shape else None

    def __str__(self) -> str:
        return f"qm_{self.id}.{self.secret}"

    def __repr__(self) -> str:
        return f"TenantKey({self.id})"


SALT_BYTES: Final = 32
PROOF_BYTES: Final = 64
FIRST_HASH_BYTES: Final = 32

Proof = tuple[bytes, bytes]
"""A salt, and the HMAC-SHA256 under it of the secret that a key must show."""


def hash_secret(salt: bytes, secret: str) -> bytes:
    """The 32 bytes by which a secret is recognised."""
    return hmac.digest(salt, secret.encode(), "sha256")


def seal_secret(vault: Vault, tenant_id: str, key: TenantKey) -> bytes:
    """What is stored of a key: a salt and the secret's hash, sealed, so that no row can be forged or moved."""
    salt = secrets.token_bytes(SALT_BYTES)
    return vault.seal(tenant_id, place_of(key.id), salt + hash_secret(salt, key.secret))


def proofs(vault: Vault, tenant_id: str, key_id: str, stored: bytes) -> tuple[Proof, ...]:
    """What a stored hash accepts: any of these. Raises VaultError where no master key opens it, or it is damaged."""
    opened = _opened(vault, tenant_id, key_id, stored)
    if not opened or len(opened) % PROOF_BYTES:
        raise VaultError(f"{place_of(key_id)} holds no hash of a key")
    return tuple(
        (opened[start : start + SALT_BYTES], opened[start + SALT_BYTES : start + PROOF_BYTES])
        for start in range(0, len(opened), PROOF_BYTES)
    )


def reseal(vault: Vault, tenant_id: str, key_id: str, stored: bytes) -> bytes:
    """`stored` sealed under the first master key. Raises VaultError where no master key opens it."""
    return vault.seal(tenant_id, place_of(key_id), _opened(vault, tenant_id, key_id, stored))


def _opened(vault: Vault, tenant_id: str, key_id: str, stored: bytes) -> bytes:
    if not isinstance(stored, bytes):  # SQLite keeps whatever it is given in any column
        raise VaultError(f"{place_of(key_id)} holds no hash of a key")
    if len(stored) == FIRST_HASH_BYTES:
        # From before 0002. Which of the master keys it was hashed under, nobody can tell without the secret.
        return b"".join(pepper + stored for pepper in vault.first_peppers)
    return vault.open(tenant_id, place_of(key_id), stored)


def place_of(key_id: str) -> str:
    """Where a key's hash is sealed to."""
    return f"tenant_keys/{key_id}"
