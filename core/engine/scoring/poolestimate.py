"""What of pool scorers and pool embedders is missing or stale, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import PoolScorer
from ig4.core.engine.pooling.poolembedding import has_pool_vectors
from ig4.core.engine.pooling.poolscores import POOL, scoring_pool
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.pooling.spaces import SpaceVectors, require_space
from ig4.core.errors import UsageError
from ig4.storage import samples, scorecolumns, scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.core.records import Choice


@dataclass(slots=True)
class PoolEstimator:
    """Counts by component what is to be computed of all samples at once: all of them, or none.

    `choices` are the embedders that spaces are wanted of. `waiting` are the columns that come to be
    other ones before a pool scorer reads them: what is known of a pool is then void.
    """

    session: Session
    plan: ScoringPlan
    settings: PoolSettings
    choices: Sequence[Choice]
    waiting: set[str] = field(default_factory=set)

    def embedders(self) -> dict[str, int]:
        """Return by name how many samples a pool embedder has to see."""
        known = {choice.label: choice for choice in self.choices}
        return {
            label: 0 if self._has_vectors(known[label]) else len(self.plan.sample_ids)
            for label in self.plan.pooled
        }

    def scorers(self, pooled: Sequence[ConfiguredComponent]) -> dict[str, int]:
        """Return by name how many distinct contents a pool scorer has to rate."""
        with self.session.store.reading() as connection:
            columns = scorecolumns.list_all(connection, self.plan.dataset.id)
            faulty = samples.ids_with_problems(connection, self.plan.dataset.id)
        bound = {row.name: row.component_id for row in columns}
        self.waiting |= {
            label
            for label, pending in self.plan.scorers.items()
            if len(pending.places) or bound.get(label) != pending.component_id
        }
        sound = ~np.isin(self.plan.sample_ids, faulty)
        distinct = np.unique(self.plan.contents[sound])
        calls = {}
        for one in pooled:
            calls[one.label] = 0 if self._is_rated(one, distinct) else len(distinct)
            if calls[one.label]:
                self.waiting.add(one.label)
        return calls

    def _is_rated(self, one: ConfiguredComponent, distinct: NDArray[np.int64]) -> bool:
        """Tell whether the values of the pool as it is are there."""
        assert isinstance(one.component, PoolScorer)
        needs = one.component.needs()
        if self.waiting & {name.partition(".")[0] for name in needs.columns}:
            return False
        if any(self._is_space_open(name) for name in all_parts(needs.all_spaces)):
            return False
        pool = scoring_pool(self.session, self.plan.dataset, one, self.settings)
        identity = {**one.fingerprint.identity, POOL: pool.digest}
        with self.session.store.reading() as connection:
            columns = scorecolumns.list_all(connection, self.plan.dataset.id)
            for row in columns:
                if row.name == one.label and row.identity == identity:
                    done = scores.scored_ids(connection, row.component_id)
                    return len(np.setdiff1d(distinct, done)) == 0
        return False

    def _is_space_open(self, name: str) -> bool:
        """Tell whether a space is to be embedded, or comes to stand for another embedder."""
        configured = self.plan.spaces.get(name)
        if configured is None:
            return False  # imported
        if name in self.plan.pooled:
            return bool(self.embedders()[name])
        fingerprint = configured.fingerprint.value
        with self.session.store.reading() as connection:
            known = spaces.find(connection, self.plan.dataset.id, name)
        pending = self.plan.embedders[fingerprint]
        return bool(len(pending.places)) or known is None or known.fingerprint != fingerprint

    def _has_vectors(self, choice: Choice) -> bool:
        """Tell whether a pool embedder has seen the samples as they are."""
        dataset, embedders = self.plan.dataset, self.settings.embedders

        def find(
            space: str, sample_ids: NDArray[np.int64], contents: NDArray[np.int64]
        ) -> SpaceVectors:
            return require_space(self.session, dataset, space, embedders, sample_ids, contents)

        try:
            return has_pool_vectors(self.session, dataset, choice, find)
        except UsageError:  # what it reads itself is not there yet
            return False
