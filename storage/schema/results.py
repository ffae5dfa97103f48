"""Tables of components and their results: scores, clusters, selections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from ig4.storage.schema.base import CASCADE, Base


class Component(Base):
    """A plugin's component with fixed version and options, which computed a result."""

    __tablename__ = "components"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    distribution: Mapped[str]
    version: Mapped[str]
    options: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class DatasetScorer(Base):
    """The component that a scorer's plain name is bound to in a data set.

    `options` are all that it was made with, also those that its fingerprint leaves out; NULL for
    imported scores and for those of an ig4 that did not record them.
    """

    __tablename__ = "dataset_scorers"
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=CASCADE), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    imported: Mapped[bool]
    options: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Score(Base):
    """The result of a scorer for a content: a value, or the error in its place.

    `crc` is the checksum that it was stored with (`storage/integrity/checksums.py`).
    """

    __tablename__ = "scores"
    __table_args__ = (
        CheckConstraint("(value IS NULL) <> (error IS NULL)", name="value_or_error"),
        {"sqlite_with_rowid": False},
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    value: Mapped[float | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    crc: Mapped[int | None] = mapped_column(BigInteger)


class ScoreDetails(Base):
    """What a scorer returns besides the value; a table of its own keeps reading values fast."""

    __tablename__ = "score_details"
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    details: Mapped[str]  # JSON
    crc: Mapped[int | None] = mapped_column(BigInteger)


class ScoreClaim(Base):
    """A batch that a process computes now: units `first` to `last` of a scorer or an embedder.

    Units are counted through the data set. The row goes in the transaction that stores the results,
    or when the process (`worker`, in `llm_workers`) has ended.
    """

    __tablename__ = "score_claims"
    __table_args__ = ({"sqlite_with_rowid": False},)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=CASCADE), primary_key=True
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    worker: Mapped[str]


class DatasetSpace(Base):
    """The embedder that a space's plain name is bound to in a data set, or imported vectors."""

    __tablename__ = "dataset_spaces"
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=CASCADE), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    imported: Mapped[bool]
    options: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Grouping(Base):
    """The groups of a data set by a grouper; `inputs` is a digest of all they were made from.

    `group_names` are the names of the groups, in the order of their labels.
    """

    __tablename__ = "groupings"
    __table_args__ = (UniqueConstraint("dataset_id", "inputs"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    name: Mapped[str]
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    inputs: Mapped[str]
    group_names: Mapped[list[str]] = mapped_column(JSON)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    labels_crc: Mapped[int | None] = mapped_column(BigInteger)
    crc: Mapped[int | None] = mapped_column(BigInteger)


class GroupLabel(Base):
    """A group of a sample in a grouping; a sample may have several."""

    __tablename__ = "group_labels"
    __table_args__ = ({"sqlite_with_rowid": False},)
    grouping_id: Mapped[int] = mapped_column(
        ForeignKey("groupings.id", ondelete=CASCADE), primary_key=True
    )
    sample_id: Mapped[int] = mapped_column(
        ForeignKey("samples.id", ondelete=CASCADE), primary_key=True
    )
    label: Mapped[int] = mapped_column(Integer, primary_key=True)


class Checkup(Base):
    """What `ig4 check` found of a column of scores: `result` by name of the check.

    `inputs` is a digest of what it looked at.
    """

    __tablename__ = "checkups"
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=CASCADE), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    inputs: Mapped[str]
    result: Mapped[dict[str, Any]]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class SelectionReport(Base):
    """What a selection is told with: its name, composition, effective weights, duplicates."""

    __tablename__ = "selection_reports"
    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selections.id", ondelete=CASCADE), primary_key=True
    )
    name: Mapped[str | None]
    report: Mapped[dict[str, Any]]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Clustering(Base):
    """One clustering of a data set; `inputs` is a digest of all that it was computed from.

    `settings` has the options of its clusterer and embedder; NULL where they were not recorded.
    """

    __tablename__ = "clusterings"
    __table_args__ = (UniqueConstraint("dataset_id", "inputs"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    name: Mapped[str]
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    inputs: Mapped[str]
    k: Mapped[int | None]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    imported: Mapped[bool]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    settings: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    labels_crc: Mapped[int | None] = mapped_column(BigInteger)
    crc: Mapped[int | None] = mapped_column(BigInteger)


class ClusterLabel(Base):
    """The cluster of each sample in a clustering."""

    __tablename__ = "cluster_labels"
    __table_args__ = ({"sqlite_with_rowid": False},)
    clustering_id: Mapped[int] = mapped_column(
        ForeignKey("clusterings.id", ondelete=CASCADE), primary_key=True
    )
    sample_id: Mapped[int] = mapped_column(
        ForeignKey("samples.id", ondelete=CASCADE), primary_key=True
    )
    label: Mapped[int] = mapped_column(Integer)


class Selection(Base):
    """One selection of samples: the selector, its configuration and its inputs."""

    __tablename__ = "selections"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    clustering_id: Mapped[int | None] = mapped_column(
        ForeignKey("clusterings.id", ondelete="SET NULL")
    )
    size: Mapped[int]
    config: Mapped[dict[str, Any]]  # scorers with their components, weights, scale, seed, counts
    digest: Mapped[str]  # of the configuration and of the ranked samples
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    samples_crc: Mapped[int | None] = mapped_column(BigInteger)
    crc: Mapped[int | None] = mapped_column(BigInteger)


class SelectedSample(Base):
    """One sample of a selection, with its content at that time.

    `quota` is how many samples its cluster or group could give, where the selector deals them.
    """

    __tablename__ = "selected_samples"
    __table_args__ = (Index(None, "sample_id", "selection_id"),)
    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selections.id", ondelete=CASCADE), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete=CASCADE))
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"))
    cluster: Mapped[int]
    final_score: Mapped[float | None]  # NULL: selected without scores
    quota: Mapped[int | None]
