"""Which samples repeat another one of a pool: the same content, or nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.selecting.alike import Line, alike_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


def first_of_its_kind(
    pool: Pool, spaces: Sequence[str], alike: float, kept: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which rows (n,) repeat no row that comes before them.

    Rows repeat each other that have the same texts and images; and those with a vector in each of
    the `spaces` whose vectors have a cosine above `alike` in all of them, or are hashes of few
    other bits. Rows `kept` (n,) come before all others, and then the order of the data set counts:
    what is left out anyway is no reason to leave out what is like it. Of several that repeat each
    other, the first stays; a row stays as well if it is near only to rows that fell out.
    """
    order = np.lexsort((np.arange(pool.n), ~kept))
    first = np.zeros(pool.n, dtype=bool)
    first[order[np.unique(pool.contents[order], return_index=True)[1]]] = True
    if spaces and pool.n > 1:
        comparable = first & np.logical_and.reduce([pool.has_vector(name) for name in spaces])
        found = alike_rows(pool, spaces, Line(alike), among=comparable, order=order)
        first[list(found)] = False
    return first
