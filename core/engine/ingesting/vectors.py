"""Vectors that people have already: a space of the data set, like any embedder's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.counts import counted, verb
from ig4.core.engine.ingesting.imports import ImportResult
from ig4.core.engine.ingesting.matching import describe_mismatch, match_ids, shown_ids
from ig4.core.engine.pooling.spacenames import check_space_name
from ig4.core.engine.pooling.spaces import content_digests
from ig4.core.engine.scoring.vectormoves import VectorMoves
from ig4.core.engine.selecting.percent import IMPORTED
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.opening import open_file
from ig4.core.files.reading import tables
from ig4.core.files.reading.encodings import unreadable_error
from ig4.core.files.vectors.vectorfile import VectorFile, read_vectors
from ig4.core.host.fingerprint import Fingerprint, digest_of
from ig4.core.texts import sanitize
from ig4.storage import samples, spaces
from ig4.storage.vectors.moving import INPUTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "import"
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class VectorSource:
    """Vectors in a file: which, and whose.

    `key` names the array, tensor or column of vectors. `ids` is a table with the ids of the rows,
    in their order; `id_column` names its column, or that of the file itself. With `replace`, the
    space may take the place of another.
    """

    path: Path
    name: str
    key: str | None = None
    ids: Path | None = None
    id_column: str | None = None
    encoding: str = "utf-8"
    replace: bool = False


def import_vectors(session: Session, dataset: DatasetRow, source: VectorSource) -> ImportResult:
    """Store a file's vectors as a space of a data set; rows in its order, unless there are ids.

    The file is read to its end, and nothing is stored unless all of it is understood.

    Raises:
        UsageError: the file holds no vectors, rows and samples do not fit, no id is that of a
            sample, or the name stands for another space.
        DatasetError: a file cannot be read.
        MissingExtraError: Parquet without pyarrow.
    """
    check_space_name(source.name)
    identity = _identity(session, dataset, source)
    value = digest_of(["embedder", source.name, IMPORTED, identity])
    fingerprint = Fingerprint("embedder", source.name, IMPORTED, "1", identity, value)
    _check_replaced(session, dataset, source, value)
    config = identity | {"path": str(source.path.absolute()), "name": source.name}
    with session.recorded("import-vectors", config):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None, "vectors"))
        read = read_vectors(source.path, key=source.key, id_key=_own_id_key(source))
        found = ImportResult(dataset.name, source.name)
        rows, contents = _matched(session, dataset, source, read, found)
        finite, zero = _finite_and_zero(read, rows)
        found.not_finite = int((~finite).sum())
        found.zeros = int(zero.sum())
        rows, contents = rows[finite], contents[finite]
        if not len(rows):
            raise UsageError(f"{source.path}: every vector holds NaN or infinity")
        digests = content_digests(session, contents)
        _tell_differing(session, source, read, rows, digests)
        component = session.component_id(fingerprint)
        with session.store.writing() as connection:
            for start in range(0, len(rows), _BLOCK):
                part = rows[start : start + _BLOCK]
                keys = [one.tobytes() for one in digests[start : start + _BLOCK]]
                vectors = np.asarray(read.vectors[part]).astype(np.float32)
                spaces.put(
                    connection, component, session.run_id, list(zip(keys, vectors, strict=True))
                )
                session.emit(StageAdvanced(STAGE, len(part)))
            spaces.bind(connection, dataset.id, source.name, component, imported=True)
            _, own = samples.ordered_ids(connection, dataset.id)
        moves = VectorMoves(session)
        moves.add(INPUTS, component, len(rows) * read.vectors.shape[1] * 4)
        moves.finish()
        found.taken = len(rows)
        if found.zeros:
            session.notice(
                f"{counted(found.zeros, 'vector holds', 'vectors hold')} nothing but zeros: "
                "without a direction, their cosine to others counts as 0, and none is like them"
            )
        with_vector = np.isin(own, contents)
        found.without = int((~with_vector).sum())
        found.shared = max(0, int(with_vector.sum()) - found.taken)
        width = read.vectors.shape[1]
        session.emit(
            StageFinished(STAGE, f"{counted(found.taken, 'vector')} of {width:,} as {source.name}")
        )
        return found


def _own_id_key(source: VectorSource) -> str | None:
    """Return the name of the ids in the file itself; None where another file has them."""
    return source.id_column if source.ids is None else None


def _identity(session: Session, dataset: DatasetRow, source: VectorSource) -> dict[str, Any]:
    files = {"file": source.path, **({} if source.ids is None else {"ids": source.ids})}
    identity: dict[str, Any] = {"dataset": dataset.name}
    for name, path in files.items():
        try:
            open_file(path).close()
        except OSError as error:
            raise unreadable_error(path, error) from None
        identity[name] = session.digest(path)
    return identity | {"key": source.key, "id": source.id_column}


def _check_replaced(
    session: Session, dataset: DatasetRow, source: VectorSource, fingerprint: str
) -> None:
    """Refuse to take the place of another space unless that is asked for."""
    with session.store.reading() as connection:
        row = spaces.find(connection, dataset.id, source.name)
    if row is None or row.fingerprint == fingerprint or source.replace:
        return
    kind = "imported" if row.imported else f"{row.distribution}/{row.component}'s"
    raise UsageError(
        f"{dataset.name} has a space {source.name} already, {kind}: --replace puts these vectors "
        "in its place, --as NAME keeps both"
    )


def _matched(
    session: Session,
    dataset: DatasetRow,
    source: VectorSource,
    read: VectorFile,
    found: ImportResult,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that fit a sample, and the content ids of these samples."""
    count = len(read.vectors)
    ids = read.ids if source.ids is None else _read_ids(source)
    if ids is None:
        _check_order(session, dataset, source, read)
        with session.store.reading() as connection:
            _, contents = samples.ordered_ids(connection, dataset.id)
        if len(contents) != count:
            raise UsageError(
                f"{source.path} has {counted(count, 'row')}, {dataset.name} "
                f"{counted(len(contents), 'sample')}: which row is whose is not certain; name a "
                "table with the id of each row (--ids FILE --id COLUMN)"
            )
        return np.arange(count, dtype=np.int64), contents
    if len(ids) != count:
        raise UsageError(
            f"{source.path} has {counted(count, 'row')}, {source.ids} {counted(len(ids), 'id')}: "
            "give one id for each row, in their order"
        )
    named = [row for row, name in enumerate(ids) if name is not None]
    found.unreadable = [f"row {row + 1:,} has no id" for row, one in enumerate(ids) if one is None]
    given = [sanitize(ids[row] or "") for row in named]
    where = str(source.ids or source.path)
    matched = match_ids(session, dataset, given, where)
    found.unknown = matched.unknown
    pairs = [
        (row, place[1])
        for row, place in zip(named, matched.places, strict=True)
        if place is not None
    ]
    _tell_unknown(session, dataset, where, len(given), len(pairs), matched.unknown)
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _check_order(
    session: Session, dataset: DatasetRow, source: VectorSource, read: VectorFile
) -> None:
    """Refuse to go by the order of rows where the file itself says whose they are.

    Raises:
        UsageError: most values of a column or array are ids of the data set, in another order.
    """
    if not read.others or source.ids is not None:
        return
    with session.store.reading() as connection:
        sample_ids, _ = samples.ordered_ids(connection, dataset.id)
        names = samples.external_ids(connection, sample_ids.tolist())
    order = [names[one] for one in sample_ids.tolist()]
    known = set(order)
    unlike = []
    for name, values in read.others.items():
        given = [sanitize(value) for value in values]
        if given == order:
            return
        fitting = len(known.intersection(given))
        if 2 * fitting > len(given):
            raise UsageError(
                f"{source.path}: {fitting:,} of the {counted(len(given), 'value')} of {name!r} are "
                f"ids of {dataset.name}, in another order than its samples: --id {name} goes by "
                "them (a file without them goes by the order of its rows)"
            )
        unlike.append(name)
    session.notice(
        f"{source.path}: the vectors are taken in the order of the samples; its "
        f"{', '.join(map(repr, unlike))} {verb(len(unlike), 'is', 'are')} not read, as "
        f"{verb(len(unlike), 'its', 'their')} values are no ids of {dataset.name}"
    )


def _tell_unknown(
    session: Session,
    dataset: DatasetRow,
    where: str,
    total: int,
    fitting: int,
    unknown: Sequence[str],
) -> None:
    if total and 2 * fitting > total:
        return
    mismatch = describe_mismatch(session, dataset, unknown, ())
    if not fitting:
        raise UsageError(
            f"none of the ids in {where} ({shown_ids(unknown)}) is the id of a sample: {mismatch}"
        )
    lost = total - fitting
    session.notice(
        f"{lost:,} of {counted(total, 'id')} of {where} {verb(lost, 'matches', 'match')} no "
        f"sample ({shown_ids(unknown)}): {mismatch}"
    )


def _read_ids(source: VectorSource) -> list[str | None]:
    assert source.ids is not None
    column = ""
    ids: list[str | None] = []
    for row in tables.read_rows(source.ids, encoding=source.encoding):
        column = column or tables.column_named(
            source.ids, row, source.id_column, tables.ID_COLUMNS, "ids"
        )
        ids.append(tables.text_id(row.get(column)))
    if not ids:
        raise DatasetError(f"{source.ids} has no rows")
    return ids


def _finite_and_zero(
    read: VectorFile, rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows are finite, and which all zeros, as float32, which is what is stored."""
    finite, zero = (np.empty(len(rows), dtype=bool) for _ in range(2))
    with np.errstate(over="ignore"):
        for start in range(0, len(rows), _BLOCK):
            part = np.asarray(read.vectors[rows[start : start + _BLOCK]]).astype(np.float32)
            finite[start : start + len(part)] = np.isfinite(part).all(axis=1)
            zero[start : start + len(part)] = ~part.any(axis=1)
    return finite, zero


def _tell_differing(
    session: Session,
    source: VectorSource,
    read: VectorFile,
    rows: NDArray[np.int64],
    digests: NDArray[np.generic],
) -> None:
    """Tell of samples that say the same but have different vectors: they can have only one."""
    _, place, counts = np.unique(digests, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[place] > 1)
    first: dict[int, NDArray[Any]] = {}
    differing = set()
    for at in several.tolist():
        vector = np.asarray(read.vectors[rows[at]]).astype(np.float32)
        group = int(place[at])
        if not np.array_equal(first.setdefault(group, vector), vector):
            differing.add(group)
    if differing:
        session.notice(
            "groups of samples with the same texts and images but different vectors in "
            f"{source.path}: {len(differing):,}; all of a group take its last vector"
        )
