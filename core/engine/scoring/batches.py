"""The batches of a pass, all components in step through the data set, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ig4.storage.claims import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.scoring.pending import PendingWork


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of one component: `units` (m,) int64 are its places in what is pending.

    `number` is its place in the table, `span` all units of the data set that are in the batch,
    done or not.
    """

    number: int
    label: str
    embeds: bool
    units: NDArray[np.int64]
    span: Span


class BatchSource(NamedTuple):
    """A component whose pending units are cut into batches of `size`."""

    label: str
    pending: PendingWork
    size: int

    @property
    def embeds(self) -> bool:
        """Whether it is an embedder, whose units are inputs and not samples."""
        return self.pending.configured.fingerprint.kind == "embedder"


class BatchTable:
    """The batches of several components, ordered by the place at which their first unit is shown.

    So an image that several components look at is shown to them at nearly the same time. It has a
    few bytes for each batch.
    """

    def __init__(self, sources: Sequence[BatchSource]) -> None:
        self.sources = sorted(sources, key=lambda one: (one.embeds, one.label))
        starts = [_starts(one) for one in self.sources]
        ends = [
            np.append(cut[1:], len(one.pending.places)).astype(np.int64)[: len(cut)]
            for cut, one in zip(starts, self.sources, strict=True)
        ]
        shown_at = [one.pending.places[cut] for cut, one in zip(starts, self.sources, strict=True)]
        source = np.repeat(np.arange(len(starts), dtype=np.int32), list(map(len, starts)))
        order = np.lexsort((source, _joined(shown_at)))
        self.source = source[order]
        """Which of the sources each batch (b,) is of, int32."""
        self.starts = _joined(starts)[order]
        self.ends = _joined(ends)[order]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, number: int) -> Batch:
        one = self.sources[self.source[number]]
        units = np.arange(self.starts[number], self.ends[number])
        first = int(one.pending.ordinals[units[0]]) // one.size * one.size
        span = Span(one.pending.component_id, first, first + one.size - 1)
        return Batch(number, one.label, one.embeds, units, span)


def _starts(one: BatchSource) -> NDArray[np.int64]:
    """Return where each batch starts in what is pending: those that are done have no part in it."""
    return np.flatnonzero(np.diff(one.pending.ordinals // one.size, prepend=-1))


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
