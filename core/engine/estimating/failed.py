"""Adds to a plan what failed before, as `--retry-failed` would, without forgetting it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.scoring.inputs import contained
from ig4.core.engine.scoring.pending import PendingImages, PendingTexts, PendingWork
from ig4.core.engine.scoring.plan import ScoringPlan
from ig4.storage import samples, scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session


def with_failed(session: Session, plan: ScoringPlan) -> ScoringPlan:
    """Return a plan with the samples, images and texts that each component failed on.

    Where in the data set these images and texts are is not found out: an estimate asks how many.
    """
    with session.store.reading() as connection:
        scorers = {label: _scorer(connection, plan, one) for label, one in plan.scorers.items()}
        embedders = {key: _embedder(connection, plan, one) for key, one in plan.embedders.items()}
    return replace(plan, scorers=scorers, embedders=embedders)


def _scorer(connection: Connection, plan: ScoringPlan, one: PendingWork) -> PendingWork:
    failed = [_failed_contents(connection, number) for number in _components(one)]
    first = np.unique(plan.contents, return_index=True)[1]
    again = first[contained(plan.contents[first], np.unique(np.concatenate(failed)))]
    places = np.union1d(one.places, again)
    return replace(one, places=places, ordinals=np.arange(len(places)))


def _components(one: PendingWork) -> list[int]:
    return [one.component_id, *one.outputs.values()]


def _failed_contents(connection: Connection, component: int) -> NDArray[np.int64]:
    tried = scores.scored_ids(connection, component)
    good = scores.scored_ids(connection, component, include_failed=False)
    return np.setdiff1d(tried, good)


def _embedder(
    connection: Connection, plan: ScoringPlan, one: PendingImages | PendingTexts
) -> PendingImages | PendingTexts:
    if isinstance(one, PendingTexts):
        failed = spaces.embedded(connection, one.component_id, failed=True)
        digests = np.concatenate([one.digests, failed])
        places = np.arange(len(digests))
        return replace(one, digests=digests, places=places, ordinals=places)
    tried = scores.embedded_ids(connection, one.component_id)
    good = scores.embedded_ids(connection, one.component_id, include_failed=False)
    shown = np.unique(samples.image_pairs(connection, plan.dataset.id)[1])
    again = np.intersect1d(np.setdiff1d(tried, good), shown)
    images = np.concatenate([one.image_ids, again])
    places = np.arange(len(images))
    return replace(one, image_ids=images, places=places, ordinals=places)
