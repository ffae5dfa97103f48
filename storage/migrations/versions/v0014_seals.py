"""A checksum beside each row that holds a result; what was stored before has none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = (
    "ablation_cells", "clusterings", "components", "dataset_scorers", "evaluations", "judgements",
    "llm_batches", "llm_calls", "predictions", "score_details", "selections", "training_steps",
    "trainings", "verdicts",
)  # fmt: skip


def upgrade() -> None:
    """Add `crc` to tables of results, and the checksums of labels and of selected samples."""
    for table in _TABLES:
        op.add_column(table, sa.Column("crc", sa.BigInteger(), nullable=True))
    op.add_column("clusterings", sa.Column("labels_crc", sa.BigInteger(), nullable=True))
    op.add_column("selections", sa.Column("samples_crc", sa.BigInteger(), nullable=True))
