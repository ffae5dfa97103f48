"""Tables of vectors: of images, of texts and other inputs, and the files that they lie in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from ig4.storage.schema.base import Base


def _inside(table: str, key: str) -> Index:
    """Return the index of the vectors that lie in the database itself."""
    condition = text("file_id IS NULL AND error IS NULL")
    return Index(
        f"ix_{table}_inside",
        "component_id",
        key,
        sqlite_where=condition,
        postgresql_where=condition,
    )


class VectorFile(Base):
    """A Parquet file of vectors: so many of a component, each a row, in the vector folder.

    `name` is its path within the folder. `key` is what its vectors are known by: `image_id` of
    `embeddings`, or `digest` of `input_embeddings`. Rows that no vector refers to any more stay in
    it.
    """

    __tablename__ = "vector_files"
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    name: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str]
    dimensions: Mapped[int]
    rows: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Embedding(Base):
    """An image's vector by an embedder: little-endian float32 bytes, or the error.

    A vector that lies in a file is empty here: it is row `file_row` of the file `file_id`. `crc` is
    the checksum of the vector wherever it lies (`storage/integrity/checksums.py`).
    """

    __tablename__ = "embeddings"
    __table_args__ = (
        CheckConstraint("(vector IS NULL) <> (error IS NULL)", name="vector_or_error"),
        _inside("embeddings", "image_id"),
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    vector: Mapped[bytes | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    crc: Mapped[int | None] = mapped_column(BigInteger)
    file_id: Mapped[int | None]
    file_row: Mapped[int | None]


class InputEmbedding(Base):
    """The vector of a text, or of what else the digest is of, by an embedder; or the error.

    `digest` has 16 bytes. The rest is as in `Embedding`.
    """

    __tablename__ = "input_embeddings"
    __table_args__ = (
        CheckConstraint("(vector IS NULL) <> (error IS NULL)", name="vector_or_error"),
        _inside("input_embeddings", "digest"),
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    vector: Mapped[bytes | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    crc: Mapped[int | None] = mapped_column(BigInteger)
    file_id: Mapped[int | None]
    file_row: Mapped[int | None]
