"""What a component has yet to see: samples, or images or texts for an embedder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, TypeVar

from ig4.core.contracts import AsyncScorer, Embedder, Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts.embedder import Reads
    from ig4.core.engine.scoring.sharing.shards import Shard
    from ig4.core.engine.session import ConfiguredComponent


@dataclass(frozen=True, slots=True)
class PendingWork:
    """One component and the units it has yet to see: samples, or images for an embedder.

    `places` (m,) int64, ascending, are where in the data set's order each is first shown. The whole
    data set has `units`, seen or not.
    `ordinals` (m,) int64 count the units of the whole data set, seen or not: a unit's ordinal
    decides in which batch it is, so that the batches of a run that was killed are those of one
    that was not.
    """

    configured: ConfiguredComponent
    component_id: int
    places: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    units: int = field(kw_only=True)
    outputs: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    """The ids of the components of its outputs, by name."""

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the same with the units that are `chosen` (m,)."""
        return replace(self, places=self.places[chosen], ordinals=self.ordinals[chosen])

    @property
    def batch_size(self) -> int:
        """How many units make a batch; those of a scorer that asks a service have none."""
        component = self.configured.component
        assert isinstance(component, (Scorer, Embedder))
        return 1 if self.asks else component.batch_size

    @property
    def asks(self) -> bool:
        """Whether this is a scorer that asks a service."""
        return isinstance(self.configured.component, AsyncScorer)


@dataclass(frozen=True, slots=True)
class PendingImages(PendingWork):
    """An embedder and the images it has yet to see; `image_ids` (m,) int64."""

    image_ids: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the same with the images that are `chosen` (m,)."""
        rest = PendingWork.part(self, chosen)
        return replace(rest, image_ids=self.image_ids[chosen])


@dataclass(frozen=True, slots=True)
class PendingTexts(PendingWork):
    """An embedder and the texts it has yet to see; `digests` (m,) know them."""

    digests: NDArray[np.void]

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the same with the texts that are `chosen` (m,)."""
        rest = PendingWork.part(self, chosen)
        return replace(rest, digests=self.digests[chosen])

    @property
    def reads(self) -> Reads:
        """What of a sample the texts are."""
        assert isinstance(self.configured.component, Embedder)
        return self.configured.component.reads


W = TypeVar("W", bound=PendingWork)


def share(shard: Shard, pending: W) -> W:
    """Return a shard's part of what is pending."""
    return pending.part(shard.owns(pending.ordinals, pending.batch_size, pending.units))
