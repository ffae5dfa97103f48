"""What travels to where the models are, and what comes back: one chunk of scoring."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ig4.core.records import Failure, Image, Sample, Score
from ig4.core.secrets import redact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row: TypeAlias = tuple[int, float | None, str | None, str | None]
"""(content id, value, error, details as JSON text): one row of `scores`."""

Vector: TypeAlias = "NDArray[np.float32] | str"
"""The embedding (d,) of an image, or why there is none."""

EMPTY_ANSWER = "the answer is empty"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image to read: its id in the store, and where its file is and what that must hold."""

    id: int
    image: Image


@dataclass(frozen=True, slots=True)
class ScoreTask:
    """A chunk of samples, and what is missing for them.

    `to_score` names for each scorer (by label) the positions in `samples` it has to rate;
    `to_embed` for each embedder (by label) the images it has to embed. `vectors` are the
    embeddings the store already has, by embedder and image id; `shown` are the image ids of
    each sample, in its order.
    """

    contents: tuple[int, ...]
    samples: tuple[Sample, ...]
    shown: tuple[tuple[int, ...], ...]
    to_score: Mapping[str, tuple[int, ...]]
    to_embed: Mapping[str, tuple[ImageSource, ...]]
    vectors: Mapping[str, Mapping[int, Vector]]


@dataclass(frozen=True, slots=True)
class ScoreTaskResult:
    """What a task brought: rows for the store, and the seconds each component took, by label."""

    scores: Mapping[str, Sequence[Row]]
    embeddings: Mapping[str, Sequence[tuple[int, Vector]]]
    seconds: Mapping[str, float]


def score_row(content: int, answer: Score | Failure) -> Row:
    """Return the row of `scores` for a scorer's answer; a value that is not finite is an error."""
    if isinstance(answer, Failure):
        return content, None, redact(answer.reason), None
    value = float(answer.value)
    if not math.isfinite(value):
        return content, None, f"the scorer returned {value}, which is no score", None
    # What JSON has no form for (numpy's numbers) becomes text: details decide nothing.
    details = None if answer.details is None else json.dumps(dict(answer.details), default=str)
    return content, value, None, details
