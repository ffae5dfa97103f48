"""The second selector of the InstructionGPT-4 authors, which was trained: a score of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Digest, Needs, PoolScorer
from ig4.core.engine.selecting.scaling import PAPER_SCALES
from ig4.core.errors import PrerequisiteError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON
    from ig4.plugins.scorers.pool.authorsnetwork import Network

INDICATORS = ("clip", "reward", "length", "gpt")
"""The paper's four indicators, in the order in which the network reads their percents."""


class AuthorsSelectorOptions(contracts.Options):
    """Options of the scorer `authors-selector`."""

    checkpoint: str = Field(
        min_length=1,
        description="The trained network: the authors' best_model.pth, or a .safetensors file "
        "with tensors of these names.",
    )
    image_space: str = Field(
        "authors-image", description="Six numbers for each image (their PCA of CLIP ViT-bigG-14)."
    )
    text_space: str = Field(
        "authors-text", description="Six numbers for each answer (their PCA of LLaMA-2-7B-chat)."
    )


class AuthorsSelector(PoolScorer):
    """InstructionGPT-4 v2 (arXiv 2308.12067v2): attention over the pool, on spaces and percents.

    Features are the image space, the text space, and the paper's percents of clip, reward, length
    and gpt. The score of a sample depends on the whole pool.
    """

    version = "1"
    Options = AuthorsSelectorOptions
    options: AuthorsSelectorOptions
    _network: Network | None = None

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return the options, with the content of the checkpoint for its path."""
        values = self.options.model_dump(mode="json")
        return {**values, "checkpoint": digest(Path(self.options.checkpoint))}

    def needs(self) -> Needs:
        """Return the four indicators and the two spaces."""
        o = self.options
        return Needs(columns=INDICATORS, spaces=(o.image_space, o.text_space))

    def open(self) -> None:
        """Read the network, as data.

        Raises:
            PrerequisiteError: the checkpoint is missing, or is none of this network.
        """
        from ig4.plugins.models.tensorfiles import read_tensors
        from ig4.plugins.scorers.pool.authorsnetwork import network_of

        file = Path(self.options.checkpoint).expanduser()
        try:
            self._network = network_of(read_tensors(file))
        except (KeyError, ValueError) as error:
            raise PrerequisiteError(
                f"{file} is no checkpoint of the authors' selector: {error}"
            ) from error

    def close(self) -> None:
        """Free the network."""
        self._network = None

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the predicted benchmark average (n,) of each row.

        A sample that lacks an indicator has NaN, and the others do not attend to it.

        Raises:
            UsageError: the spaces have not the widths that the network was trained with.
        """
        network = self._network
        assert network is not None, "score_pool before open"
        features = self._features(pool, network.width)
        known = np.isfinite(features).all(axis=1)
        values = np.full(pool.n, np.nan)
        if known.any():
            values[known] = network(features[known])
        return values

    def _features(self, pool: Pool, width: int) -> NDArray[np.float64]:
        images = pool.vectors(self.options.image_space)
        texts = pool.vectors(self.options.text_space)
        given = images.shape[1] + texts.shape[1] + len(INDICATORS)
        if given != width:
            raise UsageError(
                f"authors-selector: {self.options.checkpoint} reads {width} features, and there "
                f"are {given}: {images.shape[1]} of {self.options.image_space}, {texts.shape[1]} "
                f"of {self.options.text_space} and {len(INDICATORS)} indicators"
            )
        percents = [_percent(name, pool.raw(name)) for name in INDICATORS]
        return np.column_stack([images, texts, *percents]).astype(np.float64)


def _percent(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an indicator on the paper's scale, with its gaps."""
    percent = np.full(len(values), np.nan)
    known = np.isfinite(values)
    percent[known] = PAPER_SCALES[name](values[known])
    return percent
