"""The index for many rows: faiss searches near ones first, as far as a measured recall asks for.

Rows that lie in clusters are found in inverted lists: compared in a compressed form where they are
long, and the best of them exactly. Where many lists would have to be read (the rows have no
clusters to speak of), all rows are compared in the compressed form instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Index, Neighbours
from ig4.core.statistics.neighbours import exact_neighbours, top_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 5  # of k-means: more find hardly better lists
_POINTS_A_LIST = 40  # to train on; faiss asks for 39
_CODE_SAMPLE = 16_384  # rows that the codes of 16 values for each two dimensions are fitted to
_WIDEST_READ = 16  # beyond 1/16 of the lists, comparing compressed rows is faster
_LONG = 64  # dimensions from which on codes are faster than the rows themselves
_SHORTLISTS = (4, 16, 32)  # times k, of rows found in lists of codes
_LARGEST_SHORTLIST = 64  # times k
_BLOCK = 8_192  # rows that are searched at a time
_ADDED = 65_536  # rows that are added at a time
_COMPARED = 1 << 25  # numbers of a block in which rows are compared with all


class FaissOptions(contracts.Options):
    """Options of the index `faiss`."""

    recall: float = Field(
        0.95, gt=0, le=1, description="Share of the true neighbours that must be found."
    )
    checked: int = Field(
        256, ge=1, description="Rows that are also searched exactly, to measure the recall."
    )
    exact_below: int = Field(
        50_000, ge=0, description="With fewer rows than this, all are searched exactly."
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """Some rows, and the similarity (r,) of the last of the true k neighbours of each."""

    rows: NDArray[np.int64]
    least: NDArray[np.float32]


class FaissIndex(Index):
    """Inverted lists with as many probes as the recall takes; else all, by codes and a shortlist.

    Jegou et al. 2011 (inverted lists, product quantisation) and Andre et al. 2015 (fast scan), as
    in faiss (Douze et al. 2024). Lists hold 4-bit codes of rows of more than 64 dimensions, whose
    best are compared exactly, and the rows themselves of others. The number of probes, and the
    length of the shortlist, grow by a half or a third until the recall measured on `checked` rows
    is reached; if neither gets there, the search is exact.
    """

    version = "3"
    Options = FaissOptions
    options: FaissOptions

    def neighbours(self, X: NDArray[np.float32], k: int, seed: int) -> Neighbours:  # noqa: N803 - the contract's names
        """Return the k nearest other rows of each row; see Index.neighbours."""
        n = len(X)
        if n <= max(self.options.exact_below, k + 1):
            return exact_neighbours(X, k)
        vectors = np.ascontiguousarray(X, dtype=np.float32)
        check = _checked_rows(vectors, k, min(self.options.checked, n), seed)
        for index, settings in _attempts(vectors, k, seed):
            found = _search(index, vectors[check.rows], check.rows, k, settings)
            if self._reached(found.similarity, check):
                return _complete(_search_all(index, vectors, k, settings), vectors)
        return _flat(vectors, k)

    def _reached(self, similarity: NDArray[np.float32], check: _Check) -> bool:
        # By similarity rather than by row, so that one of two equal rows is as good as the other.
        hits = similarity >= check.least[:, None] - 1e-6
        return float(hits.mean()) >= self.options.recall


def _library() -> Any:
    import faiss

    return faiss  # its types do not know the parameters of a search


def _checked_rows(vectors: NDArray[np.float32], k: int, count: int, seed: int) -> _Check:
    rows = np.sort(np.random.default_rng(seed).choice(len(vectors), count, replace=False))
    parts = []
    for some in np.array_split(rows, -(-count * len(vectors) // _COMPARED)):
        block = vectors[some] @ vectors.T
        block[np.arange(len(some)), some] = -np.inf
        parts.append(np.partition(block, -k, axis=1)[:, -k])
    return _Check(rows, np.concatenate(parts))


def _attempts(vectors: NDArray[np.float32], k: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield indexes with settings, from the fastest to the most thorough."""
    faiss = _library()

    lists, count = _inverted_lists(vectors, seed)
    refined = isinstance(lists, faiss.IndexRefine)
    probes = 1
    while probes <= max(1, count // _WIDEST_READ):
        read = faiss.SearchParametersIVF(nprobe=probes)
        if not refined:
            yield lists, read
        for times in _SHORTLISTS if refined else ():
            yield (
                lists,
                faiss.IndexRefineSearchParameters(k_factor=float(times), base_index_params=read),
            )
        probes = _next(probes)
    del lists
    codes = _compressed(vectors, seed)
    times = 2
    while times <= _LARGEST_SHORTLIST and times * (k + 1) < len(vectors):
        yield codes, faiss.IndexRefineSearchParameters(k_factor=float(times))
        times = _next(times)


def _next(number: int) -> int:
    """Return what follows in 1, 2, 3, 4, 6, 8, 12, 16, …"""
    is_power = number & (number - 1) == 0
    return max(2, number + number // 2) if is_power else number // 3 * 4


def _inverted_lists(vectors: NDArray[np.float32], seed: int) -> tuple[Any, int]:
    """Return an index of lists, and how many there are."""
    faiss = _library()

    n, d = vectors.shape
    count = max(1, min(int(4 * np.sqrt(n)), n // _POINTS_A_LIST))
    if d <= _LONG:
        lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, count, faiss.METRIC_INNER_PRODUCT)
    else:
        vectors = _filled(vectors, 4)
        d = vectors.shape[1]
        lists = faiss.IndexIVFPQFastScan(
            faiss.IndexFlatIP(d), d, count, d // 4, 4, faiss.METRIC_INNER_PRODUCT
        )
        lists.pq.cp.niter, lists.pq.cp.seed = _ROUNDS, seed % (1 << 31)
    lists.cp.niter, lists.cp.seed, lists.cp.spherical = _ROUNDS, seed % (1 << 31), True
    lists.train(vectors[_training_rows(n, count * _POINTS_A_LIST, seed)])
    index = lists if isinstance(lists, faiss.IndexIVFFlat) else faiss.IndexRefineFlat(lists)
    for start in range(0, n, _ADDED):
        index.add(vectors[start : start + _ADDED])
    return index, count


def _filled(vectors: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Return vectors with dimensions of zeros, so that there are a multiple of them."""
    missing = -vectors.shape[1] % multiple
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def _compressed(vectors: NDArray[np.float32], seed: int) -> Any:
    """Return an index of codes that have half a byte for two dimensions, refined exactly."""
    faiss = _library()

    n = len(vectors)
    even = _filled(vectors, 2)
    codes = faiss.IndexPQFastScan(even.shape[1], even.shape[1] // 2, 4, faiss.METRIC_INNER_PRODUCT)
    codes.pq.cp.niter, codes.pq.cp.seed = _ROUNDS, seed % (1 << 31)
    index = faiss.IndexRefineFlat(codes)
    index.train(even[_training_rows(n, _CODE_SAMPLE, seed)])
    index.add(even)
    return index


def _training_rows(n: int, count: int, seed: int) -> NDArray[np.int64]:
    if count >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 1]).choice(n, count, replace=False))


def _search_all(index: Any, vectors: NDArray[np.float32], k: int, settings: Any) -> Neighbours:
    parts = []
    for start in range(0, len(vectors), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(vectors)))
        parts.append(_search(index, vectors[rows], rows, k, settings))
    return Neighbours(
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.similarity for part in parts]),
    )


def _search(
    index: Any, queries: NDArray[np.float32], rows: NDArray[np.int64], k: int, settings: Any
) -> Neighbours:
    """Return k others for each of some rows, -1 with similarity -inf where fewer were found."""
    missing = index.d - queries.shape[1]
    if missing:
        queries = np.pad(queries, ((0, 0), (0, missing)))
    similarity, indices = index.search(queries, k + 1, params=settings)
    similarity[(indices == rows[:, None]) | (indices < 0)] = -np.inf
    indices[similarity == -np.inf] = -1
    # Descending, equal ones by row; what was not found goes last.
    order = np.lexsort((indices, -similarity), axis=1)[:, :k]
    return Neighbours(
        np.take_along_axis(indices, order, axis=1), np.take_along_axis(similarity, order, axis=1)
    )


def _complete(found: Neighbours, vectors: NDArray[np.float32]) -> Neighbours:
    """Search exactly for the rows of which fewer than k neighbours were found."""
    k = found.indices.shape[1]
    short = np.flatnonzero((found.indices < 0).any(axis=1))
    step = max(1, _COMPARED // len(vectors))
    for start in range(0, len(short), step):
        rows = short[start : start + step]
        block = vectors[rows] @ vectors.T
        block[np.arange(len(rows)), rows] = -np.inf
        found.indices[rows] = top_columns(block, k)
        found.similarity[rows] = np.take_along_axis(block, found.indices[rows], axis=1)
    return found


def _flat(vectors: NDArray[np.float32], k: int) -> Neighbours:
    """Compare all with all; faiss keeps the best of each row faster than numpy does."""
    faiss = _library()

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return _complete(_search_all(index, vectors, k, None), vectors)
