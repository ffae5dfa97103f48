"""Nearest neighbours of samples in a space, by an index; found once, and kept in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Index, Neighbours
from ig4.core.contracts.pool import normalised
from ig4.core.engine.pooling.vectorfiles import read_array, write_array
from ig4.core.errors import MissingExtraError
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.watch import open_named
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import exact_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.spaces import SpaceVectors
    from ig4.core.engine.session import ConfiguredComponent, Session


def space_neighbours(
    session: Session,
    space: SpaceVectors,
    k: int,
    *,
    index: Choice | None = None,
    seed: int = 0,
) -> Neighbours:
    """Return the k nearest other samples of each sample by cosine, as rows of `space.row_of`.

    A sample without a vector is like none: its similarities are 0. What was found before is read
    from a file.
    """
    n = len(space.row_of)
    k = max(0, min(k, n - 1))
    component = session.configured(index or _index_for(session, n))
    key = digest_of([space.digest, component.fingerprint.value, k, seed])
    folder = session.store.vector_folder
    places, nearness = folder / f"{key}-rows.npy", folder / f"{key}-similarity.npy"
    indices, similarity = read_array(places, n, np.int64), read_array(nearness, n, np.float32)
    if indices is not None and similarity is not None:
        return Neighbours(
            cast("NDArray[np.int64]", indices), cast("NDArray[np.float32]", similarity)
        )
    found = _neighbours(component, normalised(space.matrix(0.0)), k, seed)
    write_array(places, found.indices)
    write_array(nearness, found.similarity)
    return found


MANY = 20_000
"""Above this number of rows neighbours are found by an index that may miss a few."""


def _index_for(session: Session, n: int) -> Choice:
    """Return the index for n rows where the user names none; of many rows, that is told."""
    if n <= MANY:
        return Choice("index", "exact")
    fast = Choice("index", "faiss")
    try:
        session.host.load(fast.kind, fast.use)
    except MissingExtraError:
        session.notice(
            f'comparing all {n:,} rows with all takes long: `pip install "ig4[neighbours]"` brings '
            "an index that is faster"
        )
        return Choice("index", "exact")
    session.notice(
        f"the neighbours of {n:,} rows are found by the index faiss, which may miss a few (`[run] "
        'index = "exact"` in ig4.toml finds all)'
    )
    return fast


def _neighbours(
    configured: ConfiguredComponent, unit: NDArray[np.float32], k: int, seed: int
) -> Neighbours:
    if k == 0:
        return exact_neighbours(unit, k)
    component = cast("Index", configured.component)
    open_named(component, configured.label)
    try:
        return component.neighbours(unit, k, seed)
    finally:
        component.close()
