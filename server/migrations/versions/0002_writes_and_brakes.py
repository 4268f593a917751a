"""Writes keep what they need to be looked up and reverted; audit rows of writes; brakes; sealed key hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

UNSETTLED = sa.text("state IN ('intent', 'uncertain')")


def upgrade() -> None:
    op.create_table(
        "brakes",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("pulled_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("scope", "subject", "kind", name=op.f("pk_brakes")),
    )
    op.create_table(
        "write_leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("write_id", sa.String(length=32), nullable=False),
        sa.Column("process", sa.String(length=128), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_write_leases")),
    )
    with op.batch_alter_table("write_leases") as batch:
        batch.create_index(batch.f("ix_write_leases_write_id"), ["write_id"])
    with op.batch_alter_table("audit") as batch:
        batch.add_column(sa.Column("write_id", sa.String(length=32), nullable=True))
        batch.create_index(batch.f("ix_audit_write_id"), ["write_id"])
    with op.batch_alter_table("stores") as batch:
        batch.create_index("ix_stores_store_id", ["store_id"])
    with op.batch_alter_table("tenant_keys") as batch:
        batch.alter_column("secret_hash", type_=sa.LargeBinary(), existing_type=sa.LargeBinary(length=32))
    with op.batch_alter_table("writes") as batch:
        batch.add_column(sa.Column("objects", sa.Integer(), nullable=False, server_default=sa.text("1")))
        batch.add_column(sa.Column("capped", sa.Boolean(), nullable=False, server_default=sa.text("0")))
        batch.add_column(sa.Column("sealed_plan", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("reverts", sa.String(length=32), nullable=True))
        batch.add_column(sa.Column("process", sa.String(length=128), nullable=True))
        batch.create_index("ix_writes_tenant_id_created_at", ["tenant_id", "created_at"])
        batch.create_index("ix_writes_reverts", ["reverts"])
        batch.create_index("ix_writes_unsettled", ["created_at"], sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)


def downgrade() -> None:
    # Keys whose hashes are sealed cannot be read by the older release.
    with op.batch_alter_table("writes") as batch:
        batch.drop_index("ix_writes_unsettled", sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)
        batch.drop_index("ix_writes_reverts")
        batch.drop_index("ix_writes_tenant_id_created_at")
        batch.drop_column("process")
        batch.drop_column("reverts")
        batch.drop_column("sealed_plan")
        batch.drop_column("capped")
        batch.drop_column("objects")
    with op.batch_alter_table("tenant_keys") as batch:
        batch.alter_column("secret_hash", type_=sa.LargeBinary(length=32), existing_type=sa.LargeBinary())
    with op.batch_alter_table("stores") as batch:
        batch.drop_index("ix_stores_store_id")
    with op.batch_alter_table("audit") as batch:
        batch.drop_index(batch.f("ix_audit_write_id"))
        batch.drop_column("write_id")
    with op.batch_alter_table("write_leases") as batch:
        batch.drop_index(batch.f("ix_write_leases_write_id"))
    op.drop_table("write_leases")
    op.drop_table("brakes")
