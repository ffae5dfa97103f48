"""What shows that a process is alive without a clock: a count of its beats, and its start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `beats` and `started` to llm_workers."""
    op.add_column(
        "llm_workers", sa.Column("beats", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("llm_workers", sa.Column("started", sa.Text(), nullable=True))
