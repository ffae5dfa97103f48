"""Checks for clusterers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Clusterer
from ig4.core.contracts.pool import normalised
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], Clusterer]


def clusterer_checks(make: Make) -> list[Check]:
    """Return the checks of a clusterer, on generated vectors."""
    return component_checks(make) + checks_from(
        check_labels_are_one_integer_for_each_row,
        check_labels_are_below_k,
        check_is_deterministic,
        check_another_seed_is_valid_too,
        check_clusters_the_same_after_pickling,
        check_leaves_vectors_alone,
        check_leaves_global_random_state_alone,
        check_one_cluster,
        check_one_row,
        check_as_many_clusters_as_rows,
        check_equal_rows,
        check_large_vectors,
        check_given_neighbours_do_as_those_it_finds,
        given=(make,),
    )


def blobs(n: int = 60, d: int = 8, centres: int = 4, seed: int = 0) -> NDArray[np.float32]:
    """Return (n, d) float32 vectors around a few centres; the array is read-only."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(scale=5.0, size=(centres, d))
    vectors = (middle[np.arange(n) % centres] + rng.normal(size=(n, d))).astype(np.float32)
    vectors.flags.writeable = False
    return vectors


def check_labels_are_one_integer_for_each_row(make: Make) -> None:
    """Labels are (n,) integers."""
    labels = _labels(make, blobs(), 4)
    require(labels.shape == (60,), f"the shape is {labels.shape}, not (60,)")
    require(np.issubdtype(labels.dtype, np.integer), f"the dtype is {labels.dtype}")


def check_labels_are_below_k(make: Make) -> None:
    """Labels are 0 to k - 1, whatever k; of one that does not use k, fewer than rows."""
    for k in (2, 4, 10):
        _require_valid(make, _labels(make, blobs(), k), 60, k)


def check_is_deterministic(make: Make) -> None:
    """Equal vectors and seed give equal labels, from another instance too."""
    for seed in (0, 7):
        first, second = _labels(make, blobs(), 4, seed), _labels(make, blobs(), 4, seed)
        require(np.array_equal(first, second), f"seed {seed} gave two different clusterings")


def check_another_seed_is_valid_too(make: Make) -> None:
    """Any seed of 32 bits is accepted."""
    for seed in (1, 2**31 - 1, 2**32 - 1):
        _require_valid(make, _labels(make, blobs(), 4, seed), 60, 4)


def check_clusters_the_same_after_pickling(make: Make) -> None:
    """A clusterer that was sent to another process gives the same labels."""
    pickled = pickle.dumps(make())
    again = _labels(lambda: pickle.loads(pickled), blobs(), 4)  # noqa: S301 - our own bytes
    require(np.array_equal(_labels(make, blobs(), 4), again), "pickling changed the labels")


def check_leaves_vectors_alone(make: Make) -> None:
    """The vectors belong to the store and must not change."""
    vectors = np.array(blobs())
    before = vectors.copy()
    _labels(make, vectors, 4)
    require(np.array_equal(before, vectors), "fit_predict changed X")


def check_leaves_global_random_state_alone(make: Make) -> None:
    """Random numbers come from the seed alone."""
    with opened(make) as clusterer, untouched_random_state():
        clusterer.fit_predict(blobs(), 4, 0)


def check_one_cluster(make: Make) -> None:
    """With k = 1 everything is cluster 0, for those that use k."""
    if not make().uses_k:
        _require_valid(make, _labels(make, blobs(), 1), 60, 1)
        return
    require(not _labels(make, blobs(), 1).any(), "k = 1 gave more than one cluster")


def check_one_row(make: Make) -> None:
    """A single vector is cluster 0, or noise where there is such."""
    _require_valid(make, _labels(make, blobs(n=1), 1), 1, 1)


def check_as_many_clusters_as_rows(make: Make) -> None:
    """With k = n the labels are still valid."""
    _require_valid(make, _labels(make, blobs(n=6), 6), 6, 6)


def check_equal_rows(make: Make) -> None:
    """Vectors that are all equal get valid labels, and are no error."""
    _require_valid(make, _labels(make, np.ones((12, 5), dtype=np.float32), 3), 12, 3)


def check_large_vectors(make: Make) -> None:
    """Vectors with lengths far from 1 get valid labels."""
    _require_valid(make, _labels(make, blobs() * np.float32(1e4), 4), 60, 4)


def check_given_neighbours_do_as_those_it_finds(make: Make) -> None:
    """If it wants neighbours, it clusters by those that it is given, and asks for few enough."""
    vectors = normalised(blobs(n=400))
    with opened(make) as clusterer:
        needed = clusterer.needed_neighbours(400, 4)
        require(0 <= needed < 400, f"it needs {needed} neighbours of 400 vectors")
        if not needed:
            return
        near = exact_neighbours(vectors, needed)
        labels = clusterer.fit_neighbours(vectors, near, 4, 0)
    _require_valid(make, labels, 400, 4)
    again = _labels(make, vectors, 4)
    same = (labels[:, None] == labels) == (again[:, None] == again)
    require(float(same.mean()) > 0.99, "fit_neighbours makes other clusters than fit_predict")


def _labels(make: Make, vectors: NDArray[np.float32], k: int, seed: int = 0) -> NDArray[np.int64]:
    with opened(make) as clusterer:
        return clusterer.fit_predict(vectors, k, seed)


def _require_valid(make: Make, labels: NDArray[np.int64], n: int, k: int) -> None:
    clusterer = make()
    require(labels.shape == (n,), f"the shape is {labels.shape}, not ({n},)")
    low, high = int(labels.min()), int(labels.max())
    least = -1 if clusterer.leaves_noise else 0
    most = k if clusterer.uses_k else n
    told = f"k = {k}" if clusterer.uses_k else f"{n} rows"
    require(low >= least and high < most, f"labels run from {low} to {high} with {told}")
    require(low >= 0 or clusterer.leaves_noise, "a label is -1, but leaves_noise is not declared")
