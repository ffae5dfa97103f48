"""Nearest neighbours of samples in a space, by an index; found once, and kept in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Index, Neighbours
from ig4.core.contracts.pool import normalised
from ig4.core.engine.pooling.vectorfiles import (
    MAPPED_FROM,
    Blocks,
    assembled,
    read_array,
    write_array,
)
from ig4.core.errors import MissingExtraError
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.watch import open_named
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import exact_neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return kept_neighbours(
        session, space.digest, n, k, lambda: _unit_vectors(session, space), index=index, seed=seed
    )


def kept_neighbours(
    session: Session,
    digest: str,
    n: int,
    k: int,
    unit: Callable[[], NDArray[np.float32]],
    *,
    index: Choice | None = None,
    recall: float | None = None,
    seed: int = 0,
) -> Neighbours:
    """Return the k nearest others of n vectors, which `unit` gives with length 1, (n, d).

    `digest` is of all that the vectors depend on: what was found before is read from a file. Where
    no index is given, `recall` is what that of ig4's choice must reach.
    """
    k = max(0, min(k, n - 1))
    choice = index or index_for(session, n, recall)
    component = session.configured(choice)
    key = digest_of([digest, component.fingerprint.value, k, seed])
    folder = session.store.vector_folder
    places, nearness = folder / f"{key}-rows.npy", folder / f"{key}-similarity.npy"
    indices, similarity = read_array(places, n, np.int64), read_array(nearness, n, np.float32)
    if indices is not None and similarity is not None:
        return Neighbours(
            cast("NDArray[np.int64]", indices), cast("NDArray[np.float32]", similarity)
        )
    if index is None and n > MANY:
        _tell(session, n, choice)
    found = _neighbours(component, unit(), k, seed)
    write_array(places, found.indices)
    write_array(nearness, found.similarity)
    return found


def _unit_vectors(session: Session, space: SpaceVectors) -> NDArray[np.float32]:
    if len(space.row_of) <= MAPPED_FROM:
        return normalised(space.matrix(0.0))
    if space.is_in_order:
        return unit_rows(session, space.vectors, space.digest)
    known = space.row_of >= 0

    def rows(start: int, end: int) -> NDArray[np.float32]:
        part = np.zeros((end - start, space.vectors.shape[1]), dtype=np.float32)
        part[known[start:end]] = space.vectors[space.row_of[start:end][known[start:end]]]
        return part

    return _mapped_unit(session, space.digest, len(space.row_of), rows)


def unit_rows(session: Session, vectors: NDArray[np.float32], digest: str) -> NDArray[np.float32]:
    """Return vectors (n, d) float32 with length 1: mapped from a file, where they are many.

    Those that have it already are returned as they are.
    """
    if len(vectors) <= MAPPED_FROM:
        return normalised(np.asarray(vectors))
    if all(_have_length_one(vectors[at : at + _BLOCK]) for at in range(0, len(vectors), _BLOCK)):
        return vectors
    return _mapped_unit(session, digest, len(vectors), lambda start, end: vectors[start:end])


def _have_length_one(vectors: NDArray[np.float32]) -> bool:
    lengths = np.linalg.norm(vectors, axis=1)
    return bool(np.all((np.abs(lengths - 1) < _ROUNDING) | (lengths == 0)))


def _mapped_unit(
    session: Session, digest: str, n: int, rows: Callable[[int, int], NDArray[np.float32]]
) -> NDArray[np.float32]:
    def blocks() -> Blocks:
        for start in range(0, n, _BLOCK):
            end = min(start + _BLOCK, n)
            yield np.arange(start, end), normalised(np.asarray(rows(start, end)))

    path = session.store.vector_folder / f"{digest_of([digest, 'unit'])}.npy"
    return assembled(path, n, blocks)


_BLOCK = 8_192
_ROUNDING = 1e-5  # by which the length of a vector that was divided by it in float32 is off

MANY = 50_000
"""Above this number of rows neighbours are found by an index that may miss a few."""


def index_for(session: Session, n: int, recall: float | None = None) -> Choice:
    """Return the index for n rows where the user names none; `recall` is what it must reach."""
    if n <= MANY:
        return Choice("index", "exact")
    fast = Choice("index", "faiss", {} if recall is None else {"recall": recall})
    try:
        session.host.load(fast.kind, fast.use)
    except MissingExtraError:
        return Choice("index", "exact")
    return fast


def _tell(session: Session, n: int, chosen: Choice) -> None:
    if chosen.use == "exact":
        session.notice(
            f'comparing all {n:,} rows with all takes long: `pip install "ig4[neighbours]"` brings '
            "an index that is faster"
        )
    else:
        session.notice(
            f"the neighbours of {n:,} rows are found by the index faiss, which may miss a few "
            '(`[run] index = "exact"` in ig4.toml finds all)'
        )


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
