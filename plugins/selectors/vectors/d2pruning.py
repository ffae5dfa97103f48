"""The selector `d2-pruning`: good samples, of which near ones lower each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.messages import message_passing
from ig4.plugins.selectors.greedy.picks import Picks
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, reasons_of_picks
from ig4.plugins.selectors.vectors.scores import FINAL, score_needs, score_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON

_ROWS = 4096  # at a time


class D2PruningOptions(contracts.Options):
    """Options of the selector `d2-pruning`."""

    space: str = Field("clip", description="The space whose neighbours are asked for.")
    score: str = Field(
        FINAL, description="The score: final, or the name of a scorer whose raw values count."
    )
    neighbors: int = Field(5, ge=1, description="Neighbours of each sample (k).")
    gamma_forward: float = Field(
        1.0, ge=0, description="How fast the scores of neighbours fade with their distance."
    )
    gamma_reverse: float = Field(
        0.4,
        ge=0,
        description="How fast the loss of a taken sample's neighbours fades with their distance.",
    )
    distance: Literal["euclidean", "squared"] = Field(
        "euclidean", description="Distance of vectors of length 1, or its square."
    )


class D2Pruning(ExplainedSelector[Picks]):
    """Message passing on a graph of neighbours (Maharana, Yadav & Bansal 2024)."""

    version = "1"
    Options = D2PruningOptions
    options: D2PruningOptions

    def needs(self) -> Needs:
        """Neighbours in the space, and a score."""
        near = (self.options.space, self.options.neighbors)
        return Needs(spaces=(self.options.space,), neighbours=(near,)) | score_needs(
            self.options.score
        )

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows in the order taken; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> Picks:
        """Gather the scores, then take the rows one after another."""
        chosen = self.options
        found = pool.neighbours(chosen.space, chosen.neighbors)
        squared = squared_distances(pool.vectors(chosen.space), found.indices)
        return message_passing(
            self._scores(pool),
            found.indices,
            squared if chosen.distance == "squared" else np.sqrt(squared),
            pool.size,
            chosen.gamma_forward,
            chosen.gamma_reverse,
        )

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return a row's score, its place and u when taken, and the taken rows that lowered it."""
        picks, score = self.found(pool), float(self._scores(pool)[row])
        near = pool.neighbours(self.options.space, self.options.neighbors).indices
        place = picks.place(row)
        before = picks.rows[:place]
        lowered_by = before[(near[before] == row).any(axis=1)]
        return reasons_of_picks(
            picks, row, None, score=score, lowered_by_rows=[int(one) for one in lowered_by]
        )

    def _scores(self, pool: Pool) -> NDArray[np.float64]:
        """Return the scores, raised so that none is below 0."""
        scores = score_values(pool, self.options.score, "d2-pruning")
        return scores - min(0.0, float(scores.min(initial=0)))


def squared_distances(
    vectors: NDArray[np.float32], indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the squared distance (n, k) of vectors of length 1 from those of `indices` (n, k).

    Those of an index are rounded in ways of its own, by which equal samples would differ.
    """
    found = np.empty(indices.shape)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        own = _unit(vectors[rows])
        for column, others in enumerate(indices[rows].T):
            apart = own - _unit(vectors[others])
            found[rows, column] = np.einsum("ij,ij->i", apart, apart)
    return found


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))
    scaled: NDArray[np.float64] = exact / np.where(lengths > 0, lengths, 1.0)[:, None]
    return scaled
