"""The selector `graph-cut`: samples like the pool, and unlike each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.graph import similarity_graph
from ig4.plugins.selectors.greedy.graphcut import dense_graph_cut, sparse_graph_cut
from ig4.plugins.selectors.greedy.similarity import STORED_ROWS, Kind, Similarities
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, reasons_of_picks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON
    from ig4.plugins.selectors.greedy.picks import Picks


class GraphCutOptions(contracts.Options):
    """Options of the selector `graph-cut`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    similarity: Kind = Field(
        "cosine", description="How alike two samples are; as for facility-location."
    )
    redundancy: float = Field(
        1.0,
        gt=0,
        description="Weight (lambda) of the similarity among the taken ones; up to 0.5 more "
        "samples never lower the sum, and greedy choice is within 1 - 1/e of the best.",
    )
    mode: Literal["auto", "dense", "sparse"] = Field(
        "auto",
        description="dense compares all pairs, sparse each sample and its neighbours; auto is "
        "dense up to 10,000 samples, then sparse.",
    )
    neighbors: int = Field(
        100, ge=1, description="Neighbours of each sample that count in mode sparse."
    )


class GraphCut(ExplainedSelector["Picks"]):
    """Maximises the similarity to the pool less `redundancy` x the similarity among the taken."""

    version = "1"
    Options = GraphCutOptions
    options: GraphCutOptions

    def needs(self) -> Needs:
        """The space, and its neighbours if they may be used."""
        chosen = self.options
        sparse = chosen.mode != "dense"
        return Needs(
            spaces=(chosen.space,),
            neighbours=((chosen.space, chosen.neighbors),) if sparse else (),
        )

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows in the order taken; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> Picks:
        """Take the rows one after another."""
        chosen = self.options
        vectors = pool.vectors(chosen.space)
        if chosen.mode == "sparse" or (chosen.mode == "auto" and pool.n > STORED_ROWS):
            near = pool.neighbours(chosen.space, chosen.neighbors)
            graph = similarity_graph(near, vectors, chosen.similarity)
            return sparse_graph_cut(graph, pool.size, chosen.redundancy)
        similarities = Similarities(vectors, chosen.similarity)
        return dense_graph_cut(similarities, pool.size, chosen.redundancy)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the place of a row and what it added, or the taken row that it is most like."""
        return reasons_of_picks(self.found(pool), row, pool.unit_vectors(self.options.space))
