"""What the values of a pool scorer depend on beside columns, spaces and members, as digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.pooling.poolgroups import pool_groups_digest
from ig4.core.engine.pooling.spaces import space_vectors
from ig4.core.engine.pooling.storedsamples import StoredMeta
from ig4.storage import scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Needs
    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.session import Session
    from ig4.core.records import JSON
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow


def further_digests(
    session: Session,
    dataset: DatasetRow,
    needs: Needs,
    settings: PoolSettings,
    columns: Mapping[str, ScoreColumnRow],
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
    clusters: NDArray[np.int64],
) -> list[list[str]]:
    """Return digests of groups, clusters, meta, and of optional columns and spaces that are there.

    Of the samples (n,) of a pool, with their clusters (n,). What is not declared adds nothing, so
    that a scorer which reads none of it has the same digest as ever.

    Raises:
        UsageError: a grouping needs what is missing, or a space has not all of its vectors.
    """
    digests = [
        ["groups", name, pool_groups_digest(session, dataset, settings, name, sample_ids, contents)]
        for name in needs.groups
    ]
    if needs.clusters:
        order = np.lexsort((clusters, contents))
        digests.append(["clusters", _sha256(clusters[order])])
    if needs.meta:
        meta = StoredMeta(session.store, sample_ids)
        digests.append(["meta", _meta_digest(contents, meta)])
    for name in needs.optional_columns:
        if name in columns:
            row = columns[name]
            with session.store.reading() as connection:
                values = scores.values(connection, row.component_id, contents)
            digests.append(["column", name, row.fingerprint, _sha256(values)])
    for name in needs.optional_spaces:
        found = space_vectors(session, dataset, name, settings.embedders, sample_ids, contents)
        if found is not None:
            digests.append(["space", name, found.digest])
    return digests


def _meta_digest(contents: NDArray[np.int64], meta: Sequence[Mapping[str, JSON]]) -> str:
    """Return a digest of what is told of samples, whatever their order."""
    told = bytearray()
    for content, one in zip(contents.tolist(), meta, strict=True):
        text = json.dumps([content, dict(one)], sort_keys=True)
        told += hashlib.blake2b(text.encode(), digest_size=16).digest()
    return _sha256(np.sort(np.frombuffer(bytes(told), dtype="S16")))


def _sha256(values: NDArray[np.generic]) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()
