"""Tables of trainings, evaluations, judgements and ablations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column

from ig4.storage.schema.base import CASCADE, Base


class Training(Base):
    """One model trained on a selection, or on all of a data set (`selection_id` is NULL).

    `inputs` is a digest of the trainer's fingerprint, the samples and the seed: a training with
    equal inputs in the same folder resumes.
    """

    __tablename__ = "trainings"
    __table_args__ = (Index(None, "selection_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    selection_id: Mapped[int | None] = mapped_column(
        ForeignKey("selections.id", ondelete="SET NULL")
    )
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    inputs: Mapped[str]
    samples: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    output: Mapped[str]  # the checkpoint's folder
    status: Mapped[str]  # running, done, failed, interrupted
    steps: Mapped[int | None]  # of the optimiser, in total
    metrics: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class TrainingStep(Base):
    """One step of a training: the mean loss of its batch, before the weights changed."""

    __tablename__ = "training_steps"
    training_id: Mapped[int] = mapped_column(
        ForeignKey("trainings.id", ondelete=CASCADE), primary_key=True
    )
    step: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[float]
    loss: Mapped[float]
    learning_rate: Mapped[float]
    grad_norm: Mapped[float | None]
    seconds: Mapped[float]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Evaluation(Base):
    """The metrics of a model's answers to a benchmark.

    The answers come from a checkpoint (with `training_id` if its training is in the database) or
    from a file made elsewhere; `source` says which. `inputs` is a digest of the questions, the
    source of the answers and the decoding: an evaluation with equal inputs and benchmark resumes.
    `metrics` are by name; `value` is the metric named by `headline`.
    """

    __tablename__ = "evaluations"
    __table_args__ = (Index(None, "training_id"), Index(None, "inputs"))
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))  # the benchmark
    name: Mapped[str]  # of the benchmark, as the user calls it
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
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Prediction(Base):
    """One answer of an evaluation, or the error in its place, and its value.

    `content` is a digest of all that a model's answer depends on (checkpoint, decoding, question,
    image), so that any evaluation may reuse it; it is NULL for answers made elsewhere.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "content"),
        CheckConstraint("(answer IS NULL) <> (error IS NULL)", name="answer_or_error"),
    )
    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete=CASCADE), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[str]
    category: Mapped[str]
    content: Mapped[str | None]
    answer: Mapped[str | None]
    error: Mapped[str | None]
    value: Mapped[float | None]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Judgement(Base):
    """A comparison of two sets of answers by a judge; `summary` is its result.

    `inputs` is a digest of the judge's fingerprint, the questions and both sets of answers: a
    judgement with equal inputs resumes.
    """

    __tablename__ = "judgements"
    __table_args__ = (Index(None, "inputs"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))  # the judge
    name: Mapped[str]  # of the judge, as the user calls it
    first: Mapped[str]  # label of the first side's answers
    second: Mapped[str]
    inputs: Mapped[str]
    pairs: Mapped[int]
    status: Mapped[str]  # running, done, partial, failed, interrupted
    summary: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Verdict(Base):
    """The verdict of the judge on one pair in one order, or the error in its place.

    `first_score` and `second_score` belong to the answers of `first` and `second`, whatever the
    order: with `swapped`, the judge saw the second one first.
    """

    __tablename__ = "verdicts"
    __table_args__ = (
        CheckConstraint("(first_score IS NULL) <> (error IS NULL)", name="score_or_error"),
    )
    judgement_id: Mapped[int] = mapped_column(
        ForeignKey("judgements.id", ondelete=CASCADE), primary_key=True
    )
    pair_id: Mapped[str] = mapped_column(primary_key=True)
    swapped: Mapped[bool] = mapped_column(primary_key=True)
    category: Mapped[str]
    first_score: Mapped[float | None]
    second_score: Mapped[float | None]
    explanation: Mapped[str | None]
    error: Mapped[str | None]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class Ablation(Base):
    """Arms that are trained and evaluated side by side; `config` holds their shared settings."""

    __tablename__ = "ablations"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    inputs: Mapped[str] = mapped_column(unique=True)
    config: Mapped[dict[str, Any]]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class AblationCell(Base):
    """One arm with one seed: its selection, training and metrics (by benchmark)."""

    __tablename__ = "ablation_cells"
    ablation_id: Mapped[int] = mapped_column(
        ForeignKey("ablations.id", ondelete=CASCADE), primary_key=True
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
    crc: Mapped[int | None] = mapped_column(BigInteger)
