"""What scoring has to read, and what vectors take on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Scorer
from ig4.core.engine.scoring.inputs import contained
from ig4.core.engine.scoring.pending import PendingImages
from ig4.storage import samples, sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.session import Session
    from ig4.storage.store import Store


@dataclass(frozen=True, slots=True)
class Workload:
    """What lies behind the samples of a data set: its distinct images, and their bytes.

    `read_images` and `read_bytes` are those that have to be read for what is missing. `vectors`
    are the bytes that the vectors of each embedder will take, None where nobody knows their length.
    Bytes are None where the size of an image is unknown; `unsized` images are of unknown size, and
    the others have `known_bytes`.
    """

    images: int
    image_bytes: int | None
    read_images: int
    read_bytes: int | None
    vectors: Mapping[str, int | None] = field(default_factory=dict)
    unsized: int = 0
    known_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "images": self.images,
            "image_bytes": self.image_bytes,
            "read_images": self.read_images,
            "read_bytes": self.read_bytes,
            "vector_bytes": dict(self.vectors),
            "unsized_images": self.unsized,
            "known_bytes": self.known_bytes,
        }


def workload(session: Session, plan: ScoringPlan, experience: Store) -> Workload:
    """Return what the work of a plan has to read and to store.

    How long vectors are is known from those in the database `experience`.
    """
    with session.store.reading() as connection:
        images, lengths = sizes.image_sizes(connection, plan.dataset.id)
        wanted = np.unique(np.concatenate([_none(), *_wanted(session, plan)]))
        read = contained(images, wanted)
    vectors: dict[str, int | None] = {}
    with experience.reading() as connection:
        for one in plan.embedders.values():
            width = sizes.vector_bytes(connection, one.configured.fingerprint.value)
            name = f"embedder {one.configured.label}"
            vectors[name] = _total(len(one.places), width)
    whole = int(lengths.sum())
    return Workload(
        len(images), whole, int(read.sum()), int(lengths[read].sum()), vectors, known_bytes=whole
    )


def _none() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


def _total(count: int, width: int | None) -> int | None:
    return 0 if not count else None if width is None else count * width


def _wanted(session: Session, plan: ScoringPlan) -> list[NDArray[np.int64]]:
    """Return the ids of the images that each component has to see."""
    found = [one.image_ids for one in plan.embedders.values() if isinstance(one, PendingImages)]
    looking = [
        pending.places
        for pending in plan.scorers.values()
        if isinstance(pending.configured.component, Scorer)
        and pending.configured.component.reads_pixels
        and len(pending.places)
    ]
    if looking:
        with session.store.reading() as connection:
            showing, images = samples.image_pairs(connection, plan.dataset.id)
        seen = np.unique(plan.sample_ids[np.concatenate(looking)])
        found.append(np.unique(images[contained(showing, seen)]))
    return found
