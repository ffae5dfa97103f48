"""Tables of data sets, samples, images and the runs of commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ig4.storage.schema.base import CASCADE, Base

_HAS_PROBLEM = text("problem IS NOT NULL")


class Run(Base):
    """One command that wrote to the database: its configuration, versions, seed and outcome.

    `host`, `pid` and `process_started` tell which process it was; NULL if an older ig4 wrote it.
    """

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    command: Mapped[str]
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"))
    config: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str]  # running, done, partial, failed, interrupted, killed
    summary: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    host: Mapped[str | None]
    pid: Mapped[int | None]
    process_started: Mapped[str | None]


class Setting(Base):
    """What holds for the database as a whole, and for all processes that use it.

    `vector_folder` is the folder of vectors in files: relative to the database file, or absolute;
    `vector_file_bytes` is about how large these are.
    """

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Dataset(Base):
    """One instruction set as ingested from `path`; `header` is the data beside its records."""

    __tablename__ = "datasets"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]
    format: Mapped[str]
    options: Mapped[dict[str, Any]]
    image_root: Mapped[str | None]
    image_roots: Mapped[list[str] | None] = mapped_column(JSON)  # real paths images may lie in
    header: Mapped[Any | None] = mapped_column(JSON)
    source_state: Mapped[str | None]  # sizes and times of the sources; NULL until read to the end
    created_at: Mapped[datetime]


class DatasetMember(Base):
    """A data set that is a part of a mixture, which has no samples of its own."""

    __tablename__ = "dataset_members"
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=CASCADE), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))


class Content(Base):
    """The content of a sample, in whatever data set: the key that scores belong to."""

    __tablename__ = "contents"
    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)


class Image(Base):
    """An image file, identified by the sha256 of its bytes; sizes come from its header, if any."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    format: Mapped[str | None]


class ImageFile(Base):
    """An image as a data set names it; if unreadable, `image_id` is NULL and `problem` is set.

    Only `embedded` tells whether it came inside the data set: a data set may name a file as ig4
    names those. Where `part` says so, its bytes are a part of the file at `path`.
    """

    __tablename__ = "image_files"
    __table_args__ = (
        UniqueConstraint("dataset_id", "name", "embedded"),
        Index(None, "image_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    name: Mapped[str]
    embedded: Mapped[bool]
    path: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id"))
    problem: Mapped[str | None]
    part: Mapped[str | None]  # "OFFSET+LENGTH" in the file; NULL: all of it


class Sample(Base):
    """One record of a data set; `ordinal` is its position, NULL once it was removed."""

    __tablename__ = "samples"
    __table_args__ = (
        UniqueConstraint("dataset_id", "external_id"),
        Index(None, "dataset_id", "ordinal", "content_id"),
        Index(
            "ix_samples_problem",
            "dataset_id",
            "ordinal",
            sqlite_where=_HAS_PROBLEM,
            postgresql_where=_HAS_PROBLEM,
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    ordinal: Mapped[int | None]
    external_id: Mapped[str]
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"))
    instruction: Mapped[str]
    answer: Mapped[str]
    turns: Mapped[str | None]  # JSON [[role, text], …]; NULL for one instruction, one answer
    raw: Mapped[str]  # the record as JSON text
    problem: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    places: Mapped[str | None]  # JSON [[turn, position], …]; NULL: before the first question
    meta: Mapped[str | None]  # JSON {…}: what the data set tells of it; NULL: nothing


class SampleImage(Base):
    """The images of a sample, in order."""

    __tablename__ = "sample_images"
    __table_args__ = (
        Index(None, "file_id"),
        {"sqlite_with_rowid": False},
    )
    sample_id: Mapped[int] = mapped_column(
        ForeignKey("samples.id", ondelete=CASCADE), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("image_files.id", ondelete=CASCADE))


class FileDigest(Base):
    """The sha256 of a file that a fingerprint depends on, valid while size and time are equal."""

    __tablename__ = "file_digests"
    path: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
