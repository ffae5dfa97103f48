"""Embedded images by a column, and the folders that the other images of a data set may lie in."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FILES = (
    "id", "dataset_id", "name", "path", "size", "mtime_ns", "image_id", "problem",
)  # fmt: skip

# An image that came inside its data set was called by its sha256 and stored under it; so was a
# file that a data set named alike.
_OURS = """
EXISTS (SELECT 1 FROM images i WHERE i.id = image_files.image_id
        AND image_files.name = 'sha256:' || i.sha256 AND image_files.path LIKE '%_' || i.sha256)
"""


def upgrade() -> None:
    """Add image_files.embedded and datasets.image_roots, and tell embedded images by the store."""
    op.add_column("datasets", sa.Column("image_roots", sa.JSON(), nullable=True))
    _fill_roots()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        _alter()
    _read_again()


def _fill_roots() -> None:
    datasets = sa.table(
        "datasets",
        sa.column("id", sa.Integer()),
        sa.column("path", sa.Text()),
        sa.column("image_root", sa.Text()),
        sa.column("image_roots", sa.JSON()),
    )
    bind = op.get_bind()
    for row in bind.execute(sa.select(datasets)).all():
        path = Path(row.path)
        is_file = path.is_file() or (bool(path.suffix) and not path.is_dir())
        folders = [row.image_root, path.parent if is_file else path]
        roots = [str(Path(folder).resolve()) for folder in folders if folder]
        bind.execute(
            datasets.update()
            .where(datasets.c.id == row.id)
            .values(image_roots=list(dict.fromkeys(roots)))
        )


def _alter() -> None:
    op.add_column(
        "image_files",
        sa.Column("embedded", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("image_files", "embedded", server_default=None)
    op.execute(f"UPDATE image_files SET embedded = true WHERE {_OURS}")
    op.drop_constraint(op.f("uq_image_files_dataset_id_name"), "image_files")
    op.create_unique_constraint(
        op.f("uq_image_files_dataset_id_name_embedded"),
        "image_files",
        ["dataset_id", "name", "embedded"],
    )


def _rebuild() -> None:
    """Make the table anew, as SQLite changes no constraint; and the one that refers to it.

    The other way round, the rows that refer to a table would be deleted with it.
    """
    op.create_table(
        "image_files_new",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("embedded", sa.Boolean(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True),
        sa.Column("image_id", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_image_files_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_image_files_image_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_files")),
        sa.UniqueConstraint(
            "dataset_id", "name", "embedded", name=op.f("uq_image_files_dataset_id_name_embedded")
        ),
    )
    op.create_table(
        "sample_images_new",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["image_files_new.id"],
            name=op.f("fk_sample_images_file_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["samples.id"],
            name=op.f("fk_sample_images_sample_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sample_id", "position", name=op.f("pk_sample_images")),
        sqlite_with_rowid=False,
    )
    names = ", ".join(_FILES)
    op.execute(
        f"INSERT INTO image_files_new ({names}, embedded) SELECT {names}, {_OURS} FROM image_files"
    )
    op.execute(
        "INSERT INTO sample_images_new (sample_id, position, file_id) "
        "SELECT sample_id, position, file_id FROM sample_images"
    )
    op.drop_table("sample_images")
    op.drop_table("image_files")
    op.rename_table("image_files_new", "image_files")
    op.rename_table("sample_images_new", "sample_images")
    op.create_index(op.f("ix_image_files_image_id"), "image_files", ["image_id"], unique=False)
    op.create_index(op.f("ix_sample_images_file_id"), "sample_images", ["file_id"], unique=False)


def _read_again() -> None:
    """Forget what stood behind names that only look like ours, and have their data sets read."""
    op.execute(
        "UPDATE datasets SET source_state = NULL WHERE id IN "
        "(SELECT dataset_id FROM image_files WHERE name LIKE 'sha256:%')"
    )
    op.execute(
        "UPDATE image_files SET path = NULL, size = NULL, mtime_ns = NULL, image_id = NULL, "
        "problem = name || ': run `ig4 ingest` again to find this image' "
        "WHERE name LIKE 'sha256:%' AND NOT embedded"
    )
