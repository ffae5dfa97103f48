"""The index for many rows: faiss searches near ones first, as far as a measured recall asks for.

Rows that lie in clusters are found in inverted lists: compared in a compressed form where they are
long, and the best of them exactly. Where many lists would have to be read (the rows have no
clusters to speak of), all rows are compared in the compressed form instead. Rows that are mapped
from a file stay there: only codes are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
_SHORTLISTS = (2, 4, 8)  # times k, of rows found in lists of codes
_LARGEST_SHORTLIST = 64  # times k
_BLOCK = 8_192  # rows that are searched at a time
_ADDED = 65_536  # rows that are added at a time
_COMPARED = 1 << 25  # numbers of a block in which rows are compared with all
_COMPARED_AT_A_TIME = 64  # rows whose shortlists are copied out of the file


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

    version = "4"
    Options = FaissOptions
    options: FaissOptions

    def neighbours(self, X: NDArray[np.float32], k: int, seed: int) -> Neighbours:  # noqa: N803 - the contract's names
        """Return the k nearest other rows of each row; see Index.neighbours."""
        n = len(X)
        if n <= max(self.options.exact_below, k + 1):
            return exact_neighbours(X, k)
        vectors = np.ascontiguousarray(X, dtype=np.float32)
        check = _checked_rows(vectors, k, min(self.options.checked, n), seed)
        for attempt in _attempts(vectors, k, seed):
            found = attempt.search(vectors, check.rows, k)
            if self._reached(found.similarity, check):
                return _complete(_search_all(attempt, vectors, k), vectors)
        return _complete(_search_all(_All(), vectors, k), vectors)

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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A way to search: an index, how much of it, and how long a shortlist is compared exactly.

    `shortlist` is a multiple of what is wanted; None where the index itself compares the rows.
    """

    index: Any
    parameters: Any
    shortlist: int | None

    def search(self, vectors: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Neighbours:
        """Return k others for each of some rows, -1 with similarity -inf where fewer were found."""
        queries = vectors[rows]
        missing = self.index.d - queries.shape[1]
        padded = np.pad(queries, ((0, 0), (0, missing))) if missing else queries
        wanted = (k + 1) * (self.shortlist or 1)
        similarity, indices = self.index.search(padded, wanted, params=self.parameters)
        if self.shortlist is not None:
            similarity = _compared(vectors, queries, indices)
        return _best_others(similarity, indices, rows, k)


class _All:
    """The search that compares a row with all: faiss keeps the best of each faster than numpy."""

    def search(self, vectors: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Neighbours:
        """Return the k others of each of some rows."""
        faiss = _library()
        inner = faiss.METRIC_INNER_PRODUCT
        similarity, indices = faiss.knn(vectors[rows], vectors, k + 1, inner)
        return _best_others(similarity, indices, rows, k)


def _compared(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the similarity (r, c) of each query to the rows that its candidates (r, c) name.

    A few queries at a time, in threads: their candidates are copied out of the file.
    """

    def part(start: int) -> NDArray[np.float32]:
        own = indices[start : start + _COMPARED_AT_A_TIME]
        near = np.take(vectors, own.ravel(), axis=0, mode="clip").reshape(*own.shape, -1)
        mine = queries[start : start + _COMPARED_AT_A_TIME]
        return np.asarray(np.matmul(near, mine[:, :, None])[:, :, 0])

    with ThreadPoolExecutor(_library().omp_get_max_threads()) as pool:
        return np.concatenate(list(pool.map(part, range(0, len(queries), _COMPARED_AT_A_TIME))))


def _best_others(
    similarity: NDArray[np.float32],
    indices: NDArray[np.int64],
    rows: NDArray[np.int64],
    k: int,
) -> Neighbours:
    """Return the k best of what was found for each row, descending, equal ones by row."""
    similarity[(indices == rows[:, None]) | (indices < 0)] = -np.inf
    indices[similarity == -np.inf] = -1
    if similarity.shape[1] > 4 * k:  # sorting all of a long shortlist would take most of the time
        place = np.argpartition(similarity, -2 * k, axis=1)[:, -2 * k :]
        similarity = np.take_along_axis(similarity, place, axis=1)
        indices = np.take_along_axis(indices, place, axis=1)
    order = np.lexsort((indices, -similarity), axis=1)[:, :k]
    return Neighbours(
        np.take_along_axis(indices, order, axis=1), np.take_along_axis(similarity, order, axis=1)
    )


def _attempts(vectors: NDArray[np.float32], k: int, seed: int) -> Iterator[_Attempt]:
    """Yield ways to search, from the fastest to the most thorough."""
    faiss = _library()

    lists, count = _inverted_lists(vectors, seed)
    coded = not isinstance(lists, faiss.IndexIVFFlat)
    probes = 1
    while probes <= max(1, count // _WIDEST_READ):
        read = faiss.SearchParametersIVF(nprobe=probes)
        for times in _SHORTLISTS if coded else (None,):
            yield _Attempt(lists, read, times)
        probes = _next(probes)
    del lists
    codes = _compressed(vectors, seed)
    times = 2
    while times <= _LARGEST_SHORTLIST and times * (k + 1) < len(vectors):
        yield _Attempt(codes, None, times)
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
        d += d % 2
        lists = faiss.IndexIVFPQFastScan(
            faiss.IndexFlatIP(d), d, count, d // 2, 4, faiss.METRIC_INNER_PRODUCT
        )
        lists.pq.cp.niter, lists.pq.cp.seed = _ROUNDS, seed % (1 << 31)
    lists.cp.niter, lists.cp.seed, lists.cp.spherical = _ROUNDS, seed % (1 << 31), True
    multiple = 2 if d > _LONG else 1
    lists.train(_filled(vectors[_training_rows(n, count * _POINTS_A_LIST, seed)], multiple))
    for start in range(0, n, _ADDED):
        lists.add(_filled(vectors[start : start + _ADDED], multiple))
    return lists, count


def _filled(vectors: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Return vectors with dimensions of zeros, so that there are a multiple of them."""
    missing = -vectors.shape[1] % multiple
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def _compressed(vectors: NDArray[np.float32], seed: int) -> Any:
    """Return an index of codes that have half a byte for two dimensions."""
    faiss = _library()

    n, d = vectors.shape
    d += d % 2
    codes = faiss.IndexPQFastScan(d, d // 2, 4, faiss.METRIC_INNER_PRODUCT)
    codes.pq.cp.niter, codes.pq.cp.seed = _ROUNDS, seed % (1 << 31)
    codes.train(_filled(vectors[_training_rows(n, _CODE_SAMPLE, seed)], 2))
    for start in range(0, n, _ADDED):
        codes.add(_filled(vectors[start : start + _ADDED], 2))
    return codes


def _training_rows(n: int, count: int, seed: int) -> NDArray[np.int64]:
    if count >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 1]).choice(n, count, replace=False))


def _search_all(attempt: _Attempt | _All, vectors: NDArray[np.float32], k: int) -> Neighbours:
    parts = []
    for start in range(0, len(vectors), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(vectors)))
        parts.append(attempt.search(vectors, rows, k))
    return Neighbours(
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.similarity for part in parts]),
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
