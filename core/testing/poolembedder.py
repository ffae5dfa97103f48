"""Checks for pool embedders."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs, PoolEmbedder
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.pool import ArrayPoolData, make_pool, make_pool_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], PoolEmbedder]

TOLERANCE = 1e-3
"""How far cosines may differ where the rows stand in another order."""

_KNOWN = frozenset({"samples", "meta", "spaces"})


def pool_embedder_checks(make: Make) -> list[Check]:
    """Return the checks of a pool embedder, on generated samples."""
    return component_checks(make) + checks_from(
        check_needs_what_a_pool_has_before_it_is_scored,
        check_gives_a_vector_for_each_row,
        check_pools_embed_deterministically,
        check_embeds_the_pool_the_same_after_pickling,
        check_pool_leaves_global_random_state_alone,
        check_equal_samples_get_equal_vectors,
        check_another_order_gives_the_same_cosines,
        check_one_row_is_embedded,
        check_samples_without_texts_are_no_error,
        given=(make,),
    )


def check_needs_what_a_pool_has_before_it_is_scored(make: Make) -> None:
    """`needs` depends on the options alone, and names samples, meta and spaces at most."""
    first, second = make().needs(), make().needs()
    require(isinstance(first, Needs), f"needs() returned {type(first).__name__}, not Needs")
    require(first == second, "equal options need different things")
    more = set(first.to_dict()) - _KNOWN
    require(not more, f"needs {', '.join(sorted(more))}, which an unscored pool does not have")


def check_gives_a_vector_for_each_row(make: Make) -> None:
    """Vectors are (n, d) float32; a row without one is NaN, nothing is infinite."""
    vectors = _embed(make, _data(make))
    require(vectors.ndim == 2 and len(vectors) == 50, f"the shape is {vectors.shape}")
    require(vectors.shape[1] > 0, "vectors have no numbers")
    require(vectors.dtype == np.float32, f"the dtype is {vectors.dtype}, not float32")
    require(not np.isinf(vectors).any(), "a number is infinite")
    lacking = np.isnan(vectors)
    require(bool((lacking.all(axis=1) == lacking.any(axis=1)).all()), "a row is NaN in part")
    require(len(np.unique(vectors, axis=0)) > 1, "all samples get the same vector")


def check_pools_embed_deterministically(make: Make) -> None:
    """Equal pools give equal vectors, from another instance too."""
    first, second = _embed(make, _data(make)), _embed(make, _data(make))
    require(np.array_equal(first, second, equal_nan=True), "equal pools gave different vectors")


def check_embeds_the_pool_the_same_after_pickling(make: Make) -> None:
    """A pool embedder that was sent to another process gives the same vectors."""
    pickled = pickle.dumps(make())
    again = _embed(lambda: pickle.loads(pickled), _data(make))  # noqa: S301 - our own bytes
    same = np.array_equal(_embed(make, _data(make)), again, equal_nan=True)
    require(same, "pickling changed the vectors")


def check_pool_leaves_global_random_state_alone(make: Make) -> None:
    """Random numbers come from a generator of the embedder's own."""
    data = _data(make)
    with untouched_random_state():
        _embed(make, data)


def check_equal_samples_get_equal_vectors(make: Make) -> None:
    """A sample that is there twice has one vector twice."""
    vectors = _embed(make, _data(make).take(np.concatenate([np.arange(50), [7]])))
    near = np.allclose(vectors[7], vectors[50], rtol=1e-4, atol=1e-6, equal_nan=True)
    require(bool(near), "two equal samples have different vectors")


def check_another_order_gives_the_same_cosines(make: Make) -> None:
    """Rows in another order are as near to each other as they were."""
    order = np.random.default_rng(5).permutation(50)
    before = _cosines(_embed(make, _data(make)))[np.ix_(order, order)]
    after = _cosines(_embed(make, _data(make).take(order)))
    near = np.allclose(before, after, atol=TOLERANCE, equal_nan=True)
    require(bool(near), "the order of the rows changes how near they are")


def check_one_row_is_embedded(make: Make) -> None:
    """One sample alone is a pool."""
    vectors = _embed(make, _data(make).take(np.array([3])))
    require(vectors.ndim == 2 and len(vectors) == 1, f"one row gave shape {vectors.shape}")


def check_samples_without_texts_are_no_error(make: Make) -> None:
    """Samples of empty texts get a vector or NaN, alone and among others."""
    data = _data(make)
    if not data.samples:
        return
    empty = [replace(sample, instruction="", answer="", turns=()) for sample in data.samples]
    some = [*empty[:5], *data.samples[5:]]
    for samples in (some, empty):
        data.samples = samples
        vectors = _embed(make, data)
        require(len(vectors) == 50 and not np.isinf(vectors).any(), "empty texts break it")


def _data(make: Make) -> ArrayPoolData:
    return make_pool_data(50, make().needs())


def _embed(make: Make, data: ArrayPoolData) -> NDArray[np.float32]:
    with opened(make) as embedder:
        return np.asarray(embedder.embed_pool(make_pool(data, embedder.needs())))


def _cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, np.float32(1))
    found: NDArray[np.float32] = (unit @ unit.T).astype(np.float32)
    return found
