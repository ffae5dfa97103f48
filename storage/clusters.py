"""Statements on clusterings and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from sqlalchemy import delete, func, insert, select, update

from ig4.storage.arrays import integers, small_integers
from ig4.storage.bulk import put_rows
from ig4.storage.clock import after_all
from ig4.storage.integrity.seals import resealed, seal
from ig4.storage.schema import Clustering, ClusterLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class ClusteringRow:
    """A clustering as stored."""

    id: int
    name: str
    k: int | None
    imported: bool


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of use of a clustering that must not become the newest of its data set."""


def find(
    connection: Connection,
    dataset_id: int,
    *,
    name: str | None = None,
    inputs: str | None = None,
    clustering_id: int | None = None,
) -> ClusteringRow | None:
    """Return the last used clustering of a data set, with that name, inputs or id if given."""
    statement = select(Clustering.id, Clustering.name, Clustering.k, Clustering.imported).where(
        Clustering.dataset_id == dataset_id
    )
    if name is not None:
        statement = statement.where(Clustering.name == name)
    if inputs is not None:
        statement = statement.where(Clustering.inputs == inputs)
    if clustering_id is not None:
        statement = statement.where(Clustering.id == clustering_id)
    row = connection.execute(
        statement.order_by(Clustering.created_at.desc(), Clustering.id.desc()).limit(1)
    ).first()
    return None if row is None else ClusteringRow(*row)


def imported_names(connection: Connection) -> set[str]:
    """Return the names of imported clusterings in any data set."""
    return set(connection.scalars(select(Clustering.name).where(Clustering.imported.is_(True))))


def put(
    connection: Connection,
    *,
    dataset_id: int,
    name: str,
    component_id: int,
    inputs: str,
    k: int | None,
    seed: int | None,
    imported: bool,
    run_id: int | None,
    samples: NDArray[np.int64],
    labels: NDArray[np.int64],
    backdated: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> int:
    """Store a clustering: labels (n,) of sample ids (n,); replaces one of the same inputs.

    With `backdated` it counts as used long ago, so that `find` prefers any other. `settings` are
    the options of the clusterer, and those of the embedder or the name of the `space`, JSON-able.
    """
    connection.execute(
        delete(Clustering).where(Clustering.dataset_id == dataset_id, Clustering.inputs == inputs)
    )
    values = {
        "dataset_id": dataset_id,
        "name": name,
        "component_id": component_id,
        "inputs": inputs,
        "k": k,
        "seed": seed,
        "imported": imported,
        "run_id": run_id,
        "created_at": _LONG_AGO if backdated else after_all(connection, Clustering.created_at),
        "settings": None if settings is None else dict(settings),
        "labels_crc": labels_checksum(samples, labels),
    }
    clustering_id = int(
        connection.scalar(insert(Clustering).values(values).returning(Clustering.id)) or 0
    )
    seal(connection, Clustering, Clustering.id == clustering_id)
    rows = [
        (clustering_id, sample, label)
        for sample, label in zip(samples.tolist(), labels.tolist(), strict=True)
    ]
    put_rows(connection, ClusterLabel, ["clustering_id", "sample_id", "label"], rows)
    return clustering_id


def count_noise(connection: Connection, clustering_id: int) -> int:
    """Return how many samples a clusterer has left without a cluster: their label is -1."""
    mine = (ClusterLabel.clustering_id == clustering_id, ClusterLabel.label < 0)
    return int(connection.scalar(select(func.count()).select_from(ClusterLabel).where(*mine)) or 0)


def labels_checksum(samples: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
    """Return the CRC-32 of the labels (n,) of distinct sample ids (n,), in whatever order."""
    order = np.argsort(samples, kind="stable")
    pairs = np.stack([samples[order], labels[order]]).astype("<i8")
    return crc32(pairs.tobytes())


def stored_checksum(connection: Connection, clustering_id: int) -> int:
    """Return the CRC-32 of the labels that a clustering has."""
    mine = ClusterLabel.clustering_id == clustering_id
    samples, found = (
        integers(connection, select(column).where(mine).order_by(ClusterLabel.sample_id))
        for column in (ClusterLabel.sample_id, ClusterLabel.label)
    )
    return labels_checksum(samples, found)


def settings(
    connection: Connection, dataset_id: int, name: str | None = None
) -> Mapping[str, Any] | None:
    """Return the settings of the clustering that was computed or used last, under a name if given.

    None where there is none, or none were recorded.
    """
    statement = select(Clustering.settings).where(
        Clustering.dataset_id == dataset_id,
        Clustering.imported.is_(False),
        Clustering.settings.is_not(None),
    )
    if name is not None:
        statement = statement.where(Clustering.name == name)
    return connection.scalar(
        statement.order_by(Clustering.created_at.desc(), Clustering.id.desc()).limit(1)
    )


def settings_of(connection: Connection, clustering_id: int) -> Mapping[str, Any] | None:
    """Return the settings of a clustering; None where none were recorded."""
    return connection.scalar(select(Clustering.settings).where(Clustering.id == clustering_id))


def mark_used(
    connection: Connection,
    clustering_id: int,
    name: str,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Record that a clustering was used under a name: `find` returns it for this data set now."""
    values: dict[str, Any] = {
        "created_at": after_all(connection, Clustering.created_at),
        "name": name,
    }
    if settings is not None:
        values["settings"] = dict(settings)
    here = Clustering.id == clustering_id
    with resealed(connection, Clustering, here):
        connection.execute(update(Clustering).where(here).values(values))


def labels(
    connection: Connection, clustering_id: int, samples: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the labels (n,) of sample ids (n,), -1 for a sample without a label."""
    if samples.size == 0:
        return np.empty(0, dtype=np.int64)
    low, high = int(samples.min()), int(samples.max())
    matches = (
        ClusterLabel.clustering_id == clustering_id,
        ClusterLabel.sample_id.between(low, high),
    )
    column = small_integers(
        connection, select(ClusterLabel.label).where(*matches).order_by(ClusterLabel.sample_id)
    )
    if len(column) == high - low + 1:  # no gaps: see ig4.storage.scores.values
        return column[samples - low]
    ids = integers(
        connection, select(ClusterLabel.sample_id).where(*matches).order_by(ClusterLabel.sample_id)
    )
    result = np.full(len(samples), -1, dtype=np.int64)
    if len(ids):
        at = np.minimum(np.searchsorted(ids, samples), len(ids) - 1)
        known = ids[at] == samples
        result[known] = column[at[known]]
    return result
