"""The eigenvectors that spectral clustering works with, of graphs of a million vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.plugins.clusterers.neighbourgraph import NeighbourGraph

_KRYLOV = 40  # vectors that Lanczos keeps; scipy's default of 20 converges slowly here
_KRYLOV_BYTES = 1 << 30
_MANY = 50_000
_TOLERANCE = 1e-6  # of eigenvalues of so many vectors; else as near as numbers can be
_PUSHED = 2.0  # takes eigenvalue 1 to -1, the other end


def cut_vectors(
    graph: NeighbourGraph, k: int, random: np.random.RandomState
) -> NDArray[np.float64]:
    """Return the k eigenvectors (n, k) of D^-1 A with the largest eigenvalues, as scikit-learn's.

    Those of eigenvalue 1 are known: one is constant on each connected part. Lanczos iterations
    find one vector of an eigenvalue that several have, and the others only by rounding errors, so
    the known ones are taken out, and it looks for the others alone. Needs k >= the number of parts.

    Signs are set by the largest component of each, so that they are the same on every machine. It
    draws n numbers, as scikit-learn does.
    """
    from scipy.sparse import diags

    degree = np.asarray(graph.adjacency.sum(axis=1)).ravel()
    root = np.sqrt(degree)
    parts = len(graph.sizes)
    norms = np.sqrt(np.bincount(graph.part_of, weights=degree, minlength=parts))
    known = np.zeros((len(root), parts))
    known[np.arange(len(root)), graph.part_of] = root / norms[graph.part_of]
    found = [known]
    start = random.uniform(-1, 1, len(root))
    if k > parts:
        scale = diags(1.0 / root)
        found.append(_others(scale @ graph.adjacency @ scale, known, k - parts, start))
    scaled: NDArray[np.float64] = np.concatenate(found, axis=1) / root[:, None]
    signs = np.sign(scaled[np.abs(scaled).argmax(axis=0), np.arange(k)])
    scaled *= signs
    return scaled


def _others(
    normal: Any, known: NDArray[np.float64], k: int, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the k leading eigenvectors (n, k) of a matrix (n, n) beside the known ones (n, p)."""
    from scipy.sparse.linalg import LinearOperator, eigsh
    from threadpoolctl import threadpool_limits

    n = len(known)

    def times(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = vector.ravel()
        result: NDArray[np.float64] = normal @ flat - known @ (_PUSHED * (flat @ known))
        return result

    operator = LinearOperator((n, n), matvec=times, dtype=np.float64)
    start = start - known @ (start @ known)
    room = max(k + 20, min(2 * k + 1, _KRYLOV_BYTES // (8 * n)))
    # The vectors are long and few: threads of the linear algebra library only wait for each other,
    # and add in an order of their own.
    with threadpool_limits(1):
        _, vectors = eigsh(
            operator,
            k,
            which="LA",
            v0=start,
            ncv=min(n, max(_KRYLOV, room)),
            tol=_TOLERANCE if n > _MANY else 0,
        )
    return np.asarray(vectors, dtype=np.float64)
