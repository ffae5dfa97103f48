"""The tables of the score database.

A result belongs to the *content* of a sample (its text and the bytes of its images) and the
fingerprint of a component. Samples of any data set that say the same share one row of
`contents`, and so share what was computed; a sample that changes points to another row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_CASCADE = "CASCADE"


class Base(DeclarativeBase):
    """The declarative root; names every constraint so that migrations can find it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSON,
        bytes: LargeBinary,
        float: Float(53),
    }


class Run(Base):
    """One command that wrote to the database: its configuration, versions, seed, outcome."""

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    command: Mapped[str]
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"))
    config: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str]  # running, done, partial, failed, interrupted
    summary: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Dataset(Base):
    """One instruction set as ingested from `path`; `header` is what lies beside its records."""

    __tablename__ = "datasets"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]
    format: Mapped[str]
    options: Mapped[dict[str, Any]]
    image_root: Mapped[str | None]
    header: Mapped[Any | None] = mapped_column(JSON)
    source_state: Mapped[str | None]  # sizes and times of the sources; NULL until read to the end
    created_at: Mapped[datetime]


class Content(Base):
    """What a sample says, whatever data set it stands in: the key that scores belong to."""

    __tablename__ = "contents"
    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)


class Image(Base):
    """The bytes of an image file, known by their sha256; sizes from its header if it has one."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    format: Mapped[str | None]


class ImageFile(Base):
    """An image as a data set names it; `image_id` is NULL, with the problem, if unreadable."""

    __tablename__ = "image_files"
    __table_args__ = (
        UniqueConstraint("dataset_id", "name"),
        Index(None, "image_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=_CASCADE))
    name: Mapped[str]
    path: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id"))
    problem: Mapped[str | None]


class Sample(Base):
    """One record of a data set; `ordinal` is its place there, NULL once it is gone from it."""

    __tablename__ = "samples"
    __table_args__ = (
        UniqueConstraint("dataset_id", "external_id"),
        Index(None, "dataset_id", "ordinal", "content_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=_CASCADE))
    ordinal: Mapped[int | None]
    external_id: Mapped[str]
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"))
    instruction: Mapped[str]
    answer: Mapped[str]
    turns: Mapped[str | None]  # JSON [[role, text], …]; NULL for one instruction, one answer
    raw: Mapped[str]  # the record as JSON text
    problem: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))


class SampleImage(Base):
    """Which images a sample shows, in order."""

    __tablename__ = "sample_images"
    __table_args__ = (
        Index(None, "file_id"),
        {"sqlite_with_rowid": False},
    )
    sample_id: Mapped[int] = mapped_column(
        ForeignKey("samples.id", ondelete=_CASCADE), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("image_files.id", ondelete=_CASCADE))


class Component(Base):
    """A plugin's component with fixed version and options: what a result was computed by."""

    __tablename__ = "components"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    distribution: Mapped[str]
    version: Mapped[str]
    options: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class DatasetScorer(Base):
    """Which component a scorer's plain name stands for in a data set, now."""

    __tablename__ = "dataset_scorers"
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=_CASCADE), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    imported: Mapped[bool]


class Score(Base):
    """What a scorer said of a content: a value, or the error that kept it from one."""

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


class ScoreDetails(Base):
    """What a scorer tells beside the value; apart, so that reading values stays fast."""

    __tablename__ = "score_details"
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    details: Mapped[str]  # JSON


class Embedding(Base):
    """An image's vector by an embedder: little-endian float32 bytes, or the error."""

    __tablename__ = "embeddings"
    __table_args__ = (
        CheckConstraint("(vector IS NULL) <> (error IS NULL)", name="vector_or_error"),
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    vector: Mapped[bytes | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))


class Clustering(Base):
    """One grouping of a data set; `inputs` digests all that it was computed from."""

    __tablename__ = "clusterings"
    __table_args__ = (UniqueConstraint("dataset_id", "inputs"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=_CASCADE))
    name: Mapped[str]
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    inputs: Mapped[str]
    k: Mapped[int | None]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    imported: Mapped[bool]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class ClusterLabel(Base):
    """The cluster of each sample in a clustering."""

    __tablename__ = "cluster_labels"
    __table_args__ = ({"sqlite_with_rowid": False},)
    clustering_id: Mapped[int] = mapped_column(
        ForeignKey("clusterings.id", ondelete=_CASCADE), primary_key=True
    )
    sample_id: Mapped[int] = mapped_column(
        ForeignKey("samples.id", ondelete=_CASCADE), primary_key=True
    )
    label: Mapped[int] = mapped_column(Integer)


class Selection(Base):
    """One choice of samples: the selector, its configuration, and what it looked at."""

    __tablename__ = "selections"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=_CASCADE))
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    clustering_id: Mapped[int | None] = mapped_column(
        ForeignKey("clusterings.id", ondelete="SET NULL")
    )
    size: Mapped[int]
    config: Mapped[dict[str, Any]]  # scorers with their components, weights, scale, seed, counts
    digest: Mapped[str]  # of the configuration and of the ranked samples
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class SelectedSample(Base):
    """One sample of a selection, with the content it had then."""

    __tablename__ = "selected_samples"
    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selections.id", ondelete=_CASCADE), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete=_CASCADE))
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"))
    cluster: Mapped[int]
    final_score: Mapped[float]


class Training(Base):
    """One model trained on a selection, or on all of a data set (`selection_id` is NULL).

    `inputs` digests the trainer's fingerprint, the samples and the seed: a training of equal
    inputs in the same folder goes on where it was.
    """

    __tablename__ = "trainings"
    __table_args__ = (Index(None, "selection_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=_CASCADE))
    selection_id: Mapped[int | None] = mapped_column(
        ForeignKey("selections.id", ondelete="SET NULL")
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    inputs: Mapped[str]
    samples: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    output: Mapped[str]  # the checkpoint's folder
    status: Mapped[str]  # running, done, failed, interrupted
    steps: Mapped[int | None]  # of the optimiser, in all
    metrics: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class TrainingStep(Base):
    """One step of a training: the mean loss of its batch, before the weights changed."""

    __tablename__ = "training_steps"
    training_id: Mapped[int] = mapped_column(
        ForeignKey("trainings.id", ondelete=_CASCADE), primary_key=True
    )
    step: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[float]
    loss: Mapped[float]
    learning_rate: Mapped[float]
    grad_norm: Mapped[float | None]
    seconds: Mapped[float]


class Evaluation(Base):
    """What answers to a benchmark's questions came to.

    The answers are those of a checkpoint (`training_id` where the database knows its training) or
    of a file made elsewhere; `source` says which. `inputs` digests the questions, the answers'
    source and the decoding: an evaluation of equal inputs and benchmark goes on where it was.
    `metrics` are by name, `value` is the one called `headline`.
    """

    __tablename__ = "evaluations"
    __table_args__ = (Index(None, "training_id"), Index(None, "inputs"))
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))  # the benchmark
    name: Mapped[str]  # of the benchmark, as the user has it
    label: Mapped[str]  # of the model that answered
    source: Mapped[str]
    training_id: Mapped[int | None] = mapped_column(ForeignKey("trainings.id", ondelete="SET NULL"))
    inputs: Mapped[str]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    decoding: Mapped[dict[str, Any] | None]
    items: Mapped[int]
    failed: Mapped[int]
    status: Mapped[str]  # running, done, failed, interrupted
    headline: Mapped[str | None]
    value: Mapped[float | None]
    metrics: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Prediction(Base):
    """One answer of an evaluation, or the error in its place, and what it counts for.

    `content` digests all that a model's answer depends on (checkpoint, decoding, question, image),
    so that any evaluation may take it over; it is NULL for answers made elsewhere.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "content"),
        CheckConstraint("(answer IS NULL) <> (error IS NULL)", name="answer_or_error"),
    )
    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete=_CASCADE), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[str]
    category: Mapped[str]
    content: Mapped[str | None]
    answer: Mapped[str | None]
    error: Mapped[str | None]
    value: Mapped[float | None]


class Judgement(Base):
    """A comparison of two sets of answers by a judge; `summary` is what came of it.

    `inputs` digests the judge's fingerprint, the questions and both sets of answers: a judgement
    of equal inputs goes on where it was.
    """

    __tablename__ = "judgements"
    __table_args__ = (Index(None, "inputs"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))  # the judge
    name: Mapped[str]  # of the judge, as the user has it
    first: Mapped[str]  # who gave the answers that are compared
    second: Mapped[str]
    inputs: Mapped[str]
    pairs: Mapped[int]
    status: Mapped[str]  # running, done, partial, failed, interrupted
    summary: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Verdict(Base):
    """What the judge said of one pair in one order, or the error in its place.

    `first_score` and `second_score` belong to the answers of `first` and `second`, whatever the
    order: with `swapped`, the judge saw the second one first.
    """

    __tablename__ = "verdicts"
    __table_args__ = (
        CheckConstraint("(first_score IS NULL) <> (error IS NULL)", name="score_or_error"),
    )
    judgement_id: Mapped[int] = mapped_column(
        ForeignKey("judgements.id", ondelete=_CASCADE), primary_key=True
    )
    pair_id: Mapped[str] = mapped_column(primary_key=True)
    swapped: Mapped[bool] = mapped_column(primary_key=True)
    category: Mapped[str]
    first_score: Mapped[float | None]
    second_score: Mapped[float | None]
    explanation: Mapped[str | None]
    error: Mapped[str | None]


class Ablation(Base):
    """Arms that are trained and evaluated side by side; `config` says all that they share."""

    __tablename__ = "ablations"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=_CASCADE))
    inputs: Mapped[str] = mapped_column(unique=True)
    config: Mapped[dict[str, Any]]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class AblationCell(Base):
    """One arm with one seed: the selection, training and metrics (by benchmark) it came to."""

    __tablename__ = "ablation_cells"
    ablation_id: Mapped[int] = mapped_column(
        ForeignKey("ablations.id", ondelete=_CASCADE), primary_key=True
    )
    arm: Mapped[str] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    status: Mapped[str]  # running, done, failed, interrupted
    samples: Mapped[int | None]
    selection_id: Mapped[int | None] = mapped_column(
        ForeignKey("selections.id", ondelete="SET NULL")
    )
    training_id: Mapped[int | None] = mapped_column(ForeignKey("trainings.id", ondelete="SET NULL"))
    metrics: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    finished_at: Mapped[datetime | None]


class FileDigest(Base):
    """The sha256 of a file that a fingerprint depends on, as long as size and time agree."""

    __tablename__ = "file_digests"
    path: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]


class LlmWorker(Base):
    """A process that sends requests; what it claimed is free again once it is gone."""

    __tablename__ = "llm_workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    seen_at: Mapped[datetime]


class LlmBatch(Base):
    """Requests handed to a service at once; `key` is written down before the service has them."""

    __tablename__ = "llm_batches"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[str]
    model: Mapped[str]
    remote_id: Mapped[str | None]
    state: Mapped[str]  # preparing, submitted, ended, cancelled, failed
    requests: Mapped[int]
    error: Mapped[str | None]
    component_id: Mapped[int | None] = mapped_column(ForeignKey("components.id"))
    worker: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LlmCall(Base):
    """One request to a language model and its reply: cache and ledger at once.

    `state` is "claimed" while `worker` has it, "batch" while `batch_id` has it, "done" with a
    reply, "unreadable" with a reply that was no answer to the question, "failed" with an error.
    `cost` is in US dollars, NULL where the price is not known; `seconds` is the latency.
    """

    __tablename__ = "llm_calls"
    __table_args__ = (Index(None, "batch_id"), Index(None, "component_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    request_hash: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[str]
    model: Mapped[str]
    component_id: Mapped[int | None] = mapped_column(ForeignKey("components.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    state: Mapped[str]
    worker: Mapped[str | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("llm_batches.id"))
    reply: Mapped[str | None]
    finish: Mapped[str | None]
    error: Mapped[str | None]
    input_tokens: Mapped[int | None]
    cached_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cost: Mapped[float | None]
    seconds: Mapped[float | None]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
