"""Embeds and scores one chunk after another, where the models are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.chunks import chunks
from ig4.core.contracts import Configurable, Embedder, Scorer, Work
from ig4.core.engine.batchwise import answer_batch
from ig4.core.engine.scoring.imagereading import ImageReader, LoadedImage, with_pixels
from ig4.core.engine.scoring.tasks import (
    EMPTY_ANSWER,
    ImageSource,
    Row,
    ScoreTask,
    ScoreTaskResult,
    Vector,
    score_row,
)
from ig4.core.errors import Ig4Error, PluginError
from ig4.core.files.images import ImageError
from ig4.core.records import Failure, Image, Sample, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ScoreWork(Work[ScoreTask, ScoreTaskResult]):
    """Embeds and scores chunks; each image of a chunk is decoded once for all components."""

    def __init__(
        self,
        scorers: Mapping[str, Scorer],
        embedders: Mapping[str, Embedder],
        embedder_of: Mapping[str, str],
        batch_sizes: Mapping[str, int],
        readers: int | None = None,
    ) -> None:
        self.scorers = dict(scorers)
        self.embedders = dict(embedders)
        self.embedder_of = dict(embedder_of)
        self.batch_sizes = dict(batch_sizes)
        self.reader = ImageReader(self.embedders, readers)
        self._reading: dict[int, dict[int, Future[LoadedImage]]] = {}

    def open(self) -> None:
        """Open every component and start the reader threads."""
        self.reader.open()
        opened: list[Configurable] = []
        try:
            for component in (*self.embedders.values(), *self.scorers.values()):
                component.open()
                opened.append(component)
        except BaseException:
            for component in reversed(opened):
                component.close()
            self.reader.close()
            raise

    def close(self) -> None:
        """Close every component and end the reader threads."""
        self.reader.close()
        for component in (*self.scorers.values(), *self.embedders.values()):
            component.close()

    def prefetch(self, task: ScoreTask) -> None:
        """Start to decode the images of a task and to prepare them for the embedders."""
        self._reading[id(task)] = self.reader.start(task.to_embed, self._pixels_wanted(task))

    def __call__(self, task: ScoreTask) -> ScoreTaskResult:
        """Embed what is missing, then score."""
        if id(task) not in self._reading:
            self.prefetch(task)
        reading = self._reading.pop(id(task))
        vectors = {label: dict(known) for label, known in task.vectors.items()}
        embeddings: dict[str, Sequence[tuple[int, Vector]]] = {}
        scores: dict[str, Sequence[Row]] = {}
        seconds: dict[str, float] = {}
        for label, images in task.to_embed.items():
            began = time.perf_counter()
            rows = self._embed(label, [image.id for image in images], reading)
            seconds[label] = time.perf_counter() - began
            embeddings[label] = rows
            vectors.setdefault(label, {}).update(rows)
        for label, places in task.to_score.items():
            began = time.perf_counter()
            scores[label] = self._score(label, task, places, vectors, reading)
            seconds[label] = time.perf_counter() - began
        return ScoreTaskResult(scores, embeddings, seconds)

    def _pixels_wanted(self, task: ScoreTask) -> dict[int, ImageSource]:
        places = {
            place
            for label, places in task.to_score.items()
            if self.scorers[label].reads_pixels
            for place in places
        }
        return {
            image_id: ImageSource(image_id, image)
            for place in places
            for image_id, image in zip(
                task.shown[place], _readable(task.samples[place]), strict=True
            )
            if image.path is not None
        }

    def _embed(
        self, label: str, images: Sequence[int], reading: Mapping[int, Future[LoadedImage]]
    ) -> list[tuple[int, Vector]]:
        rows: list[tuple[int, Vector]] = []
        for batch in chunks(images, self.batch_sizes[label]):
            loaded = [reading[image_id].result() for image_id in batch]
            good = [n for n, image in enumerate(loaded) if label in image.prepared]
            prepared = [loaded[n].prepared.pop(label) for n in good]
            vectors = embed_batch(self.embedders[label], label, prepared)
            embedded = dict(zip(good, vectors, strict=True))
            for n, image_id in enumerate(batch):
                problem = loaded[n].problem or loaded[n].unprepared.get(label)
                rows.append((image_id, problem or embedded[n]))
        return rows

    def _score(
        self,
        label: str,
        task: ScoreTask,
        places: Sequence[int],
        vectors: Mapping[str, Mapping[int, Vector]],
        reading: Mapping[int, Future[LoadedImage]],
    ) -> list[Row]:
        scorer = self.scorers[label]
        answers: dict[int, Score | Failure] = {}
        ready: list[tuple[int, Sample]] = []
        for place in places:
            sample = self._ready(label, task, place, vectors, reading)
            if isinstance(sample, Failure):
                answers[place] = sample
            else:
                ready.append((place, sample))
        if ready:
            given = rate_batch(scorer, label, [sample for _, sample in ready])
            answers.update(zip((place for place, _ in ready), given, strict=True))
        return [score_row(task.contents[place], answers[place]) for place in places]

    def _ready(
        self,
        label: str,
        task: ScoreTask,
        place: int,
        vectors: Mapping[str, Mapping[int, Vector]],
        reading: Mapping[int, Future[LoadedImage]],
    ) -> Sample | Failure:
        """Return a sample with all that a scorer reads of it, or why that cannot be had."""
        scorer, shown = self.scorers[label], task.shown[place]
        sample: Sample | Failure = task.samples[place]
        assert isinstance(sample, Sample)
        if scorer.needs_answer and not sample.answer.strip():
            return Failure(EMPTY_ANSWER)
        if label in self.embedder_of:
            sample = _with_vectors(sample, shown, vectors.get(self.embedder_of[label], {}))
        if isinstance(sample, Sample) and scorer.reads_pixels:
            sample = with_pixels(sample, shown, reading)
        return sample


def embed_batch(embedder: Embedder, label: str, batch: Sequence[Any]) -> Sequence[Vector]:
    """Embed prepared images; if that raises, one by one, so that only the guilty ones fail.

    Raises:
        Ig4Error: the embedder itself cannot work, or breaks its contract.
    """
    if not batch:
        return []
    try:
        matrix = embedder.embed(batch)
    except Exception as error:
        if isinstance(error, (Ig4Error, MemoryError)) and not isinstance(error, ImageError):
            raise
        if len(batch) == 1:
            return [f"{label} failed: {type(error).__name__}: {error}"]
        return [embed_batch(embedder, label, [one])[0] for one in batch]
    _check_matrix(label, matrix, len(batch))
    return [
        vector if np.isfinite(vector).all() else "the embedding holds values that are no numbers"
        for vector in matrix
    ]


def rate_batch(scorer: Scorer, label: str, batch: Sequence[Sample]) -> Sequence[Score | Failure]:
    """Score a batch; raises as `batchwise.answered`."""
    return answer_batch(scorer.score, batch, Score, kind="scorer", label=label, unit="sample")


def _readable(sample: Sample) -> list[Image]:
    return [image for image in sample.images if image.sha256 is not None]


def _with_vectors(
    sample: Sample, shown: Sequence[int], known: Mapping[int, Vector]
) -> Sample | Failure:
    """Give a sample the embeddings of its images, or say which of them failed."""
    broken = next((image.problem for image in sample.images if image.problem), None)
    if broken:
        return Failure(broken)
    stored = [known.get(image_id, "the image was not embedded") for image_id in shown]
    problem = next((vector for vector in stored if isinstance(vector, str)), None)
    if problem is not None:
        return Failure(problem)
    return replace(sample, embeddings=np.stack(stored) if stored else None)


def _check_matrix(label: str, matrix: NDArray[np.float32], rows: int) -> None:
    if matrix.ndim != 2 or len(matrix) != rows or matrix.dtype != np.float32:
        raise PluginError(
            f"embedder {label} returned {matrix.dtype} of shape {matrix.shape} for {rows} images: "
            f"it must return float32 of shape ({rows}, d)"
        )
