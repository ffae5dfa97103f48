"""Statements that read samples and their images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import and_, case, func, select

from ig4.storage.arrays import integers
from ig4.storage.bulk import in_values
from ig4.storage.schema import Image, ImageFile, Sample, SampleImage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of a sample; if it could not be read, `image_id` is None and `problem` says why."""

    image_id: int | None
    name: str
    path: str | None
    sha256: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as stored; `turns`, `raw` and `places` are JSON text.

    `turns` is None for a single pair, `places` for images before the first question.
    """

    id: int
    external_id: str
    content_id: int
    instruction: str
    answer: str
    turns: str | None
    raw: str
    problem: str | None
    places: str | None = None
    images: list[ImageRow] = field(default_factory=list)


def ordered_ids(
    connection: Connection, dataset_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sample ids (n,) and content ids (n,) of a data set in its order, int64."""
    current = (Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
    first = connection.execute(
        select(Sample.ordinal, Sample.id, Sample.content_id)
        .where(*current)
        .order_by(Sample.ordinal)
        .limit(1)
    ).first()
    if first is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    # A data set that was read in one run has consecutive ids in its order. Checking that in the
    # database is several times faster than reading the ids.
    consecutive = (
        Sample.id - Sample.ordinal == first.id - first.ordinal,
        Sample.content_id - Sample.ordinal == first.content_id - first.ordinal,
    )
    count, matches, last = connection.execute(
        select(
            func.count(), func.count(case((and_(*consecutive), 1))), func.max(Sample.ordinal)
        ).where(*current)
    ).one()  # fmt: skip
    if count == matches == last - first.ordinal + 1:
        steps = np.arange(count, dtype=np.int64)
        return first.id + steps, first.content_id + steps
    ids = integers(connection, select(Sample.id).where(*current).order_by(Sample.ordinal))
    contents = integers(
        connection, select(Sample.content_id).where(*current).order_by(Sample.ordinal)
    )
    return ids, contents


def by_id(connection: Connection, ids: Sequence[int]) -> list[SampleRow]:
    """Return samples with their images, in the order of `ids`."""
    rows: dict[int, SampleRow] = {}
    for start in range(0, len(ids), _CHUNK):
        part = [int(value) for value in ids[start : start + _CHUNK]]
        images = _images(connection, part)
        for row in connection.execute(_columns().where(in_values(connection, Sample.id, part))):
            rows[row.id] = SampleRow(**row._mapping, images=images.get(row.id, []))
    return [rows[int(value)] for value in ids]


def stream(connection: Connection, dataset_id: int) -> Iterator[SampleRow]:
    """Yield all samples of a data set in its order; memory does not grow with their number."""
    ids, _ = ordered_ids(connection, dataset_id)
    for start in range(0, len(ids), _CHUNK):
        yield from by_id(connection, ids[start : start + _CHUNK].tolist())


def find_ids(
    connection: Connection, dataset_id: int, external_ids: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Return (sample id, content id) by external id, for those that the data set has."""
    result: dict[str, tuple[int, int]] = {}
    for start in range(0, len(external_ids), _CHUNK):
        part = list(external_ids[start : start + _CHUNK])
        rows = connection.execute(
            select(Sample.external_id, Sample.id, Sample.content_id).where(
                Sample.dataset_id == dataset_id,
                Sample.ordinal.is_not(None),
                in_values(connection, Sample.external_id, part),
            )
        )
        result.update((name, (sample, content)) for name, sample, content in rows)
    return result


def external_ids(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the external id of each sample id."""
    result: dict[int, str] = {}
    for start in range(0, len(ids), _CHUNK):
        part = list(ids[start : start + _CHUNK])
        rows = connection.execute(
            select(Sample.id, Sample.external_id).where(in_values(connection, Sample.id, part))
        )
        result.update(rows.all())
    return result


def ids_with_images(connection: Connection, dataset_id: int) -> NDArray[np.int64]:
    """Return the ids of samples that name at least one image, readable or not."""
    return integers(
        connection,
        select(SampleImage.sample_id)
        .join(Sample, Sample.id == SampleImage.sample_id)
        .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        .where(SampleImage.position == 0),
    )


def ids_with_problems(
    connection: Connection, dataset_id: int, *, answered: bool = False
) -> NDArray[np.int64]:
    """Return the ids of samples in whose records ingesting found a problem.

    With `answered`, only of those that have an answer all the same.
    """
    statement = (
        select(Sample.id)
        .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        .where(Sample.problem.is_not(None))
    )
    return integers(connection, statement.where(Sample.answer != "") if answered else statement)


def image_pairs(
    connection: Connection, dataset_id: int, *, first_only: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (sample ids, image ids), a pair for each readable image of a sample.

    With `first_only`, only the first image of a sample counts.
    """
    statement = (
        select(SampleImage.sample_id, ImageFile.image_id)
        .join(ImageFile, ImageFile.id == SampleImage.file_id)
        .join(Sample, Sample.id == SampleImage.sample_id)
        .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        .where(ImageFile.image_id.is_not(None))
    )
    if first_only:
        statement = statement.where(SampleImage.position == 0)
    pairs = integers(connection, statement).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _columns() -> Any:
    return select(
        Sample.id,
        Sample.external_id,
        Sample.content_id,
        Sample.instruction,
        Sample.answer,
        Sample.turns,
        Sample.raw,
        Sample.problem,
        Sample.places,
    )


def _images(connection: Connection, sample_ids: Sequence[int]) -> dict[int, list[ImageRow]]:
    statement = (
        select(
            SampleImage.sample_id, ImageFile.image_id, ImageFile.name, ImageFile.path,
            Image.sha256, ImageFile.problem,
        )
        .join(ImageFile, ImageFile.id == SampleImage.file_id)
        .outerjoin(Image, Image.id == ImageFile.image_id)
        .where(in_values(connection, SampleImage.sample_id, sample_ids))
        .order_by(SampleImage.sample_id, SampleImage.position)
    )  # fmt: skip
    images: dict[int, list[ImageRow]] = defaultdict(list)
    for sample_id, image_id, name, path, sha256, problem in connection.execute(statement):
        images[sample_id].append(ImageRow(image_id, name, path, sha256, problem))
    return images


def problems(connection: Connection, dataset_id: int) -> dict[str, int]:
    """Return the number of samples with each problem that ingesting found."""
    rows = connection.execute(
        select(Sample.problem, func.count())
        .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        .where(Sample.problem.is_not(None))
        .group_by(Sample.problem)
    )
    return {problem or "": count for problem, count in rows}
