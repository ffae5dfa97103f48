"""An index of the few samples with a problem, which every selection asks for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    some = sa.text("problem IS NOT NULL")
    op.create_index(
        "ix_samples_problem",
        "samples",
        ["dataset_id", "ordinal"],
        sqlite_where=some,
        postgresql_where=some,
    )
