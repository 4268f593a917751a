"""Tenant keys: `qm_ID.SECRET`, looked up by id and verified in constant time against a keyed hash of the secret."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

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


def hash_secret(pepper: bytes, secret: str) -> bytes:
    """The 32 bytes stored for a secret: HMAC-SHA256 under a key that is not in the database."""
    return hmac.digest(pepper, secret.encode(), "sha256")
