"""The tables of the score database.

A result belongs to the *content* of a sample (its text and the bytes of its images) and the
fingerprint of a component. Samples with equal content share one row of `contents`, in any data
set, and so share their results; a sample that changes refers to another row.
"""

from __future__ import annotations

from ig4.storage.schema.base import Base
from ig4.storage.schema.calls import LlmBatch, LlmCall, LlmWorker
from ig4.storage.schema.data import (
    Content,
    Dataset,
    DatasetMember,
    FileDigest,
    Image,
    ImageFile,
    Run,
    Sample,
    SampleImage,
    Setting,
)
from ig4.storage.schema.models import (
    Ablation,
    AblationCell,
    Evaluation,
    Judgement,
    Prediction,
    Training,
    TrainingStep,
    Verdict,
)
from ig4.storage.schema.results import (
    Checkup,
    Clustering,
    ClusterLabel,
    Component,
    DatasetScorer,
    DatasetSpace,
    Grouping,
    GroupLabel,
    Score,
    ScoreClaim,
    ScoreDetails,
    SelectedSample,
    Selection,
    SelectionReport,
)
from ig4.storage.schema.selections import Pin, SelectedScore, SelectionName, SelectionScorer
from ig4.storage.schema.vectors import Embedding, InputEmbedding, VectorFile

__all__ = [
    "Ablation",
    "AblationCell",
    "Base",
    "Checkup",
    "ClusterLabel",
    "Clustering",
    "Component",
    "Content",
    "Dataset",
    "DatasetMember",
    "DatasetScorer",
    "DatasetSpace",
    "Embedding",
    "Evaluation",
    "FileDigest",
    "GroupLabel",
    "Grouping",
    "Image",
    "ImageFile",
    "InputEmbedding",
    "Judgement",
    "LlmBatch",
    "LlmCall",
    "LlmWorker",
    "Pin",
    "Prediction",
    "Run",
    "Sample",
    "SampleImage",
    "Score",
    "ScoreClaim",
    "ScoreDetails",
    "SelectedSample",
    "SelectedScore",
    "Selection",
    "SelectionName",
    "SelectionReport",
    "SelectionScorer",
    "Setting",
    "Training",
    "TrainingStep",
    "VectorFile",
    "Verdict",
]
