"""Embeds and scores one batch after another, where the models are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Configurable, Embedder, Scorer, Work
from ig4.core.engine.batchwise import answer_batch
from ig4.core.engine.scoring.imagereading import ImageReader, LoadedImage, with_pixels
from ig4.core.engine.scoring.inputs import EMPTY_TEXT
from ig4.core.engine.scoring.tasks import (
    EMPTY_ANSWER,
    EmbedResult,
    EmbedTask,
    EmbedTextResult,
    EmbedTextTask,
    ImageSource,
    RateResult,
    RateTask,
    ScoreTask,
    ScoreTaskResult,
    Vector,
    output_rows,
    score_row,
)
from ig4.core.errors import Ig4Error, PluginError
from ig4.core.files.images.decode import ImageError
from ig4.core.host.watch import open_named
from ig4.core.records import Failure, Image, Sample, Score
from ig4.core.secrets import redact

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ScoreWork(Work[ScoreTask, ScoreTaskResult]):
    """Embeds and scores batches; images are read ahead, in threads.

    `scorers` are known by label, `embedders` by fingerprint; `names` are those that the user
    gave the embedders. An image that several components look at is kept for a while.
    """

    def __init__(
        self,
        scorers: Mapping[str, Scorer],
        embedders: Mapping[str, Embedder],
        names: Mapping[str, str],
        readers: int | None = None,
    ) -> None:
        self.scorers = dict(scorers)
        self.embedders = dict(embedders)
        self.names = dict(names)
        seeing = sum(embedder.reads == "image" for embedder in embedders.values())
        looking = seeing + sum(scorer.reads_pixels for scorer in scorers.values())
        self.reader = ImageReader(self.embedders, readers, shared=looking > 1)
        self._reading: dict[int, dict[int, Future[LoadedImage]]] = {}

    def open(self) -> None:
        """Open every component and start the reader threads."""
        self.reader.open()
        opened: list[Configurable] = []
        try:
            components = (*self.embedders.items(), *self.scorers.items())
            for label, component in components:
                open_named(component, self.names.get(label, label))
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
        """Start to decode the images of a task, and to prepare them for an embedder."""
        if isinstance(task, EmbedTextTask):
            return
        if isinstance(task, EmbedTask):
            reading = self.reader.start({task.embedder: task.images}, {})
        else:
            reading = self.reader.start({}, self._pixels_wanted(task))
        self._reading[id(task)] = reading

    def __call__(self, task: ScoreTask) -> ScoreTaskResult:
        """Embed or score one batch."""
        if isinstance(task, EmbedTextTask):
            return self._embed_texts(task)
        if id(task) not in self._reading:
            self.prefetch(task)
        reading = self._reading.pop(id(task))
        if isinstance(task, EmbedTask):
            return self._embed(task, reading)
        return self._rate(task, reading)

    def _pixels_wanted(self, task: RateTask) -> dict[int, ImageSource]:
        if not self.scorers[task.scorer].reads_pixels:
            return {}
        return {
            image_id: ImageSource(image_id, image)
            for sample, shown in zip(task.samples, task.shown, strict=True)
            for image_id, image in zip(shown, _readable(sample), strict=True)
            if image.is_there
        }

    def _embed(self, task: EmbedTask, reading: Mapping[int, Future[LoadedImage]]) -> EmbedResult:
        began = time.perf_counter()
        label, name = task.embedder, self.names[task.embedder]
        loaded = [reading[image.id].result() for image in task.images]
        good = [n for n, image in enumerate(loaded) if label in image.prepared]
        prepared = [loaded[n].prepared.pop(label) for n in good]
        embedded = dict(zip(good, embed_batch(self.embedders[label], name, prepared), strict=True))
        rows: list[tuple[int, Vector]] = []
        outcomes: list[str | None] = []
        for n, image in enumerate(task.images):
            problem = loaded[n].problem
            vector = problem or loaded[n].unprepared.get(label) or embedded[n]
            rows.append((image.id, redact(vector) if isinstance(vector, str) else vector))
            if problem is None:
                outcomes.append(vector if isinstance(vector, str) else None)
        return EmbedResult(label, rows, time.perf_counter() - began, outcomes)

    def _embed_texts(self, task: EmbedTextTask) -> EmbedTextResult:
        began = time.perf_counter()
        label, name = task.embedder, self.names[task.embedder]
        said = [text for text in task.texts if text.strip()]
        embedded = embed_batch(self.embedders[label], name, said, "texts")
        given = iter([redact(one) if isinstance(one, str) else one for one in embedded])
        outcomes = [one if isinstance(one, str) else None for one in embedded]
        rows: list[tuple[bytes, Vector]] = [
            (digest, next(given) if text.strip() else EMPTY_TEXT)
            for digest, text in zip(task.digests, task.texts, strict=True)
        ]
        return EmbedTextResult(label, rows, time.perf_counter() - began, outcomes)

    def _rate(self, task: RateTask, reading: Mapping[int, Future[LoadedImage]]) -> RateResult:
        began = time.perf_counter()
        scorer = self.scorers[task.scorer]
        samples = [self._ready(task, place, reading) for place in range(len(task.samples))]
        ready = [sample for sample in samples if isinstance(sample, Sample)]
        given = iter(rate_batch(scorer, task.scorer, ready) if ready else ())
        answers: list[Score | Failure] = []
        outcomes: list[str | None] = []
        for sample in samples:
            answer = sample if isinstance(sample, Failure) else next(given)
            answers.append(answer)
            if isinstance(sample, Sample) and not _lacks_image(task, scorer, sample):
                outcomes.append(answer.reason if isinstance(answer, Failure) else None)
        answered = list(zip(task.contents, answers, strict=True))
        rows = [score_row(content, answer) for content, answer in answered]
        outputs = output_rows(task.scorer, scorer.outputs, answered)
        return RateResult(task.scorer, rows, time.perf_counter() - began, outcomes, outputs)

    def _ready(
        self, task: RateTask, place: int, reading: Mapping[int, Future[LoadedImage]]
    ) -> Sample | Failure:
        """Return a sample with all that a scorer reads of it, or why that cannot be had."""
        scorer, shown = self.scorers[task.scorer], task.shown[place]
        sample: Sample | Failure = task.samples[place]
        assert isinstance(sample, Sample)
        if scorer.needs_answer and not sample.answer.strip():
            return Failure(EMPTY_ANSWER)
        if task.vectors is not None:
            sample = _with_vectors(sample, shown, task.vectors)
        if isinstance(sample, Sample) and scorer.reads_pixels:
            sample = with_pixels(sample, shown, reading)
        return sample


def embed_batch(
    embedder: Embedder, label: str, batch: Sequence[Any], unit: str = "images"
) -> Sequence[Vector]:
    """Embed prepared images, or texts; if that raises, one by one: only the guilty ones fail.

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
        return [embed_batch(embedder, label, [one], unit)[0] for one in batch]
    _check_matrix(label, matrix, len(batch), unit)
    return [
        vector if np.isfinite(vector).all() else "the embedding holds values that are no numbers"
        for vector in matrix
    ]


def rate_batch(scorer: Scorer, label: str, batch: Sequence[Sample]) -> Sequence[Score | Failure]:
    """Score a batch; raises as `batchwise.answered`."""
    return answer_batch(scorer.score, batch, Score, kind="scorer", label=label, unit="sample")


def _readable(sample: Sample) -> list[Image]:
    return [image for image in sample.images if image.sha256 is not None]


def _lacks_image(task: RateTask, scorer: Scorer, sample: Sample) -> bool:
    """Return whether a scorer that reads images was given a sample without any."""
    return not sample.images and (scorer.reads_pixels or task.vectors is not None)


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


def _check_matrix(label: str, matrix: NDArray[np.float32], rows: int, unit: str) -> None:
    if matrix.ndim != 2 or len(matrix) != rows or matrix.dtype != np.float32:
        raise PluginError(
            f"embedder {label} returned {matrix.dtype} of shape {matrix.shape} for {rows} {unit}: "
            f"it must return float32 of shape ({rows}, d)"
        )
