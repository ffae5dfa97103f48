"""Options as they were chosen: of the scorers of a data set, and of what a clustering used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add dataset_scorers.options and clusterings.settings; NULL where they were not recorded."""
    op.add_column("dataset_scorers", sa.Column("options", sa.JSON(), nullable=True))
    op.add_column("clusterings", sa.Column("settings", sa.JSON(), nullable=True))
