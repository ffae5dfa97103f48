"""Vectors may lie in columnar files; which rows are where, and in which folder."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add vector_files and settings, and the place of each vector."""
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "vector_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("component_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["component_id"], ["components.id"], name="fk_vector_files_component_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vector_files"),
        sa.UniqueConstraint("name", name="uq_vector_files_name"),
    )
    for table, key in (("embeddings", "image_id"), ("input_embeddings", "digest")):
        op.add_column(table, sa.Column("file_id", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("file_row", sa.Integer(), nullable=True))
        op.create_index(
            f"ix_{table}_inside",
            table,
            ["component_id", key],
            sqlite_where=sa.text("file_id IS NULL AND error IS NULL"),
            postgresql_where=sa.text("file_id IS NULL AND error IS NULL"),
        )
