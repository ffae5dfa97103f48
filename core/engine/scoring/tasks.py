"""What travels to where the models are, and what comes back: one batch of one component."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ig4.core.errors import PluginError
from ig4.core.records import NO_IMAGE, Failure, Image, Sample, Score
from ig4.core.secrets import redact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row: TypeAlias = tuple[int, float | None, str | None, str | None]
"""(content id, value, error, details as JSON text): one row of `scores`."""

Vector: TypeAlias = "NDArray[np.float32] | str"
"""The embedding (d,) of an image or a text, or why there is none."""

EMPTY_ANSWER = "the answer is empty"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image to read: its id in the store, and where its file is and what that must hold."""

    id: int
    image: Image


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """A batch of images for one embedder."""

    embedder: str
    images: tuple[ImageSource, ...]


@dataclass(frozen=True, slots=True)
class EmbedTextTask:
    """A batch of texts for one embedder; `digests` are what the store knows them by."""

    embedder: str
    digests: tuple[bytes, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RateTask:
    """A batch of samples for one scorer.

    `shown` are the image ids of each sample, in its order. `vectors` are the embeddings of these
    images, by id, if the scorer reads them.
    """

    scorer: str
    contents: tuple[int, ...]
    samples: tuple[Sample, ...]
    shown: tuple[tuple[int, ...], ...]
    vectors: Mapping[int, Vector] | None = None


ScoreTask: TypeAlias = EmbedTask | EmbedTextTask | RateTask
"""What travels to where the models are: one batch of one component."""


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """The rows that an embedder's batch of images brought, and the seconds it took."""

    embedder: str
    rows: Sequence[tuple[int, Vector]]
    seconds: float
    outcomes: Sequence[str | None] = ()
    """Of each image that the embedder itself has seen: None, or why it failed."""

    @property
    def failed(self) -> int:
        """How many of the rows are errors."""
        return sum(isinstance(vector, str) for _, vector in self.rows)


@dataclass(frozen=True, slots=True)
class EmbedTextResult:
    """The rows that an embedder's batch of texts brought, and the seconds it took."""

    embedder: str
    rows: Sequence[tuple[bytes, Vector]]
    seconds: float
    outcomes: Sequence[str | None] = ()
    """Of each text that the embedder itself has seen: None, or why it failed."""

    @property
    def failed(self) -> int:
        """How many of the rows are errors."""
        return sum(isinstance(vector, str) for _, vector in self.rows)


@dataclass(frozen=True, slots=True)
class RateResult:
    """The rows that a scorer's batch brought, and the seconds it took."""

    scorer: str
    rows: Sequence[Row]
    seconds: float
    outcomes: Sequence[str | None] = ()
    """Of each sample that the scorer itself has seen: None, or why it failed."""

    outputs: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """The rows of each output of the scorer, for the same samples."""

    @property
    def failed(self) -> int:
        """How many of the rows are errors, but for those of samples without an image."""
        return sum(error is not None and error != NO_IMAGE for _, _, error, _ in self.rows)


ScoreTaskResult: TypeAlias = EmbedResult | EmbedTextResult | RateResult
"""What comes back: rows for the store."""


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


def output_rows(
    label: str, outputs: Sequence[str], answers: Sequence[tuple[int, Score | Failure]]
) -> dict[str, list[Row]]:
    """Return the rows of `scores` for each output of a scorer, from (content id, answer) pairs.

    Where the scorer failed, or gave no main value, its outputs failed for the same reason.

    Raises:
        PluginError: an answer has an output that the scorer does not declare.
    """
    for _, answer in answers:
        given = (answer.outputs or {}) if isinstance(answer, Score) else {}
        odd = [name for name in given if name not in outputs]
        if odd:
            raise PluginError(
                f"scorer {label} gave an output {odd[0]!r} that it does not declare (it declares: "
                f"{', '.join(outputs) or 'none'})"
            )
    return {name: [_output_row(name, *answer) for answer in answers] for name in outputs}


def _output_row(name: str, content: int, answer: Score | Failure) -> Row:
    main = score_row(content, answer)
    if isinstance(answer, Failure) or main[2] is not None:
        return content, None, main[2], None
    given = (answer.outputs or {}).get(name)
    if given is None:
        return content, None, f"the scorer gave no value for its output {name}", None
    value = float(given)
    if not math.isfinite(value):
        return content, None, f"the scorer returned {value}, which is no score", None
    return content, value, None, None
