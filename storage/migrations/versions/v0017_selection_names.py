"""Names of selections, the scores and quotas that samples were selected by, and pins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; selections that are there have no name, and their percents are not known."""
    op.add_column("selected_samples", sa.Column("quota", sa.Integer(), nullable=True))
    op.create_index(
        "ix_selected_samples_sample_id_selection_id",
        "selected_samples",
        ["sample_id", "selection_id"],
    )
    op.create_table(
        "selection_names",
        sa.Column("selection_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("selection_names", "selection_id", "selections", "CASCADE"),
        _belongs("selection_names", "dataset_id", "datasets", "CASCADE"),
        sa.PrimaryKeyConstraint("selection_id", name="pk_selection_names"),
        sa.UniqueConstraint("dataset_id", "name", name="uq_selection_names_dataset_id_name"),
    )
    op.create_table(
        "selection_scorers",
        sa.Column("selection_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("component_id", sa.Integer(), nullable=False),
        sa.Column("values_crc", sa.BigInteger(), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("selection_scorers", "selection_id", "selections", "CASCADE"),
        _belongs("selection_scorers", "component_id", "components"),
        sa.PrimaryKeyConstraint("selection_id", "position", name="pk_selection_scorers"),
    )
    op.create_table(
        "selected_scores",
        sa.Column("selection_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.Column("percent", sa.Float(53), nullable=True),
        _belongs("selected_scores", "selection_id", "selections", "CASCADE"),
        sa.PrimaryKeyConstraint("selection_id", "rank", "position", name="pk_selected_scores"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pins",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("pins", "dataset_id", "datasets", "CASCADE"),
        _belongs("pins", "sample_id", "samples", "CASCADE"),
        sa.PrimaryKeyConstraint("dataset_id", "sample_id", name="pk_pins"),
    )


def _belongs(
    table: str, column: str, other: str, ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=ondelete
    )
