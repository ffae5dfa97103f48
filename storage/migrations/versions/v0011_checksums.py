"""A checksum beside each score and each embedding; what was stored before has none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `crc` to scores and embeddings."""
    for table in ("scores", "embeddings"):
        op.add_column(table, sa.Column("crc", sa.BigInteger(), nullable=True))
