"""Statements on data sets, their samples and their images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from ig4.storage.bulk import among, put_rows, upsert
from ig4.storage.runs import now
from ig4.storage.schema import Content, Dataset, Image, ImageFile, Sample, SampleImage

if TYPE_CHECKING:
    from sqlalchemy import Connection

SAMPLE_COLUMNS = (
    "dataset_id", "external_id", "ordinal", "content_id", "instruction", "answer", "turns", "raw",
    "problem", "run_id",
)  # fmt: skip
"""The order of the values in a row for `put_samples`."""

FILE_COLUMNS = ("dataset_id", "name", "path", "size", "mtime_ns", "image_id", "problem")
"""The order of the values in a row for `put_files`."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A data set as the database knows it."""

    id: int
    name: str
    path: str
    format: str
    options: Mapping[str, Any]
    image_root: str | None
    header: Any
    source_state: str | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """An image as a data set names it, with what it held when it was last looked at."""

    id: int
    name: str
    path: str | None
    size: int | None
    mtime_ns: int | None
    image_id: int | None
    sha256: str | None
    problem: str | None


def find(connection: Connection, name: str) -> DatasetRow | None:
    """Return the data set of a name, or None."""
    return next(iter(_datasets(connection, Dataset.name == name)), None)


def list_all(connection: Connection) -> list[DatasetRow]:
    """Return all data sets, oldest first."""
    return _datasets(connection, Dataset.id > 0)


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
) -> DatasetRow:
    """Add a data set, or update what is known of the one of this name; clears its state."""
    values = {
        "name": name,
        "path": path,
        "format": format,
        "options": dict(options),
        "image_root": image_root,
        "header": header,
        "source_state": None,
        "created_at": now(),
    }
    changing = [key for key in values if key not in ("name", "created_at")]
    connection.execute(upsert(connection, Dataset, ["name"], update=changing).values(values))
    found = find(connection, name)
    assert found is not None
    return found


def mark_read(connection: Connection, dataset_id: int, run_id: int, state: str) -> int:
    """Record that a data set was read to its end; samples not seen leave it. Returns how many."""
    gone = connection.execute(
        update(Sample)
        .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        .where(Sample.run_id.is_distinct_from(run_id))
        .values(ordinal=None)
    )
    connection.execute(update(Dataset).where(Dataset.id == dataset_id).values(source_state=state))
    return gone.rowcount


def count_samples(connection: Connection, dataset_id: int) -> int:
    """Return how many samples a data set holds now."""
    return int(
        connection.scalar(
            select(func.count())
            .select_from(Sample)
            .where(Sample.dataset_id == dataset_id, Sample.ordinal.is_not(None))
        )
        or 0
    )


def count_images(connection: Connection, dataset_id: int) -> int:
    """Return how many distinct images that could be read a data set has named so far."""
    return int(
        connection.scalar(
            select(func.count(ImageFile.image_id.distinct())).where(
                ImageFile.dataset_id == dataset_id
            )
        )
        or 0
    )


def content_ids(connection: Connection, hashes: Sequence[str]) -> dict[str, int]:
    """Return the id of each content hash, adding those that are new in the order given."""
    distinct = list(dict.fromkeys(hashes))
    if not distinct:
        return {}
    added = put_rows(connection, Content, ["hash"], [(value,) for value in distinct], key=["hash"])
    if added == len(distinct) and connection.dialect.name == "sqlite":
        # All are new, and with the write lock held they took the next ids in their order.
        last = connection.scalar(select(func.max(Content.id))) or 0
        return dict(zip(distinct, range(last - added + 1, last + 1), strict=True))
    found = select(Content.hash, Content.id).where(among(connection, Content.hash, distinct))
    return dict(connection.execute(found).all())


def known_ids(
    connection: Connection, dataset_id: int, external_ids: Sequence[str]
) -> dict[str, int | None]:
    """Return, for those of `external_ids` that exist, the run that last ingested them."""
    rows = connection.execute(
        select(Sample.external_id, Sample.run_id).where(
            Sample.dataset_id == dataset_id, among(connection, Sample.external_id, external_ids)
        )
    )
    return dict(rows.all())


def put_samples(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Add samples (rows of SAMPLE_COLUMNS), or replace those of the same external id."""
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
    """Record the image files (ids, in order) of samples (external ids), replacing older links."""
    if not files:
        return
    ids = dict(
        connection.execute(
            select(Sample.external_id, Sample.id).where(
                Sample.dataset_id == dataset_id, among(connection, Sample.external_id, list(files))
            )
        ).all()
    )  # fmt: skip
    connection.execute(
        delete(SampleImage).where(among(connection, SampleImage.sample_id, list(ids.values())))
    )
    rows = [
        (ids[external_id], position, file_id)
        for external_id, file_ids in files.items()
        for position, file_id in enumerate(file_ids)
    ]
    put_rows(connection, SampleImage, ["sample_id", "position", "file_id"], rows)


def files_named(
    connection: Connection, dataset_id: int, names: Sequence[str]
) -> dict[str, FileRow]:
    """Return the image files of a data set by name."""
    condition = (ImageFile.dataset_id == dataset_id) & among(connection, ImageFile.name, names)
    return {row.name: row for row in _files(connection, condition)}


def list_files(connection: Connection, dataset_id: int) -> Iterable[FileRow]:
    """Yield all image files of a data set."""
    return _files(connection, ImageFile.dataset_id == dataset_id)


def _files(connection: Connection, condition: Any) -> Iterable[FileRow]:
    statement = (
        select(
            ImageFile.id, ImageFile.name, ImageFile.path, ImageFile.size, ImageFile.mtime_ns,
            ImageFile.image_id, Image.sha256, ImageFile.problem,
        )
        .outerjoin(Image, Image.id == ImageFile.image_id)
        .where(condition)
    )  # fmt: skip
    for row in connection.execute(statement):
        yield FileRow(*row)


def image_paths(connection: Connection) -> list[str]:
    """Return the paths of the image files of all data sets."""
    return list(connection.scalars(select(ImageFile.path).where(ImageFile.path.is_not(None))))


def put_files(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Add image files (rows of FILE_COLUMNS), or replace what is known of those names."""
    put_rows(
        connection, ImageFile, FILE_COLUMNS, rows, key=FILE_COLUMNS[:2], update=FILE_COLUMNS[2:]
    )


def image_ids(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the id of each image by sha256, adding those that are new."""
    distinct = {row["sha256"]: row for row in rows}
    if not distinct:
        return {}
    connection.execute(upsert(connection, Image, ["sha256"]), list(distinct.values()))
    found = select(Image.sha256, Image.id).where(among(connection, Image.sha256, list(distinct)))
    return dict(connection.execute(found).all())


def samples_showing(connection: Connection, file_ids: Sequence[int]) -> list[int]:
    """Return the ids of the samples that show any of the image files."""
    return list(
        connection.scalars(
            select(SampleImage.sample_id)
            .where(among(connection, SampleImage.file_id, file_ids))
            .distinct()
        )
    )


def set_contents(connection: Connection, contents: Mapping[int, int]) -> None:
    """Point samples (ids) to other contents (ids), after their images changed."""
    if contents:
        connection.execute(
            update(Sample)
            .where(Sample.id == bindparam("sample"))
            .values(content_id=bindparam("content")),
            [{"sample": sample, "content": content} for sample, content in contents.items()],
        )
