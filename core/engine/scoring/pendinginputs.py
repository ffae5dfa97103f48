"""The distinct images and texts of a data set, and which of them an embedder has yet to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Embedder
from ig4.core.engine.scoring.inputs import contained, first_places, text_digests
from ig4.core.engine.scoring.pending import PendingImages, PendingTexts
from ig4.core.engine.scoring.sharing.vectorshares import ShownImages
from ig4.storage import samples, scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.core.contracts.embedder import Reads
    from ig4.core.engine.session import ConfiguredComponent
    from ig4.storage.datasets import DatasetRow


@dataclass(slots=True)
class PendingInputs:
    """The distinct images and texts of a data set, found when an embedder first asks for them."""

    connection: Connection
    dataset: DatasetRow
    sample_ids: NDArray[np.int64]
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    images: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    texts: dict[Reads, tuple[NDArray[np.int64], NDArray[np.void]]] = field(default_factory=dict)

    def pending(self, one: ConfiguredComponent, number: int) -> PendingImages | PendingTexts:
        """Return what an embedder has yet to see."""
        assert isinstance(one.component, Embedder)
        reads = one.component.reads
        if reads == "image":
            if self.images is None:
                self.pairs = samples.image_pairs(self.connection, self.dataset.id)
                self.images = _distinct(self.sample_ids, *self.pairs)
            shown_at, images = self.images
            done = scores.embedded_ids(self.connection, number)
            missing = np.flatnonzero(~contained(images, done))
            return PendingImages(
                one, number, shown_at[missing], missing, images[missing], units=len(images)
            )
        if reads not in self.texts:
            digests = text_digests(self.connection, self.sample_ids, reads)
            places = first_places(digests)
            self.texts[reads] = places, digests[places]
        places, digests = self.texts[reads]
        seen = spaces.embedded(self.connection, number)
        missing = np.flatnonzero(~contained(digests, seen))
        return PendingTexts(
            one, number, places[missing], missing, digests[missing], units=len(digests)
        )

    def shown(self, scored: NDArray[np.int64]) -> ShownImages:
        """Return which images the samples (n,) show that are scored, known by ids.

        An embedder of images has to be asked for before.
        """
        assert self.pairs is not None
        assert self.images is not None
        showing, images = self.pairs
        here = np.isin(showing, scored)
        return ShownImages(_places(scored, showing[here]), _places(self.images[1], images[here]))


def _places(values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where among distinct values each of some stands that are all there."""
    order = np.argsort(values, kind="stable")
    return order[np.searchsorted(values[order], wanted)]


def _distinct(
    sample_ids: NDArray[np.int64], showing: NDArray[np.int64], images: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place where each distinct image is first shown, ascending, and the image's id.

    `showing` and `images` are the pairs of samples and images, each sample's in its own order.
    """
    places = _places(sample_ids, showing)
    by_place = np.argsort(places, kind="stable")
    places, images = places[by_place], images[by_place]
    first = np.sort(np.unique(images, return_index=True)[1])
    return places[first], images[first]
