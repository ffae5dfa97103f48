"""Groups, vectors of texts, spaces by name, mixtures of data sets, reports of selections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what pools are made of; a selection may be made without scores."""
    op.add_column("samples", sa.Column("meta", sa.Text(), nullable=True))
    with op.batch_alter_table("selected_samples") as table:
        table.alter_column("final_score", existing_type=sa.Float(53), nullable=True)
    _add_groups()
    _add_spaces()
    op.create_table(
        "dataset_members",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        _belongs("dataset_members", "dataset_id", "datasets", "CASCADE"),
        _belongs("dataset_members", "member_id", "datasets", "CASCADE"),
        sa.PrimaryKeyConstraint("dataset_id", "position", name="pk_dataset_members"),
    )
    op.create_table(
        "selection_reports",
        sa.Column("selection_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("selection_reports", "selection_id", "selections", "CASCADE"),
        sa.PrimaryKeyConstraint("selection_id", name="pk_selection_reports"),
    )
    op.create_table(
        "checkups",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("component_id", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("checkups", "dataset_id", "datasets", "CASCADE"),
        _belongs("checkups", "component_id", "components"),
        _belongs("checkups", "run_id", "runs", "SET NULL"),
        sa.PrimaryKeyConstraint("dataset_id", "name", name="pk_checkups"),
    )


def _add_groups() -> None:
    op.create_table(
        "groupings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("component_id", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("group_names", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("labels_crc", sa.BigInteger(), nullable=True),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("groupings", "dataset_id", "datasets", "CASCADE"),
        _belongs("groupings", "component_id", "components"),
        _belongs("groupings", "run_id", "runs", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_groupings"),
        sa.UniqueConstraint("dataset_id", "inputs", name="uq_groupings_dataset_id_inputs"),
    )
    op.create_table(
        "group_labels",
        sa.Column("grouping_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        _belongs("group_labels", "grouping_id", "groupings", "CASCADE"),
        _belongs("group_labels", "sample_id", "samples", "CASCADE"),
        sa.PrimaryKeyConstraint("grouping_id", "sample_id", "label", name="pk_group_labels"),
        sqlite_with_rowid=False,
    )


def _add_spaces() -> None:
    op.create_table(
        "input_embeddings",
        sa.Column("component_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(vector IS NULL) <> (error IS NULL)",
            name=op.f("ck_input_embeddings_vector_or_error"),
        ),
        _belongs("input_embeddings", "component_id", "components"),
        _belongs("input_embeddings", "run_id", "runs", "SET NULL"),
        sa.PrimaryKeyConstraint("component_id", "digest", name="pk_input_embeddings"),
    )
    op.create_table(
        "dataset_spaces",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("component_id", sa.Integer(), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=True),
        sa.Column("crc", sa.BigInteger(), nullable=True),
        _belongs("dataset_spaces", "dataset_id", "datasets", "CASCADE"),
        _belongs("dataset_spaces", "component_id", "components"),
        sa.PrimaryKeyConstraint("dataset_id", "name", name="pk_dataset_spaces"),
    )


def _belongs(
    table: str, column: str, other: str, ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=ondelete
    )
