"""A map of which vectors of a space are neighbours, by openTSNE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core.contracts import Needs, Options, PoolEmbedder
from ig4.core.contracts.pool import normalised
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_LEAST = 10


class TsneOptions(Options):
    """Options of the embedder `tsne`."""

    space: str = Field("clip", description="The space whose vectors are laid out.")
    perplexity: float = Field(30.0, gt=1, description="About how many neighbours each one keeps.")
    iterations: int = Field(500, ge=1, description="Steps after the early exaggeration.")
    seed: int = Field(42, ge=0, description="Seed of what is random.")


class Tsne(PoolEmbedder):
    """t-SNE (van der Maaten and Hinton 2008) as openTSNE has it, started from principal components.

    Distances are cosines. Neighbours are kept and distances between far groups mean nothing, so it
    is for looking, not for clustering.
    """

    version = "1"
    Options = TsneOptions
    options: TsneOptions

    def needs(self) -> Needs:
        """The vectors of the space; samples without one have no place."""
        return Needs(spaces=(self.options.space,))

    def embed_pool(self, pool: Pool) -> NDArray[np.float32]:
        """Return (n, 2) float32; NaN for samples without a vector.

        Raises:
            UsageError: there are several different ones, but fewer than ten.
        """
        from openTSNE import TSNE

        options = self.options
        vectors = pool.vectors(options.space)
        known = np.flatnonzero(~np.isnan(vectors[:, 0]))
        distinct, place = np.unique(normalised(vectors[known]), axis=0, return_inverse=True)
        found = np.full((pool.n, 2), np.nan, dtype=np.float32)
        if len(distinct) <= 1:  # a map of one place
            found[known] = 0.0
            return found
        if len(distinct) < _LEAST:
            raise UsageError(
                f"tsne needs {_LEAST} different vectors in the space {options.space}, which has "
                f"{len(distinct)}: `pca` makes a map of fewer"
            )
        layout = TSNE(
            perplexity=min(options.perplexity, (len(distinct) - 1) / 3),
            n_iter=options.iterations,
            metric="cosine",
            random_state=options.seed,
            n_jobs=1,  # with several, the sums come in another order, and the map is another one
        ).fit(distinct)
        found[known] = np.asarray(layout, dtype=np.float32)[place.reshape(-1)]
        return found
