"""Where in a file an image lies that is a part of it, as in a tar."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add image_files.part."""
    op.add_column("image_files", sa.Column("part", sa.Text(), nullable=True))
