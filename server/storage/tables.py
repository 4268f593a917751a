"""The tables. Times are milliseconds since the epoch, UTC; sealed columns are encrypted under the tenant's key.

The migrations make them. What a partial index leaves out is told here for SQLite alone, for PostgreSQL there: naming
that dialect here would import it into every process, 34 ms and 3 MB.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

# The revision that this code needs; a test holds it against Alembic's own head, so that
# serving need not import Alembic to know whether the schema is current.
HEAD: Final = "0003"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)

tenant_keys = Table(
    "tenant_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False, index=True),
    # Sealed salt and hash; before 0002, 32 bytes keyed by the master key of that time.
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

stores = Table(
    "stores",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    Column("store_id", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("label", String(200)),
    Column("sealed_api_key", LargeBinary, nullable=False),
    Column("is_default", Boolean(create_constraint=False), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "store_id"),
    Index("ix_stores_store_id", "store_id"),
    # What is sealed begins with its master key's fingerprint: what other keys sealed is found by it.
    Index("ix_stores_sealed_api_key", "sealed_api_key"),
    # One active store per tenant, kept by the database itself.
    Index(
        "uq_stores_default",
        "tenant_id",
        unique=True,
        sqlite_where=text("is_default"),
    ),
)

writes = Table(
    "writes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    Column("store_id", String(64), nullable=False),
    Column("tool", String(64), nullable=False),
    Column("target", String(64)),
    Column("idempotency_key", String(200)),
    Column("arguments_digest", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("error_code", String(64)),
    # How many of OrderDesk's objects it touches, and whether these count towards the tenant's hourly cap.
    Column("objects", Integer, nullable=False, server_default=text("1")),
    Column("capped", Boolean(create_constraint=False), nullable=False, server_default=text("0")),
    # What was asked, what was there before and what was to be there after; what the client was told.
    Column("sealed_plan", LargeBinary),
    Column("sealed_result", LargeBinary),
    Column("reverts", String(32)),
    # Whose call it is, while its state is "intent".
    Column("process", String(128)),
    Column("request_id", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Index("ix_writes_tenant_id_created_at", "tenant_id", "created_at"),
    Index("ix_writes_reverts", "reverts"),
    # Operators list the newest ones of all, of a state, or of a store.
    Index("ix_writes_created_at", "created_at"),
    Index("ix_writes_state_created_at", "state", "created_at"),
    Index("ix_writes_store_id_created_at", "store_id", "created_at"),
    Index(
        "uq_writes_idempotency_key",
        "tenant_id",
        "store_id",
        "tool",
        "idempotency_key",
        unique=True,
        sqlite_where=text("idempotency_key IS NOT NULL"),
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("tenant_id", String(32), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("tool", String(64), nullable=False),
    Column("store_id", String(64)),
    Column("target", String(64)),
    Column("status", String(16), nullable=False),
    Column("error_code", String(64)),
    Column("duration_ms", Integer, nullable=False),
    # Of a write: its row is committed with the intent and completed with the outcome.
    Column("write_id", String(32), index=True),
    Index("ix_audit_tenant_id_at", "tenant_id", "at"),
    sqlite_autoincrement=True,
)

write_leases = Table(
    "write_leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("write_id", String(32), nullable=False, index=True),
    Column("process", String(128), nullable=False),
    Column("taken_at", BigInteger, nullable=False),
)

brakes = Table(
    "brakes",
    metadata,
    # scope: server, tenant or store; subject: "", a tenant's id or a store row's; kind: read_only, suspended or cap.
    Column("scope", String(16), primary_key=True),
    Column("subject", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("value", Integer),
    Column("reason", String(200), nullable=False),
    Column("pulled_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
)
