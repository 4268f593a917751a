"""The tables. Times are milliseconds since the epoch, UTC; sealed columns are encrypted under the tenant's key."""

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
HEAD: Final = "0001"

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
    Column("secret_hash", LargeBinary(32), nullable=False),
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
    # One active store per tenant, kept by the database itself.
    Index(
        "uq_stores_default",
        "tenant_id",
        unique=True,
        sqlite_where=text("is_default"),
        postgresql_where=text("is_default"),
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
    Column("sealed_result", LargeBinary),
    Column("request_id", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Index(
        "uq_writes_idempotency_key",
        "tenant_id",
        "store_id",
        "tool",
        "idempotency_key",
        unique=True,
        sqlite_where=text("idempotency_key IS NOT NULL"),
        postgresql_where=text("idempotency_key IS NOT NULL"),
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
    Index("ix_audit_tenant_id_at", "tenant_id", "at"),
    sqlite_autoincrement=True,
)
