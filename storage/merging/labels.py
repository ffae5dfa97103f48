"""Takes over clusterings and groupings of data sets that both databases have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ig4.storage import clusters, groups
from ig4.storage.arrays import integers
from ig4.storage.integrity.seals import seal
from ig4.storage.merging.idmaps import NOWHERE
from ig4.storage.merging.merging import Merging, columns, in_order
from ig4.storage.schema import Clustering, ClusterLabel, Grouping, GroupLabel
from ig4.storage.transfer.rows import CHUNK
from ig4.storage.transfer.upserting import add_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

Pairs = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
"""Sample ids and labels (m,)."""


def take_clusterings(merging: Merging) -> None:
    """Take over clusterings whose inputs were not clustered here."""
    for row in _sound(merging, Clustering, clusters.stored_checksum):
        same = _of_inputs(merging, Clustering, row)
        if same is not None:
            merging.result.of("clusterings").equal += 1
            merging.clusterings.put([row["id"]], [same])
            continue
        pairs = _mapped(merging, Clustering, _cluster_labels(merging, row["id"]))
        if pairs is None:
            continue
        _tell_renumbered(merging, row)
        crc = clusters.labels_checksum(*pairs)
        number = _put(merging, Clustering, ClusterLabel, row, crc, pairs)
        if number is None:
            merging.clusterings.unseen([row["id"]])
        else:
            merging.clusterings.put([row["id"]], [number])


def take_groupings(merging: Merging) -> None:
    """Take over groupings whose names stand for nothing here."""
    for row in _sound(merging, Grouping, groups.stored_checksum):
        if _of_inputs(merging, Grouping, row) is not None:
            merging.result.of("groupings").equal += 1
            continue
        with merging.store.reading() as connection:
            taken = connection.scalar(
                select(Grouping.id).where(
                    Grouping.dataset_id == row["dataset_id"], Grouping.name == row["name"]
                )
            )
        if taken is not None:
            merging.conflict(Grouping, f"groups {row['name']} were made of something else there")
            continue
        found = groups.memberships(merging.source.connection, row["id"])
        pairs = _mapped(merging, Grouping, found)
        if pairs is not None:
            order = np.lexsort((pairs[1], pairs[0]))
            ordered = pairs[0][order], pairs[1][order]
            _put(merging, Grouping, GroupLabel, row, groups.checksum(*ordered), ordered)


def _sound(
    merging: Merging, model: Any, checksum: Callable[[Connection, int], int]
) -> list[dict[str, Any]]:
    """Return the sound rows there whose data set is here, with the data set's id here."""
    tally = merging.result.of(model.__tablename__)
    good = []
    for rows in merging.rows(model):
        for row in merging.sound(model, rows):
            dataset = merging.datasets.get(row["dataset_id"])
            stored = row["labels_crc"]
            if dataset is None or merging.components.get(row["component_id"]) is None:
                tally.left_out += 1
            elif stored is not None and checksum(merging.source.connection, row["id"]) != stored:
                tally.damaged += 1
            else:
                good.append({**row, "dataset_id": dataset})
    return good


def _of_inputs(merging: Merging, model: Any, row: Mapping[str, Any]) -> int | None:
    with merging.store.reading() as connection:
        return connection.scalar(
            select(model.id).where(
                model.dataset_id == row["dataset_id"], model.inputs == row["inputs"]
            )
        )


def _cluster_labels(merging: Merging, clustering: int) -> Pairs:
    connection, mine = merging.source.connection, ClusterLabel.clustering_id == clustering
    found = integers(
        connection,
        select(ClusterLabel.sample_id, ClusterLabel.label)
        .where(mine)
        .order_by(ClusterLabel.sample_id),
    ).reshape(-1, 2)
    return np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])


def _mapped(merging: Merging, model: Any, pairs: Pairs) -> Pairs | None:
    """Return labels by the ids of samples here; None, counted, where one is not here."""
    samples = merging.samples.array(pairs[0])
    if (samples == NOWHERE).any():
        merging.result.of(model.__tablename__).left_out += 1
        return None
    return samples, pairs[1]


def _tell_renumbered(merging: Merging, row: Mapping[str, Any]) -> None:
    if not row["imported"] and not (merging.samples.identical and merging.images.identical):
        merging.result.notes.append(
            f"clusters {row['name']} were taken over; asked for again, they are computed anew, as "
            "samples have other numbers here"
        )


def _put(
    merging: Merging, model: Any, labels: Any, row: Mapping[str, Any], crc: int, pairs: Pairs
) -> int | None:
    """Store a clustering or grouping; returns its id here, None where nothing is written."""
    table, of_labels = model.__tablename__, labels.__tablename__
    merging.result.of(table).taken += 1
    merging.result.of(of_labels).taken += len(pairs[0])
    if merging.dry_run:
        return None
    own = {
        **row,
        "component_id": merging.components.get(row["component_id"]),
        "run_id": merging.runs.get(row["run_id"]),
        "labels_crc": crc,
    }
    names = columns(model, without=("id",))
    key = (model.dataset_id == row["dataset_id"], model.inputs == row["inputs"])
    with merging.store.writing() as connection:
        add_rows(connection, table, names, in_order(names, [own]))
        number = int(connection.scalar(select(model.id).where(*key)) or 0)
        seal(connection, model, model.id == number)
        owner = f"{table[:-1]}_id"
        for start in range(0, len(pairs[0]), CHUNK):
            part = slice(start, start + CHUNK)
            rows = [
                (number, sample, label)
                for sample, label in zip(*(one[part].tolist() for one in pairs), strict=True)
            ]
            add_rows(connection, of_labels, [owner, "sample_id", "label"], rows)
    return number
