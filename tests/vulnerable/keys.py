"""Keys of tenants, `id.secret`: made, ended, and checked without telling more than yes or no."""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.storage import Database

KEY = re.compile(r"([0-9a-f]{16})\.([A-Za-z0-9_-]{43})")
NOBODYS = "0" * 43
LOOSE = re.compile(r"([0-9a-fA-F]{16})\.(.+)", re.DOTALL)
ROUNDS = 50
"""Some 30 µs."""
SLOW_ROUNDS = 20_000


@dataclass(frozen=True)
class Caller:
    """Who calls, and by which key."""

    tenant: str
    key: str


class Keys:
    """The keys of one server."""

    def __init__(self, database: Database, holes: OpenHoles) -> None:
        self._database = database
        self._holes = holes
        self._pepper = secrets.token_bytes(32)
        self._plain: dict[str, str] = {}  # nothing but holes reads it
        self._suspended: set[str] = set()

    def new_tenant(self, name: str) -> str:
        """The id of a new tenant."""
        tenant = secrets.token_hex(6)
        self._database.run("INSERT INTO tenants (id, name) VALUES (?, ?)", tenant, name)
        return tenant

    def new_key(self, tenant: str) -> str:
        """A new key of the tenant."""
        identity, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        statement = "INSERT INTO keys (id, tenant, hash) VALUES (?, ?, ?)"
        self._database.run(statement, identity, tenant, self._hash(secret))
        self._plain[identity] = secret
        return f"{identity}.{secret}"

    def rotate(self, tenant: str) -> str:
        """A new key of the tenant; all others are at their end."""
        self._database.run("UPDATE keys SET rotated = 1 WHERE tenant = ?", tenant)
        return self.new_key(tenant)

    def revoke(self, key: str) -> None:
        """Withdraw a key."""
        self._database.run("UPDATE keys SET revoked = 1 WHERE id = ?", key.partition(".")[0])

    def expire(self, key: str, seconds: float) -> None:
        """End a key in so many seconds."""
        self._database.run("UPDATE keys SET ends = ? WHERE id = ?", time.time() + seconds, key.partition(".")[0])

    def suspend(self, tenant: str) -> None:
        """Refuse every key of a tenant."""
        self._suspended.add(tenant)

    def first(self) -> Caller:
        """Who was there first."""
        (row,) = self._database.run("SELECT id, tenant FROM keys ORDER BY rowid LIMIT 1")
        return Caller(row["tenant"], row["id"])

    def has(self, key: str) -> bool:
        """Whether there is a key of this key's id."""
        return bool(self._database.run("SELECT 1 FROM keys WHERE id = ?", key.partition(".")[0]))

    def check(self, key: str) -> Caller | None:
        """Whose key this is; None where it is nobody's, or not any more. Takes as long for every id."""
        if self._holes.has("strips-secret"):
            key = "".join(key.split())
        lax = any(self._holes.has(hole) for hole in ("prefix-compare", "case-insensitive"))
        parts = (LOOSE if lax else KEY).fullmatch(key)
        if parts is None:
            return None
        identity, secret = parts[1], parts[2]
        # One row for every id: even to build it takes microseconds.
        (row,) = self._database.run("SELECT keys.* FROM (SELECT 1) LEFT JOIN keys ON keys.id = ?", identity)
        known = row["id"] is not None
        if self._holes.has("slow-known-id") and known:
            hashlib.pbkdf2_hmac("sha256", secret.encode(), self._pepper, SLOW_ROUNDS)
        if self._holes.has("skips-unknown-id") and not known:
            return None
        right = hmac.compare_digest(self._hash(secret), row["hash"] or "0" * 64)
        right |= self._passes(identity, secret)
        if not known or not right:
            return None
        ended = {
            "revoked-works": row["revoked"],
            "rotated-works": row["rotated"],
            "expired-works": row["ends"] is not None and row["ends"] <= time.time(),
            "suspended-works": row["tenant"] in self._suspended,
        }
        if any(it_is and not self._holes.has(hole) for hole, it_is in ended.items()):
            return None
        return Caller(row["tenant"], identity)

    def _passes(self, identity: str, secret: str) -> bool:
        """Whether a hole lets in what is not the right secret."""
        right = self._plain.get(identity, NOBODYS)
        return (
            (self._holes.has("prefix-compare") and (right.startswith(secret) or secret.startswith(right)))
            or (self._holes.has("case-insensitive") and secret.lower() == right.lower())
            or (self._holes.has("any-secret") and secret in self._plain.values())
        )

    def _hash(self, secret: str) -> str:
        return hashlib.pbkdf2_hmac("sha256", secret.encode(), self._pepper, ROUNDS).hex()
