"""Statements on data sets, their samples and their images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import bindparam, delete, func, select, update

from ig4.storage.arrays import joined
from ig4.storage.bulk import in_values, put_rows, upsert
from ig4.storage.membership import MIXTURE, among, of_dataset, owners, planned
from ig4.storage.runs import now
from ig4.storage.schema import (
    Content,
    Dataset,
    Image,
    ImageFile,
    Sample,
    SampleImage,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

SAMPLE_COLUMNS = (
    "dataset_id", "external_id", "ordinal", "content_id", "instruction", "answer", "turns", "raw",
    "problem", "run_id", "places", "meta",
)  # fmt: skip
"""The order of the values in a row for `put_samples`."""

FILE_COLUMNS = (
    "dataset_id", "name", "embedded", "path", "size", "mtime_ns", "image_id", "problem",
    "part",
)  # fmt: skip
"""The order of the values in a row for `put_files`; the first three are its key."""


class ImageName(NamedTuple):
    """What an image of a data set is known by: a name, and whether the data set contains it."""

    name: str
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A data set as stored; a mixture has samples through its members alone."""

    id: int
    name: str
    path: str
    format: str
    options: Mapping[str, Any]
    image_root: str | None
    header: Any
    source_state: str | None

    @property
    def is_mixture(self) -> bool:
        """Whether its samples are those of its members."""
        return self.format == MIXTURE


@dataclass(frozen=True, slots=True)
class FileRow:
    """An image file as a data set names it, with its state when it was last read."""

    id: int
    name: ImageName
    path: str | None
    size: int | None
    mtime_ns: int | None
    image_id: int | None
    sha256: str | None
    problem: str | None
    width: int | None
    part: str | None = None


def find(connection: Connection, name: str) -> DatasetRow | None:
    """Return the data set of a name, or None."""
    here = (row for row in _planned(connection) if row.name == name)
    return next(here, None) or next(iter(_datasets(connection, Dataset.name == name)), None)


def list_all(connection: Connection) -> list[DatasetRow]:
    """Return all data sets, oldest first; mixtures that are only planned come last."""
    return [*_datasets(connection, Dataset.id > 0), *_planned(connection)]


def _planned(connection: Connection) -> list[DatasetRow]:
    return [
        DatasetRow(
            id=mixture.id,
            name=mixture.name,
            path="",
            format=MIXTURE,
            options={"members": [member.name for member in mixture.members]},
            image_root=None,
            header=None,
            source_state=None,
        )
        for mixture in planned(connection).values()
    ]


def _datasets(connection: Connection, condition: Any) -> list[DatasetRow]:
    rows = connection.execute(
        select(
            Dataset.id, Dataset.name, Dataset.path, Dataset.format, Dataset.options,
            Dataset.image_root, Dataset.header, Dataset.source_state,
        ).where(condition).order_by(Dataset.id)
    )  # fmt: skip
    return [DatasetRow(*row) for row in rows]


def put(
    connection: Connection,
    name: str,
    *,
    path: str,
    format: str,  # noqa: A002 - the column's name
    options: Mapping[str, Any],
    image_root: str | None,
    header: Any,
    image_roots: Sequence[str] = (),
) -> DatasetRow:
    """Add a data set, or update the one with this name; clears its `source_state`.

    Its images are read from `image_roots` (real paths) alone.
    """
    values = {
        "name": name,
        "path": path,
        "format": format,
        "options": dict(options),
        "image_root": image_root,
        "image_roots": list(image_roots),
        "header": header,
        "source_state": None,
        "created_at": now(),
    }
    updated = [key for key in values if key not in ("name", "created_at")]
    connection.execute(upsert(connection, Dataset, ["name"], update=updated).values(values))
    row = find(connection, name)
    assert row is not None
    return row


def source_states(connection: Connection, dataset_id: int) -> list[tuple[str, str | None]]:
    """Return name and `source_state` of a data set and of the members of a mixture, by name."""
    ids = {dataset_id, *owners(connection, dataset_id)}
    rows = connection.execute(select(Dataset.name, Dataset.source_state).where(Dataset.id.in_(ids)))
    mixture = planned(connection).get(dataset_id)
    own = [] if mixture is None else [(mixture.name, None)]
    return sorted([*own, *((name, state) for name, state in rows)], key=itemgetter(0))


def set_image_roots(connection: Connection, dataset_id: int, roots: Sequence[str]) -> None:
    """Set the folders (real paths) that the images of a data set may lie in."""
    connection.execute(
        update(Dataset).where(Dataset.id == dataset_id).values(image_roots=list(roots))
    )


def finish_reading(connection: Connection, dataset_id: int, run_id: int, state: str) -> int:
    """Record that a data set was read to its end, and remove the samples that `run_id` did not see.

    A removed sample keeps its row, without `ordinal`. Returns how many were removed.
    """
    removed = connection.execute(
        update(Sample)
        .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        .where(Sample.run_id.is_distinct_from(run_id))
        .values(ordinal=None)
    )
    connection.execute(update(Dataset).where(Dataset.id == dataset_id).values(source_state=state))
    return removed.rowcount


def count_samples(connection: Connection, dataset_id: int) -> int:
    """Return how many samples a data set has now."""
    return int(
        connection.scalar(
            select(func.count()).select_from(Sample).where(*of_dataset(connection, dataset_id))
        )
        or 0
    )


def count_images(connection: Connection, dataset_id: int) -> int:
    """Return how many distinct readable images a data set has named so far."""
    return int(
        connection.scalar(
            select(func.count(ImageFile.image_id.distinct())).where(
                among(ImageFile.dataset_id, owners(connection, dataset_id))
            )
        )
        or 0
    )


def content_ids(connection: Connection, hashes: Sequence[str]) -> dict[str, int]:
    """Return the id of each content hash; new hashes are added in the order given."""
    distinct = list(dict.fromkeys(hashes))
    if not distinct:
        return {}
    added = put_rows(connection, Content, ["hash"], [(value,) for value in distinct], key=["hash"])
    if added == len(distinct) and connection.dialect.name == "sqlite":
        # All are new, and under the write lock they got consecutive ids in their order.
        last = connection.scalar(select(func.max(Content.id))) or 0
        return dict(zip(distinct, range(last - added + 1, last + 1), strict=True))
    statement = select(Content.hash, Content.id).where(
        in_values(connection, Content.hash, distinct)
    )
    return dict(connection.execute(statement).all())


def content_hashes(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the hash of each content id."""
    rows = connection.execute(
        select(Content.id, Content.hash).where(in_values(connection, Content.id, ids))
    )
    return dict(rows.all())


_JOINED, _BLOCK = 1 << 20, 8192
"""So many hashes are read at a time: of ids without gaps, and of others."""


def joined_hashes(connection: Connection, ids: NDArray[np.int64]) -> str:
    """Return the hashes of content ids (n,), one after the other."""
    parts = []
    for start in range(0, len(ids), _JOINED):
        part = ids[start : start + _JOINED]
        low, high = int(part[0]), int(part[-1])
        if high - low + 1 == len(part) and np.array_equal(part, np.arange(low, high + 1)):
            here = select(Content.hash).where(Content.id.between(low, high)).order_by(Content.id)
            parts.append(joined(connection, here))
            continue
        for at in range(0, len(part), _BLOCK):
            some = part[at : at + _BLOCK].tolist()
            known = content_hashes(connection, some)
            parts += [known[one] for one in some]
    return "".join(parts)


def known_ids(
    connection: Connection, dataset_id: int, external_ids: Sequence[str]
) -> dict[str, int | None]:
    """Return the run that last ingested each of `external_ids`; ids that are new are absent."""
    rows = connection.execute(
        select(Sample.external_id, Sample.run_id).where(
            Sample.dataset_id == dataset_id, in_values(connection, Sample.external_id, external_ids)
        )
    )
    return dict(rows.all())


def put_samples(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Add samples (rows of SAMPLE_COLUMNS), or replace those with the same external id."""
    put_rows(
        connection,
        Sample,
        SAMPLE_COLUMNS,
        rows,
        key=SAMPLE_COLUMNS[:2],
        update=SAMPLE_COLUMNS[2:],
    )


def link_images(
    connection: Connection, dataset_id: int, files: Mapping[str, Sequence[int]]
) -> None:
    """Set the image files (ids, in order) of samples (external ids), replacing older links."""
    if not files:
        return
    statement = select(Sample.external_id, Sample.id).where(
        Sample.dataset_id == dataset_id, in_values(connection, Sample.external_id, list(files))
    )
    ids = dict(connection.execute(statement).all())
    connection.execute(
        delete(SampleImage).where(in_values(connection, SampleImage.sample_id, list(ids.values())))
    )
    rows = [
        (ids[external_id], position, file_id)
        for external_id, file_ids in files.items()
        for position, file_id in enumerate(file_ids)
    ]
    put_rows(connection, SampleImage, ["sample_id", "position", "file_id"], rows)


def find_files(
    connection: Connection, dataset_id: int, names: Sequence[ImageName]
) -> dict[ImageName, FileRow]:
    """Return those of the named image files that a data set has, by name."""
    texts = list({name.name for name in names})
    condition = (ImageFile.dataset_id == dataset_id) & in_values(connection, ImageFile.name, texts)
    wanted = set(names)
    return {row.name: row for row in _files(connection, condition) if row.name in wanted}


def list_files(connection: Connection, dataset_id: int) -> Iterable[FileRow]:
    """Yield all image files of a data set."""
    return _files(connection, ImageFile.dataset_id == dataset_id)


def _files(connection: Connection, condition: Any) -> Iterable[FileRow]:
    statement = (
        select(
            ImageFile.id, ImageFile.name, ImageFile.embedded, ImageFile.path, ImageFile.size,
            ImageFile.mtime_ns, ImageFile.image_id, Image.sha256, ImageFile.problem,
            Image.width, ImageFile.part,
        )
        .outerjoin(Image, Image.id == ImageFile.image_id)
        .where(condition)
    )  # fmt: skip
    for id_, name, embedded, *state in connection.execute(statement):
        yield FileRow(id_, ImageName(name, embedded), *state)


def count_unreadable_files(connection: Connection, dataset_id: int) -> int:
    """Return how many image files that samples of a data set show cannot be read."""
    statement = (
        select(func.count(ImageFile.id.distinct()))
        .join(SampleImage, SampleImage.file_id == ImageFile.id)
        .join(Sample, Sample.id == SampleImage.sample_id)
        .where(*of_dataset(connection, dataset_id))
        .where(ImageFile.problem.is_not(None))
    )
    return int(connection.scalar(statement) or 0)


def image_paths(connection: Connection) -> list[str]:
    """Return the paths of the image files of all data sets."""
    return list(connection.scalars(select(ImageFile.path).where(ImageFile.path.is_not(None))))


def put_files(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Add image files (rows of FILE_COLUMNS), or replace those with the same name."""
    put_rows(
        connection, ImageFile, FILE_COLUMNS, rows, key=FILE_COLUMNS[:3], update=FILE_COLUMNS[3:]
    )


def image_ids(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the id of each image by sha256; new images are added."""
    distinct = {row["sha256"]: row for row in rows}
    if not distinct:
        return {}
    connection.execute(upsert(connection, Image, ["sha256"]), list(distinct.values()))
    statement = select(Image.sha256, Image.id).where(
        in_values(connection, Image.sha256, list(distinct))
    )
    return dict(connection.execute(statement).all())


def samples_of_files(connection: Connection, file_ids: Sequence[int]) -> list[int]:
    """Return the ids of the samples that show any of the image files."""
    return list(
        connection.scalars(
            select(SampleImage.sample_id)
            .where(in_values(connection, SampleImage.file_id, file_ids))
            .distinct()
        )
    )


def set_contents(connection: Connection, contents: Mapping[int, int]) -> None:
    """Set the contents (ids) of samples (ids), after their images changed."""
    if contents:
        connection.execute(
            update(Sample)
            .where(Sample.id == bindparam("sample"))
            .values(content_id=bindparam("content")),
            [{"sample": sample, "content": content} for sample, content in contents.items()],
        )
