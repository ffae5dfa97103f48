"""Checks for indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Index, Neighbours
from ig4.core.contracts.pool import normalised
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], Index]


def index_checks(make: Make, *, recall: float = 0.95) -> list[Check]:
    """Return the checks of an index; `recall` is the share of true neighbours it must find."""
    return (
        component_checks(make)
        + checks_from(
            check_gives_k_neighbours_of_each_row,
            check_is_deterministic,
            check_nearest_come_first,
            check_similarities_are_cosines,
            check_equal_rows,
            check_two_rows,
            check_vectors_of_zeros,
            check_leaves_global_random_state_alone,
            given=(make,),
        )
        + checks_from(check_finds_the_true_neighbours, given=(make, recall))
    )


def check_gives_k_neighbours_of_each_row(make: Make) -> None:
    """(n, k) rows, none its own neighbour, none twice."""
    for k in (1, 5, 59):
        found = _found(make, _vectors(), k)
        require(found.indices.shape == (60, k), f"indices have the shape {found.indices.shape}")
        require(found.similarity.shape == (60, k), "similarity has another shape than indices")
        own = (found.indices == np.arange(60)[:, None]).any()
        require(not own, "a row is its own neighbour")
        distinct = all(len(set(row)) == k for row in found.indices.tolist())
        require(distinct, "a neighbour is there twice")


def check_is_deterministic(make: Make) -> None:
    """Equal vectors give equal neighbours."""
    first, second = _found(make, _vectors(), 5), _found(make, _vectors(), 5)
    require(np.array_equal(first.indices, second.indices), "two calls found different neighbours")


def check_nearest_come_first(make: Make) -> None:
    """Similarities descend."""
    similarity = _found(make, _vectors(), 8).similarity
    require(bool((np.diff(similarity, axis=1) <= 1e-6).all()), "neighbours are not in order")


def check_similarities_are_cosines(make: Make) -> None:
    """A similarity is the cosine of the two rows."""
    vectors = _vectors()
    found = _found(make, vectors, 5)
    true = np.einsum("nkd,nd->nk", vectors[found.indices], vectors)
    require(bool(np.allclose(true, found.similarity, atol=1e-4)), "similarities are no cosines")


def check_equal_rows(make: Make) -> None:
    """Rows that are all equal have neighbours, and are no error."""
    found = _found(make, normalised(np.ones((12, 5), dtype=np.float32)), 3)
    require(bool(np.allclose(found.similarity, 1.0, atol=1e-5)), "equal rows are not alike")


def check_two_rows(make: Make) -> None:
    """Two rows are each other's neighbours."""
    found = _found(make, _vectors()[:2], 1)
    require(found.indices.tolist() == [[1], [0]], f"neighbours are {found.indices.tolist()}")


def check_vectors_of_zeros(make: Make) -> None:
    """A vector of zeros has similarity 0 to all, and is no error."""
    vectors = _vectors().copy()
    vectors[4] = 0
    found = _found(make, vectors, 5)
    require(bool(np.isfinite(found.similarity).all()), "a similarity is no number")
    require(bool(np.allclose(found.similarity[4], 0, atol=1e-6)), "zeros are alike to something")


def check_leaves_global_random_state_alone(make: Make) -> None:
    """Random numbers come from the seed alone."""
    vectors = _vectors()
    with opened(make) as index, untouched_random_state():
        index.neighbours(vectors, 5, 0)


def check_finds_the_true_neighbours(make: Make, recall: float) -> None:
    """Of the true nearest neighbours it finds at least `recall`."""
    vectors = _vectors(500)
    true, found = exact_neighbours(vectors, 10).indices, _found(make, vectors, 10).indices
    hits = sum(len({*a} & {*b}) for a, b in zip(true.tolist(), found.tolist(), strict=True))
    require(hits >= recall * true.size, f"recall is {hits / true.size:.3f}, not {recall}")


def _vectors(n: int = 60, d: int = 16) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    middle = rng.normal(scale=2.0, size=(6, d))
    return normalised((middle[np.arange(n) % 6] + rng.normal(size=(n, d))).astype(np.float32))


def _found(make: Make, vectors: NDArray[np.float32], k: int) -> Neighbours:
    with opened(make) as index:
        return index.neighbours(vectors, k, 0)
