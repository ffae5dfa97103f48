"""What became of samples in a selection that does not have them, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.comparing.result import Fate
from ig4.core.engine.selecting.algorithm import best_first
from ig4.core.engine.selecting.explain import plain_json, with_ids
from ig4.core.engine.selecting.pins import VETO
from ig4.core.host.blame import blaming

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.selecting.draft import SelectionDraft


@dataclass(frozen=True, slots=True)
class _Competition:
    """What one cluster, or the whole data set, could give: of its `members`, so many were `taken`.

    `line` is the final score of the last one taken, NaN if none was.
    """

    members: int
    taken: int
    line: float


@dataclass(frozen=True)
class Fates:
    """Tells what a draft, by a selector of this name, did with samples that it does not choose.

    `name_samples` gives the ids that the user knows samples by.
    """

    draft: SelectionDraft
    selector: str
    name_samples: Callable[[list[int]], list[str]]

    def of(self, sample_ids: NDArray[np.int64], detailed: int = 0) -> list[Fate]:
        """Return the fate of each sample; the data set does not hold those of a negative id.

        The selector is asked for the details of the first `detailed` that it did not choose.
        """
        fates = self._all(sample_ids)
        asked = [n for n, one in enumerate(fates) if one.fate == "not chosen"][:detailed]
        for place in asked:
            row = int(np.flatnonzero(self.draft.table.sample_ids == sample_ids[place])[0])
            fates[place] = replace(fates[place], details=self._details(row))
        return fates

    def _details(self, row: int) -> Mapping[str, Any] | None:
        """Return what the selector says of a row of the table, with ids in place of rows."""
        draft = self.draft
        in_pool = int(np.searchsorted(draft.left, row))
        with blaming("the selector's reasons()"):
            given = draft.selector.reasons(draft.pool, in_pool)
        if given is None:
            return None

        def name_rows(rows: list[int]) -> list[str]:
            return self.name_samples(draft.table.sample_ids[draft.left[rows]].tolist())

        return with_ids(plain_json(given), name_rows)

    def _all(self, sample_ids: NDArray[np.int64]) -> list[Fate]:
        table = self.draft.table
        order = np.argsort(table.sample_ids, kind="stable")
        at = np.searchsorted(table.sample_ids, sample_ids, sorter=order)
        rows = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros_like(at)
        known = table.sample_ids[rows] == sample_ids if len(order) else np.zeros(len(at), bool)
        wanted = sample_ids[~known].tolist()
        lacking: dict[int, list[str]] = {sample: [] for sample in wanted}
        for reason, ids in table.lacking.items():
            for sample in ids[np.isin(ids, sample_ids[~known])].tolist():
                lacking[sample].append(reason)
        return [
            self._of_candidate(row, sample) if there else _no_candidate(lacking[sample])
            for row, sample, there in zip(
                rows.tolist(), sample_ids.tolist(), known.tolist(), strict=True
            )
        ]

    def _of_candidate(self, row: int, sample_id: int) -> Fate:
        score = self._score(row)
        for number, stage in enumerate(self.draft.stages, start=1):
            if sample_id in stage.reasons:
                told = f"stage {number} ({stage.stage.do}) left it out: {stage.reasons[sample_id]}"
                return Fate("left out by a stage", told, score)
        if row in self._chosen:
            return Fate("chosen today", "by the scores of today it would be chosen", score)
        if not self.draft.pool.sums_scores or score is None:
            return Fate("not chosen", f"{self.selector} chose others", score)
        return self._outdone(row, score)

    def _outdone(self, row: int, score: float) -> Fate:
        """Return why a row that competed by its final score was not chosen."""
        label = int(self._labels[row])
        where = f"cluster {label}" if self._by_cluster else "the data set"
        found, place = self._competitions[label], int(self._places[row])
        distance = score - found.line if found.taken else None
        if distance is None:
            told = f"{where} gives none (place {place:,} of {found.members:,})"
        elif distance > 0 or place <= found.taken:
            told = (
                f"{self.selector} chose others, though its final score is not below that of the "
                f"last one of {where}"
            )
            return Fate("not chosen", told, score, place, found.members, found.taken)
        else:
            level = f"as high as the last one taken of {where}, and behind it"
            told = (
                f"{f'below the line of {where} by {-distance:.4g}' if distance else level}: place "
                f"{place:,} of {found.members:,}, of which {found.taken:,} were taken"
            )
        return Fate("below the line", told, score, place, found.members, found.taken, distance)

    def _score(self, row: int) -> float | None:
        value = float(self.draft.table.final[row])
        return None if np.isnan(value) or not self.draft.table.names else value

    @cached_property
    def _chosen(self) -> frozenset[int]:
        return frozenset(self.draft.rows.tolist())

    @cached_property
    def _labels(self) -> NDArray[np.int64]:
        """The cluster (n,) of each row of the table, if clusters count; else all the same."""
        labels = self.draft.table.labels
        return labels if self._by_cluster else np.zeros_like(labels)

    @property
    def _by_cluster(self) -> bool:
        return self.draft.pool.needs.clusters and self.draft.table.clustering is not None

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """The place (n,) of each row of the table by final score among those it competes with."""
        places = np.zeros(len(self.draft.table.sample_ids), dtype=np.int64)
        own = self._labels[self.draft.left]
        for label in np.unique(own):
            rows = best_first(self.draft.table.final, self.draft.left[own == label])
            places[rows] = np.arange(1, len(rows) + 1)
        return places

    @cached_property
    def _competitions(self) -> dict[int, _Competition]:
        draft, labels = self.draft, self._labels
        chosen = draft.rows[len(draft.table.pinned) :]
        values, counts = np.unique(labels[draft.left], return_counts=True)
        found = {}
        for label, members in zip(values.tolist(), counts.tolist(), strict=True):
            taken = draft.table.final[chosen[labels[chosen] == label]]
            line = float(taken.min()) if len(taken) else float("nan")
            found[label] = _Competition(members, len(taken), line)
        return found


def _no_candidate(reasons: list[str]) -> Fate:
    if not reasons:
        return Fate("not in the data set", "the data set does not hold it")
    if VETO in reasons:
        return Fate("vetoed", "it is among the samples to drop")
    return Fate("no candidate", f"no candidate: it has {' and '.join(reasons)}")
