"""One chunk of scoring: what goes to where the models are, and what comes back."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.chunks import chunks
from ig4.core.contracts import Configurable, Embedder, Scorer, Work
from ig4.core.engine.batchwise import answer_batch
from ig4.core.errors import Ig4Error, PluginError
from ig4.core.files.images import ImageError, decode
from ig4.core.records import Failure, Sample, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

Row = tuple[int, float | None, str | None, str | None]
"""(content id, value, error, details as JSON text): one row of `scores`."""

EMPTY_ANSWER = "the answer is empty"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image to read: its id in the store, its file, and what that must hold."""

    id: int
    path: Path
    sha256: str


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
    vectors: Mapping[str, Mapping[int, NDArray[np.float32] | str]]


@dataclass(frozen=True, slots=True)
class ScoreTaskResult:
    """What a task brought: rows for the store, and the seconds each component took, by label."""

    scores: Mapping[str, Sequence[Row]]
    embeddings: Mapping[str, Sequence[tuple[int, NDArray[np.float32] | str]]]
    seconds: Mapping[str, float]


@dataclass(slots=True)
class _LoadedImage:
    """One image on its way: prepared for each embedder, pixels kept only if a scorer asks.

    `problem` says why there are no pixels, `unprepared` why an embedder could not take them.
    """

    prepared: dict[str, Any] = field(default_factory=dict)
    pixels: Picture | None = None
    problem: str | None = None
    unprepared: dict[str, str] = field(default_factory=dict)


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
        self.readers = readers
        self._pool: ThreadPoolExecutor | None = None
        self._reading: dict[int, dict[int, Future[_LoadedImage]]] = {}

    def open(self) -> None:
        """Open every component and start the reader threads."""
        self._pool = ThreadPoolExecutor(
            self.readers or min(8, os.cpu_count() or 1), thread_name_prefix="ig4-read"
        )
        opened: list[Configurable] = []
        try:
            for component in (*self.embedders.values(), *self.scorers.values()):
                component.open()
                opened.append(component)
        except BaseException:
            for component in reversed(opened):
                component.close()
            self._pool.shutdown(cancel_futures=True)
            raise

    def close(self) -> None:
        """Close every component and end the reader threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for component in (*self.scorers.values(), *self.embedders.values()):
            component.close()

    def prefetch(self, task: ScoreTask) -> None:
        """Start to decode the images of a task and to prepare them for the embedders."""
        assert self._pool is not None
        wanted: dict[int, tuple[ImageSource, list[str]]] = {}
        for label, images in task.to_embed.items():
            for image in images:
                wanted.setdefault(image.id, (image, []))[1].append(label)
        keep = self._pixels_wanted(task)
        for image_id, image in keep.items():
            wanted.setdefault(image_id, (image, []))
        self._reading[id(task)] = {
            image_id: self._pool.submit(self._read, image, labels, image_id in keep)
            for image_id, (image, labels) in wanted.items()
        }

    def __call__(self, task: ScoreTask) -> ScoreTaskResult:
        """Embed what is missing, then score."""
        if id(task) not in self._reading:
            self.prefetch(task)
        reading = self._reading.pop(id(task))
        vectors = {label: dict(known) for label, known in task.vectors.items()}
        embeddings: dict[str, Sequence[tuple[int, NDArray[np.float32] | str]]] = {}
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
            image_id: ImageSource(image_id, image.path, image.sha256)
            for place in places
            for image_id, image in zip(
                task.shown[place], _readable(task.samples[place]), strict=True
            )
            if image.path is not None
        }

    def _read(self, image: ImageSource, labels: Sequence[str], keep: bool) -> _LoadedImage:
        try:
            pixels = _pixels(image)
        except ImageError as error:
            return _LoadedImage(problem=str(error))
        read = _LoadedImage(pixels=pixels if keep else None)
        for label in labels:
            try:
                read.prepared[label] = self.embedders[label].prepare(pixels)
            except Exception as error:  # noqa: BLE001 - a plugin's; this image fails, no other
                read.unprepared[label] = f"{image.path.name}: {type(error).__name__}: {error}"
        return read

    def _embed(
        self, label: str, images: Sequence[int], reading: Mapping[int, Future[_LoadedImage]]
    ) -> list[tuple[int, NDArray[np.float32] | str]]:
        rows: list[tuple[int, NDArray[np.float32] | str]] = []
        for batch in chunks(images, self.batch_sizes[label]):
            read = [reading[image_id].result() for image_id in batch]
            good = [n for n, one in enumerate(read) if label in one.prepared]
            prepared = [read[n].prepared.pop(label) for n in good]
            found = dict(
                zip(good, embed_batch(self.embedders[label], label, prepared), strict=True)
            )
            for n, image_id in enumerate(batch):
                problem = read[n].problem or read[n].unprepared.get(label)
                rows.append((image_id, problem or found[n]))
        return rows

    def _score(
        self,
        label: str,
        task: ScoreTask,
        places: Sequence[int],
        vectors: Mapping[str, Mapping[int, NDArray[np.float32] | str]],
        reading: Mapping[int, Future[_LoadedImage]],
    ) -> list[Row]:
        scorer = self.scorers[label]
        answers: dict[int, Score | Failure] = {}
        ready: list[tuple[int, Sample]] = []
        for place in places:
            sample: Sample | Failure = task.samples[place]
            assert isinstance(sample, Sample)
            if scorer.needs_answer and not sample.answer.strip():
                sample = Failure(EMPTY_ANSWER)
            elif label in self.embedder_of:
                known = vectors.get(self.embedder_of[label], {})
                sample = _with_vectors(sample, task.shown[place], known)
            if isinstance(sample, Sample) and scorer.reads_pixels:
                sample = _with_pixels(sample, task.shown[place], reading)
            if isinstance(sample, Failure):
                answers[place] = sample
            else:
                ready.append((place, sample))
        if ready:
            given = rate_batch(scorer, label, [sample for _, sample in ready])
            answers.update(zip((place for place, _ in ready), given, strict=True))
        return [score_row(task.contents[place], answers[place]) for place in places]


def embed_batch(
    embedder: Embedder, label: str, batch: Sequence[Any]
) -> Sequence[NDArray[np.float32] | str]:
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


def _pixels(image: ImageSource) -> Picture:
    """Decode an image, if its file still holds what it was ingested with.

    Else a result would be stored as that of an image it never saw.
    """
    try:
        data = image.path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{image.path.name}: the image file is missing") from None
    except OSError as error:
        raise ImageError(
            f"{image.path.name}: the image cannot be read ({error.strerror})"
        ) from None
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise ImageError(
            f"{image.path.name}: the image changed since it was ingested: run `ig4 ingest` again"
        )
    return decode(io.BytesIO(data), image.path.name)


def score_row(content: int, answer: Score | Failure) -> Row:
    """Return the store's row of what a scorer said of a content; no score but a finite one."""
    if isinstance(answer, Failure):
        return content, None, answer.reason, None
    value = float(answer.value)
    if not math.isfinite(value):
        return content, None, f"the scorer returned {value}, which is no score", None
    # What JSON has no form for (numpy's numbers) is told in words: details decide nothing.
    details = None if answer.details is None else json.dumps(dict(answer.details), default=str)
    return content, value, None, details


def _readable(sample: Sample) -> list[Any]:
    return [image for image in sample.images if image.sha256 is not None]


def _with_vectors(
    sample: Sample, shown: Sequence[int], known: Mapping[int, NDArray[np.float32] | str]
) -> Sample | Failure:
    """Give a sample the embeddings of its images, or say which of them failed."""
    broken = next((image.problem for image in sample.images if image.problem), None)
    if broken:
        return Failure(broken)
    found = [known.get(image_id, "the image was not embedded") for image_id in shown]
    problem = next((vector for vector in found if isinstance(vector, str)), None)
    if problem is not None:
        return Failure(problem)
    return replace(sample, embeddings=np.stack(found) if found else None)


def _with_pixels(
    sample: Sample, shown: Sequence[int], reading: Mapping[int, Future[_LoadedImage]]
) -> Sample | Failure:
    """Give a sample's images their decoded pixels, or say which of them failed."""
    broken = next((image.problem for image in sample.images if image.problem), None)
    if broken:
        return Failure(broken)
    read = [reading[image_id].result() for image_id in shown]
    problem = next((one.problem for one in read if one.problem), None)
    if problem:
        return Failure(problem)
    images = tuple(
        replace(image, loader=_PixelLoader(one.pixels))
        for image, one in zip(sample.images, read, strict=True)
    )
    return replace(sample, images=images)


@dataclass(frozen=True, slots=True)
class _PixelLoader:
    """A loader that hands out a copy of pixels already read."""

    pixels: Picture | None

    def __call__(self) -> Picture:
        assert self.pixels is not None
        return self.pixels.copy()


def _check_matrix(label: str, matrix: NDArray[np.float32], rows: int) -> None:
    if matrix.ndim != 2 or len(matrix) != rows or matrix.dtype != np.float32:
        raise PluginError(
            f"embedder {label} returned {matrix.dtype} of shape {matrix.shape} for {rows} images: "
            f"it must return float32 of shape ({rows}, d)"
        )
