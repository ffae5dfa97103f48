"""Where the images of samples stand among their texts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add samples.places; data sets are read again, because their formats have new versions."""
    op.add_column("samples", sa.Column("places", sa.Text(), nullable=True))
