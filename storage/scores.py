"""Statements on scores and embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import delete, func, select

from ig4.storage.arrays import MISSING, floats, integers
from ig4.storage.bulk import in_values, put_rows, upsert
from ig4.storage.integrity.checksums import of_score, of_vector
from ig4.storage.integrity.seals import checksum, seal
from ig4.storage.membership import (
    among,
    differing_names,
    in_order,
    known_names,
    members,
    of_dataset,
    owners,
    prefixes,
)
from ig4.storage.schema import (
    Component,
    DatasetScorer,
    Embedding,
    ImageFile,
    Sample,
    Score,
    ScoreDetails,
)
from ig4.storage.views import WIDE_COLUMNS, lock_schema, refresh_scores_wide

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.orm import InstrumentedAttribute

RESERVED_NAMES = WIDE_COLUMNS
"""Names that scorers must not take: they are columns of `scores_wide`."""

_CHUNK = 10_000


def bind(
    connection: Connection,
    dataset_id: int,
    name: str,
    component: int,
    *,
    imported: bool = False,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Bind a scorer's plain name to a component in a data set, and add it to the views.

    `options` are all that the component was made with, JSON-able.
    """
    bind_all(connection, dataset_id, {name: component}, imported=imported, options=options)


def bind_all(
    connection: Connection,
    dataset_id: int,
    components: Mapping[str, int],
    *,
    imported: bool = False,
    options: Mapping[str, Any] | None = None,
    unbound: Sequence[str] = (),
) -> None:
    """Bind several names at once, as `bind`, and let the names `unbound` stand for nothing."""
    known = connection.scalars(
        select(DatasetScorer.name).where(DatasetScorer.name.in_(list(components)))
    )
    changes_views = bool(unbound) or not set(components) <= set(known)
    if changes_views:
        lock_schema(connection)  # before any row: processes that wait for each other must not meet
    if unbound:
        connection.execute(
            delete(DatasetScorer).where(
                DatasetScorer.dataset_id == dataset_id, DatasetScorer.name.in_(list(unbound))
            )
        )
    updated = ["component_id", "imported", "options"]
    statement = upsert(connection, DatasetScorer, ["dataset_id", "name"], update=updated)
    for name, component in components.items():
        values = {
            "dataset_id": dataset_id,
            "name": name,
            "component_id": component,
            "imported": imported,
            "options": None if options is None else dict(options),
        }
        connection.execute(statement.values(values))
        seal(
            connection,
            DatasetScorer,
            DatasetScorer.dataset_id == dataset_id,
            DatasetScorer.name == name,
        )
    if changes_views:
        refresh_scores_wide(connection)


def bind_members(
    connection: Connection,
    mixture_id: int,
    components: Mapping[str, int],
    *,
    imported: bool = False,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Bind names in those members of a mixture where none of them means anything yet."""
    for member in members(connection, mixture_id):
        taken = {row.name for row in _bound(connection, member.id)}
        if not taken & set(components):
            bind_all(connection, member.id, components, imported=imported, options=options)


class _Binding(NamedTuple):
    name: str
    component_id: int
    imported: bool


def bindings(connection: Connection, dataset_id: int) -> dict[str, tuple[int, bool]]:
    """Return (component id, imported) by scorer name for a data set.

    A mixture has its own names, and those that stand for one component in all of its members.
    """
    rows = _bound(connection, dataset_id)
    parts = members(connection, dataset_id)
    if parts:
        rows = known_names(rows, [_bound(connection, part.id) for part in parts])
    return {name: (component, imported) for name, component, imported in rows}


def differing(connection: Connection, mixture_id: int) -> list[str]:
    """Return the names that stand for different scorers in members, and for none in a mixture."""
    parts = [_bound(connection, part.id) for part in members(connection, mixture_id)]
    return differing_names(_bound(connection, mixture_id), parts)


def _bound(connection: Connection, dataset_id: int) -> list[_Binding]:
    rows = connection.execute(
        select(DatasetScorer.name, DatasetScorer.component_id, DatasetScorer.imported)
        .where(DatasetScorer.dataset_id == dataset_id)
        .order_by(DatasetScorer.name)
    )
    return [_Binding(*row) for row in rows]


def names(connection: Connection) -> set[str]:
    """Return the scorer names that are bound in any data set."""
    return set(connection.scalars(select(DatasetScorer.name)))


def names_of_component(connection: Connection, component_id: int) -> list[str]:
    """Return the scorer names that are bound to a component in any data set."""
    statement = select(DatasetScorer.name).where(DatasetScorer.component_id == component_id)
    return sorted(set(connection.scalars(statement)))


def imported_names(connection: Connection) -> set[str]:
    """Return the scorer names that are bound to imported scores in any data set."""
    return set(
        connection.scalars(select(DatasetScorer.name).where(DatasetScorer.imported.is_(True)))
    )


def component(connection: Connection, component_id: int) -> Mapping[str, Any]:
    """Return a row of `components`: kind, name, distribution, version, options, fingerprint, …"""
    row = connection.execute(
        select(Component.__table__).where(Component.id == component_id)
    ).mappings().one()  # fmt: skip
    return dict(row)


def put(
    connection: Connection,
    component_id: int,
    run_id: int | None,
    rows: Iterable[tuple[int, float | None, str | None, str | None]],
) -> None:
    """Store (content id, value, error, details as JSON text) rows of a component."""
    scores, details = [], []
    # In one order everywhere, so that no two processes wait for each other's rows.
    for content, value, error, detail in sorted(rows, key=itemgetter(0)):
        crc = of_score(component_id, content, value, error)
        scores.append((component_id, content, value, error, run_id, crc))
        if detail is not None:
            named = {"component_id": component_id, "content_id": content, "details": detail}
            details.append((component_id, content, detail, checksum(ScoreDetails, named)))
    key = ["component_id", "content_id"]
    updated = ["value", "error", "run_id", "crc"]
    put_rows(connection, Score, [*key, *updated], scores, key=key, update=updated)
    updated = ["details", "crc"]
    put_rows(connection, ScoreDetails, [*key, *updated], details, key=key, update=updated)


def scored_ids(
    connection: Connection, component_id: int, *, include_failed: bool = True
) -> NDArray[np.int64]:
    """Return the content ids (n,) that a component has results for, ascending."""
    statement = select(Score.content_id).where(Score.component_id == component_id)
    if not include_failed:
        statement = statement.where(Score.error.is_(None))
    return integers(connection, statement.order_by(Score.content_id))


def scored_among(
    connection: Connection, component_id: int, contents: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return those of a few content ids (n,) that a component has results for, ascending."""
    return _among(connection, Score.component_id == component_id, Score.content_id, contents)


def embedded_among(
    connection: Connection, component_id: int, images: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return those of a few image ids (n,) that an embedder has results for, ascending."""
    return _among(connection, Embedding.component_id == component_id, Embedding.image_id, images)


_SPARSE = 4
"""How many ids there may be in a range for each that is wanted: then the whole range is read."""


def _among(
    connection: Connection,
    of_component: ColumnElement[bool],
    column: InstrumentedAttribute[int],
    wanted: NDArray[np.int64],
) -> NDArray[np.int64]:
    if len(wanted) == 0:
        return np.empty(0, dtype=np.int64)
    low, high = int(wanted.min()), int(wanted.max())
    dense = high - low < _SPARSE * len(wanted)
    here = column.between(low, high) if dense else in_values(connection, column, wanted.tolist())
    found = integers(connection, select(column).where(of_component, here).order_by(column))
    return np.intersect1d(found, wanted) if dense else found


def values(
    connection: Connection, component_id: int, contents: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return a component's values (n,) for content ids (n,), NaN where it has none."""
    if contents.size == 0:
        return np.empty(0)
    low, high = int(contents.min()), int(contents.max())
    matches = (Score.component_id == component_id, Score.content_id.between(low, high))
    value = func.coalesce(Score.value, MISSING)
    column = floats(connection, select(value).where(*matches).order_by(Score.content_id))
    if len(column) == high - low + 1:  # no gaps: the ids need not be read
        result = column[contents - low]
    else:
        ids = integers(
            connection, select(Score.content_id).where(*matches).order_by(Score.content_id)
        )
        result = _align(ids, column, contents)
    result[np.isinf(result)] = np.nan
    return result


def _align(
    ids: NDArray[np.int64], column: NDArray[np.float64], contents: NDArray[np.int64]
) -> NDArray[np.float64]:
    result = np.full(len(contents), np.nan)
    if len(ids) == 0:
        return result
    at = np.minimum(np.searchsorted(ids, contents), len(ids) - 1)
    known = ids[at] == contents
    result[known] = column[at[known]]
    return result


def errors(
    connection: Connection, dataset_id: int, component_id: int, limit: int | None = None
) -> list[tuple[str, str]]:
    """Return (external id, error) of a data set's samples that a component failed on."""
    ids = owners(connection, dataset_id)
    before = prefixes(connection, dataset_id)
    statement = (
        select(Sample.dataset_id, Sample.external_id, Score.error)
        .join(Score, Score.content_id == Sample.content_id)
        .where(among(Sample.dataset_id, ids), Sample.ordinal.is_not(None))
        .where(Score.component_id == component_id, Score.error.is_not(None))
        .order_by(*in_order(ids))
        .limit(limit)
    )
    return [
        (before.get(owner, "") + name, error or "")
        for owner, name, error in connection.execute(statement)
    ]


def error_of(connection: Connection, component_id: int, content_id: int) -> str | None:
    """Return why a component failed on a content; None if it did not."""
    return connection.scalar(
        select(Score.error).where(
            Score.component_id == component_id, Score.content_id == content_id
        )
    )


def put_embeddings(
    connection: Connection,
    component_id: int,
    run_id: int | None,
    rows: Iterable[tuple[int, NDArray[np.float32] | str]],
) -> None:
    """Store (image id, vector (d,) float32 or the error) rows of an embedder."""
    stored = []
    for image, vector in sorted(rows, key=itemgetter(0)):
        data = None if isinstance(vector, str) else vector.astype("<f4").tobytes()
        error = vector if isinstance(vector, str) else None
        crc = of_vector(component_id, image, data, error)
        stored.append((component_id, image, data, error, run_id, crc, None, None))
    key = ["component_id", "image_id"]
    updated = ["vector", "error", "run_id", "crc", "file_id", "file_row"]
    put_rows(connection, Embedding, [*key, *updated], stored, key=key, update=updated)


def embedders(connection: Connection) -> list[int]:
    """Return the components that are embedders, the newest first."""
    statement = select(Component.id).where(Component.kind == "embedder")
    return list(connection.scalars(statement.order_by(Component.id.desc())))


def embedded_ids(
    connection: Connection, component_id: int, *, include_failed: bool = True
) -> NDArray[np.int64]:
    """Return the image ids (n,) that an embedder has results for, ascending."""
    statement = select(Embedding.image_id).where(Embedding.component_id == component_id)
    if not include_failed:
        statement = statement.where(Embedding.error.is_(None))
    return integers(connection, statement.order_by(Embedding.image_id))


def delete_failures(connection: Connection, dataset_id: int, component_ids: Sequence[int]) -> None:
    """Delete the errors of components in a data set, so that these samples are computed again."""
    ids = owners(connection, dataset_id)
    contents = select(Sample.content_id).where(among(Sample.dataset_id, ids))
    connection.execute(
        delete(Score)
        .where(Score.component_id.in_(component_ids), Score.error.is_not(None))
        .where(Score.content_id.in_(contents))
    )
    images = select(ImageFile.image_id).where(
        among(ImageFile.dataset_id, ids), ImageFile.image_id.is_not(None)
    )
    connection.execute(
        delete(Embedding)
        .where(Embedding.component_id.in_(component_ids), Embedding.error.is_not(None))
        .where(Embedding.image_id.in_(images))
    )


def delete_failures_of_any(
    connection: Connection, dataset_id: int, component_ids: Sequence[int]
) -> None:
    """Delete all that components have for the samples that any of them failed on.

    So a scorer and its outputs are computed again together, and never disagree meanwhile.
    """
    failed = (
        select(Score.content_id)
        .join(Sample, Sample.content_id == Score.content_id)
        .where(among(Sample.dataset_id, owners(connection, dataset_id)))
        .where(Score.component_id.in_(component_ids), Score.error.is_not(None))
    )
    contents = sorted(set(connection.scalars(failed)))
    for start in range(0, len(contents), _CHUNK):
        part = contents[start : start + _CHUNK]
        for table in (ScoreDetails, Score):
            connection.execute(
                delete(table).where(
                    table.component_id.in_(component_ids),
                    in_values(connection, table.content_id, part),
                )
            )


def delete_all(connection: Connection, component_id: int) -> None:
    """Delete all results of a component, which no data set's name stands for any more."""
    for table in (ScoreDetails, Score):
        connection.execute(delete(table).where(table.component_id == component_id))


def count_errors(
    connection: Connection, dataset_id: int, component_id: int, reason: str | None = None
) -> int:
    """Return how many samples of a data set a component failed on, by default for any reason."""
    failed = Score.error.is_not(None) if reason is None else Score.error == reason
    anywhere = select(func.count()).select_from(Score).where(
        Score.component_id == component_id, failed
    )  # fmt: skip
    if not connection.scalar(anywhere):
        return 0
    here = (
        select(func.count())
        .select_from(Sample)
        .join(Score, Score.content_id == Sample.content_id)
        .where(*of_dataset(connection, dataset_id))
        .where(Score.component_id == component_id, failed)
    )
    return int(connection.scalar(here) or 0)


def has_values(connection: Connection, dataset_id: int, component_id: int) -> bool:
    """Tell whether a component has a value for any sample of a data set."""
    found = (
        select(Score.content_id)
        .select_from(Score)
        .join(Sample, Score.content_id == Sample.content_id)
        .where(*of_dataset(connection, dataset_id))
        .where(Score.component_id == component_id, Score.value.is_not(None))
        .limit(1)
    )
    return connection.scalar(found) is not None


def contents_of_error(connection: Connection, component_id: int, reason: str) -> NDArray[np.int64]:
    """Return the content ids (n,) that a component failed on for a reason."""
    return integers(
        connection,
        select(Score.content_id).where(Score.component_id == component_id, Score.error == reason),
    )


def find(
    connection: Connection, component_id: int, content_id: int
) -> tuple[float | None, str | None]:
    """Return (value, error) of one content, both None if the component has no result for it."""
    row = connection.execute(
        select(Score.value, Score.error).where(
            Score.component_id == component_id, Score.content_id == content_id
        )
    ).first()
    return (None, None) if row is None else (row.value, row.error)
