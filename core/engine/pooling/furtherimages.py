"""The vectors of images that stand after a sample's first, which a space does not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Embedder
from ig4.core.contracts.pool import normalised
from ig4.core.engine.pooling.spacenames import space_parts
from ig4.core.engine.pooling.spaces import space_choice
from ig4.core.statistics.hamming import are_hashes
from ig4.storage import samples, spaces
from ig4.storage.vectors import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.selecting.alike import Line
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class FurtherImages:
    """The images after the first of samples, in their order, and their vectors by image spaces."""

    images: Sequence[Sequence[int]]
    vectors: Sequence[dict[int, NDArray[np.float32]]]
    line: Line

    def agree(self, row: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `others` (r,) have as many images as a row, each alike to its own."""
        mine = self.images[row]
        found = np.zeros(len(others), dtype=bool)
        for place, other in enumerate(others.tolist()):
            its = self.images[other]
            found[place] = len(its) == len(mine) and all(map(self._alike, mine, its))
        return found

    def _alike(self, one: int, other: int) -> bool:
        return one == other or all(
            one in known and other in known and vectors_alike(known[one], known[other], self.line)
            for known in self.vectors
        )


def vectors_alike(one: NDArray[np.float32], other: NDArray[np.float32], line: Line) -> bool:
    """Return whether two vectors (d,) are alike: hashes by their bits, others by their cosine."""
    both = np.stack([one, other])
    hashed = are_hashes(both)
    first, second = both if hashed else normalised(both)
    return bool(first @ second > line.of(len(one) if hashed else None))


def further_images(
    session: Session,
    dataset: DatasetRow,
    seeing: Sequence[int],
    sample_ids: NDArray[np.int64],
    line: Line,
) -> FurtherImages | None:
    """Return the images after the first of samples (n,), None where no sample has several.

    `seeing` are the components of image spaces; None, too, where there are none: then nothing
    compares images.
    """
    with session.store.reading() as connection:
        showing, images = samples.image_pairs(connection, dataset.id)
        order = np.argsort(showing, kind="stable")
        starts = np.searchsorted(showing[order], sample_ids)
        ends = np.searchsorted(showing[order], sample_ids, side="right")
        if not seeing or not (ends - starts > 1).any():
            return None
        further = [
            images[order[start + 1 : end]].tolist()
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        wanted = sorted({image for own in further for image in own})
        vectors = [
            {
                image: vector
                for image, vector in reading.of_images(
                    connection, session.store.vectors, component, wanted
                )
                if not isinstance(vector, str)
            }
            for component in seeing
        ]
    return FurtherImages(further, vectors, line)


def image_spaces(
    session: Session, dataset: DatasetRow, names: Sequence[str], settings: PoolSettings
) -> dict[str, int]:
    """Return those spaces that an embedder of images has made, each with its component."""
    found = {}
    for name in dict.fromkeys(part for space in names for part in space_parts(space)):
        with session.store.reading() as connection:
            row = spaces.find(connection, dataset.id, name)
        if row is not None and row.imported:
            continue
        choice = space_choice(name, row, settings.embedders)
        one = session.configured(choice, runnable=False)
        if not isinstance(one.component, Embedder) or one.component.reads != "image":
            continue
        recorded = row is not None and choice is not settings.embedders.get(name)
        value = row.fingerprint if recorded and row is not None else one.fingerprint.value
        with session.store.reading() as connection:
            component = spaces.component_of(connection, value)
        if component is not None:
            found[name] = component
    return found
