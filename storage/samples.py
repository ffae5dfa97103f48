"""Statements that read samples and their images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import and_, case, func, or_, select

from ig4.storage.arrays import integers
from ig4.storage.bulk import in_values
from ig4.storage.membership import among, in_order, of_dataset, owners, prefixes
from ig4.storage.schema import Dataset, Image, ImageFile, Sample, SampleImage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection

_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of a sample; if it could not be read, `image_id` is None and `problem` says why.

    `roots` are the folders (real paths) that its file must lie in. `size` and `mtime_ns` are those
    of the file when it was read; `width` and `height` are in pixels. `part` is the image's place
    inside of the file, None where it is all of it.
    """

    image_id: int | None
    name: str
    embedded: bool
    path: str | None
    sha256: str | None
    problem: str | None
    roots: tuple[str, ...]
    size: int | None = None
    mtime_ns: int | None = None
    width: int | None = None
    height: int | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as stored; `turns`, `raw`, `places` and `meta` are JSON text.

    `turns` is None for a single pair, `places` for images before the first question, `meta` where
    the data set tells nothing. `dataset` is the data set that it was ingested into, which of a
    sample of a mixture is the member.
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
    meta: str | None = None
    dataset_id: int | None = None
    images: list[ImageRow] = field(default_factory=list)
    dataset: str | None = None


def ordered_ids(
    connection: Connection, dataset_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sample ids (n,) and content ids (n,) of a data set in its order, int64.

    Those of a mixture are in the order of its members.
    """
    parts = [_own_ids(connection, owner) for owner in owners(connection, dataset_id)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([ids for ids, _ in parts]), np.concatenate([own for _, own in parts])


def _own_ids(
    connection: Connection, dataset_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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


def by_id(
    connection: Connection, ids: Sequence[int], dataset_id: int | None = None
) -> list[SampleRow]:
    """Return samples with their images, in the order of `ids`.

    Their external ids are those that they have in the data set `dataset_id`, where one is given.
    """
    rows: dict[int, SampleRow] = {}
    before = prefixes(connection, dataset_id)
    names = dict(connection.execute(select(Dataset.id, Dataset.name)).all())
    for start in range(0, len(ids), _CHUNK):
        part = [int(value) for value in ids[start : start + _CHUNK]]
        images = _images(connection, part)
        for row in connection.execute(_columns().where(in_values(connection, Sample.id, part))):
            (
                id_,
                external_id,
                content,
                question,
                answer,
                turns,
                raw,
                problem,
                places,
                meta,
                owner,
            ) = row
            rows[id_] = SampleRow(
                id_, before.get(owner, "") + external_id, content, question, answer, turns, raw,
                problem, places, meta, owner, images.get(id_, []), names.get(owner),
            )  # fmt: skip
    return [rows[int(value)] for value in ids]


def stream(connection: Connection, dataset_id: int) -> Iterator[SampleRow]:
    """Yield all samples of a data set in its order; memory does not grow with their number."""
    ids, _ = ordered_ids(connection, dataset_id)
    for start in range(0, len(ids), _CHUNK):
        yield from by_id(connection, ids[start : start + _CHUNK].tolist(), dataset_id)


def find_ids(
    connection: Connection, dataset_id: int, external_ids: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Return (sample id, content id) by external id, for those that the data set has."""
    before = prefixes(connection, dataset_id)
    if not before:
        return _find_own(connection, dataset_id, external_ids)
    result: dict[str, tuple[int, int]] = {}
    for member, prefix in before.items():
        own = [name.removeprefix(prefix) for name in external_ids if name.startswith(prefix)]
        found = _find_own(connection, member, own)
        result.update((prefix + name, place) for name, place in found.items())
    return result


def _find_own(
    connection: Connection, dataset_id: int, external_ids: Sequence[str]
) -> dict[str, tuple[int, int]]:
    result: dict[str, tuple[int, int]] = {}
    for start in range(0, len(external_ids), _CHUNK):
        part = list(external_ids[start : start + _CHUNK])
        # Whether a sample was removed is looked at here: asked for it, SQLite takes the index of
        # places in the data set, and reads all of that for each part.
        rows = connection.execute(
            select(Sample.external_id, Sample.id, Sample.content_id, Sample.ordinal).where(
                Sample.dataset_id == dataset_id, in_values(connection, Sample.external_id, part)
            )
        )
        result.update(
            (name, (sample, content)) for name, sample, content, place in rows if place is not None
        )
    return result


def external_ids(
    connection: Connection, ids: Sequence[int], dataset_id: int | None = None
) -> dict[int, str]:
    """Return the external id of each sample id, as the data set `dataset_id` has it, if given."""
    before = prefixes(connection, dataset_id)
    result: dict[int, str] = {}
    for start in range(0, len(ids), _CHUNK):
        part = list(ids[start : start + _CHUNK])
        matches = in_values(connection, Sample.id, part)
        if not before:
            rows = connection.execute(select(Sample.id, Sample.external_id).where(matches))
            result.update(rows.all())
            continue
        for number, owner, name in connection.execute(
            select(Sample.id, Sample.dataset_id, Sample.external_id).where(matches)
        ):
            result[number] = before.get(owner, "") + name
    return result


def ids_with_images(connection: Connection, dataset_id: int) -> NDArray[np.int64]:
    """Return the ids of samples that name at least one image, readable or not."""
    return integers(
        connection,
        select(SampleImage.sample_id)
        .join(Sample, Sample.id == SampleImage.sample_id)
        .where(*of_dataset(connection, dataset_id))
        .where(SampleImage.position == 0),
    )


def ids_with_unusable_images(connection: Connection, dataset_id: int) -> NDArray[np.int64]:
    """Return the ids of samples with an image file that is there, but holds no image."""
    return integers(
        connection,
        select(SampleImage.sample_id)
        .distinct()
        .join(ImageFile, ImageFile.id == SampleImage.file_id)
        .join(Sample, Sample.id == SampleImage.sample_id)
        .where(*of_dataset(connection, dataset_id))
        .where(ImageFile.problem.is_not(None), ImageFile.size.is_not(None)),
    )


def ids_with_problems(
    connection: Connection, dataset_id: int, *, answered: bool = False
) -> NDArray[np.int64]:
    """Return the ids of samples in whose records ingesting found a problem.

    With `answered`, only of those that have an answer all the same.
    """
    here = (*of_dataset(connection, dataset_id), Sample.problem.is_not(None))
    if not answered:
        return integers(connection, select(Sample.id).where(*here))
    rows = connection.execute(select(Sample.id, Sample.answer).where(*here))
    return np.array([number for number, answer in rows if answer.strip()], dtype=np.int64)


def told(connection: Connection, ids: Sequence[int]) -> list[SampleRow]:
    """Return samples in the order of `ids`, with `meta` and images, without texts and record.

    Of the texts there is only `turns`, which tells how many answers there are.
    """
    rows: dict[int, SampleRow] = {}
    for start in range(0, len(ids), _CHUNK):
        part = [int(value) for value in ids[start : start + _CHUNK]]
        images = _images(connection, part)
        statement = select(
            Sample.id, Sample.external_id, Sample.content_id, Sample.turns, Sample.problem,
            Sample.meta, Sample.dataset_id, (Sample.instruction + Sample.answer != "").label("any"),
        ).where(in_values(connection, Sample.id, part))  # fmt: skip
        for id_, external_id, content, turns, problem, meta, dataset, spoken in connection.execute(
            statement
        ):
            answer = "…" if spoken else ""
            rows[id_] = SampleRow(
                id_, external_id, content, "", answer, turns, "", problem, None, meta, dataset,
                images.get(id_, []),
            )  # fmt: skip
    return [rows[int(value)] for value in ids]


def ids_saying(connection: Connection, dataset_id: int, words: Sequence[str]) -> NDArray[np.int64]:
    """Return the ids (n,) of the samples that have each word in a text or the id, in any case."""
    statement = select(Sample.id).where(*of_dataset(connection, dataset_id))
    for word in words:
        texts = (Sample.answer, Sample.instruction, Sample.external_id)
        statement = statement.where(or_(*(_says(connection, one, word) for one in texts)))
    return integers(connection, statement.order_by(Sample.id))


_LONGEST_LIKE = 10_000


def _says(connection: Connection, column: Any, word: str) -> ColumnElement[bool]:
    """Return the condition that a text has a word in it, in any case."""
    found: ColumnElement[bool]
    if connection.dialect.name != "sqlite":
        found = column.icontains(word, autoescape=True)
    # SQLite's LIKE is fast, but knows the case of ASCII alone, and no long patterns.
    elif word.isascii() and len(word) < _LONGEST_LIKE:
        found = column.contains(word, autoescape=True)
    else:
        found = func.ig4_says(column, word.casefold())
    return found


def image_pairs(
    connection: Connection, dataset_id: int, *, first_only: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (sample ids, image ids), a pair for each readable image of a sample, in its order.

    With `first_only`, only the first image of a sample counts.
    """
    statement = (
        select(SampleImage.sample_id, ImageFile.image_id)
        .join(ImageFile, ImageFile.id == SampleImage.file_id)
        .join(Sample, Sample.id == SampleImage.sample_id)
        .where(*of_dataset(connection, dataset_id))
        .where(ImageFile.image_id.is_not(None))
        .order_by(SampleImage.sample_id, SampleImage.position)
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
        Sample.meta,
        Sample.dataset_id,
    )


def _images(connection: Connection, sample_ids: Sequence[int]) -> dict[int, list[ImageRow]]:
    statement = (
        select(
            SampleImage.sample_id, ImageFile.dataset_id, ImageFile.image_id, ImageFile.name,
            ImageFile.embedded, ImageFile.path, Image.sha256, ImageFile.problem, ImageFile.size,
            ImageFile.mtime_ns, Image.width, Image.height, ImageFile.part,
        )
        .join(ImageFile, ImageFile.id == SampleImage.file_id)
        .outerjoin(Image, Image.id == ImageFile.image_id)
        .where(in_values(connection, SampleImage.sample_id, sample_ids))
        .order_by(SampleImage.sample_id, SampleImage.position)
    )  # fmt: skip
    roots = _image_roots(connection)
    images: dict[int, list[ImageRow]] = defaultdict(list)
    for row in connection.execute(statement):
        sample_id, dataset_id, image_id, name, embedded, path, sha256, problem, *state = row
        kept = embedded and state[-1] is None  # beside the database
        allowed = _store_of(path) if kept else roots[dataset_id]
        image = ImageRow(image_id, name, embedded, path, sha256, problem, allowed, *state)
        images[sample_id].append(image)
    return images


def _image_roots(connection: Connection) -> dict[int, tuple[str, ...]]:
    """Return by data set the folders that its images may lie in."""
    rows = connection.execute(select(Dataset.id, Dataset.image_roots))
    return {id_: tuple(roots or ()) for id_, roots in rows}


def _store_of(path: str | None) -> tuple[str, ...]:
    """Return the folder of embedded images that one lies in: <folder>/<2 digits>/<digest>."""
    return () if path is None else (str(Path(path).parents[1]),)


def problems(connection: Connection, dataset_id: int) -> dict[str, int]:
    """Return the number of samples with each problem that ingesting found."""
    rows = connection.execute(
        select(Sample.problem, func.count())
        .where(*of_dataset(connection, dataset_id))
        .where(Sample.problem.is_not(None))
        .group_by(Sample.problem)
    )
    return {problem or "": count for problem, count in rows}


def numbered_ids(connection: Connection, dataset_id: int) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the samples of each id that several records of a data set have.

    By that id: (sample id, content id) by external id, in the order of the data set. Ingesting
    calls the later ones `id#2`, `id#3`, ….
    """
    ids = owners(connection, dataset_id)
    before = prefixes(connection, dataset_id)
    statement = (
        select(Sample.dataset_id, Sample.external_id, Sample.id, Sample.content_id)
        .where(among(Sample.dataset_id, ids), Sample.ordinal.is_not(None))
        .where(Sample.external_id.contains("#", autoescape=True))
        .order_by(*in_order(ids))
    )
    later: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for owner, name, sample, content in connection.execute(statement):
        first, _, number = name.rpartition("#")
        if number.isascii() and number.isdigit() and int(number) > 1:
            prefix = before.get(owner, "")
            later[prefix + first][prefix + name] = (sample, content)
    firsts = find_ids(connection, dataset_id, list(later))
    return {name: {name: place, **later[name]} for name, place in firsts.items()}
