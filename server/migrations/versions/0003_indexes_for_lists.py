"""Indexes by which writes are listed, whatever they are chosen by, and by which the stores' master keys are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

UNSETTLED = sa.text("state IN ('intent', 'uncertain')")


def upgrade() -> None:
    # What lists those of a state finds the unsettled ones as well: SQLite never took this for values that are bound.
    op.drop_index("ix_writes_unsettled", "writes", sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)
    op.create_index("ix_writes_state_created_at", "writes", ["state", "created_at"])
    op.create_index("ix_writes_store_id_created_at", "writes", ["store_id", "created_at"])
    op.create_index("ix_writes_created_at", "writes", ["created_at"])
    op.create_index("ix_stores_sealed_api_key", "stores", ["sealed_api_key"])


def downgrade() -> None:
    op.drop_index("ix_stores_sealed_api_key", "stores")
    op.drop_index("ix_writes_created_at", "writes")
    op.drop_index("ix_writes_store_id_created_at", "writes")
    op.drop_index("ix_writes_state_created_at", "writes")
    op.create_index("ix_writes_unsettled", "writes", ["created_at"], sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)
