"""Measures how fast components are, by beginning the work that is to be done anyway."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ig4.core.engine.scoring.pending import PendingImages, PendingTexts, PendingWork
from ig4.core.engine.scoring.plan import ScoringPlan, check_shard, make_plan
from ig4.core.engine.scoring.runner import ScoreRunner
from ig4.core.engine.scoring.score import imported_scorers, imported_spaces, split_pool_scorers

if TYPE_CHECKING:
    from ig4.core.engine.scoring.plan import ScoreRequest
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

P = TypeVar("P", bound=PendingWork)


def measure(session: Session, dataset: DatasetRow, request: ScoreRequest, units: int) -> None:
    """Compute at least so many samples, images or texts by each component, in whole batches.

    It is the beginning of the run: the results are kept, and the run goes on from there. What asks
    a service, or looks at all samples at once, is not measured.

    Raises:
        PrerequisiteError, PluginError, FailingError: as `score`.
    """
    imported = imported_scorers(session, dataset) | imported_spaces(session, dataset)
    kept = imported - set(request.recompute)
    request = replace(
        request,
        scorers=[choice for choice in request.scorers if choice.label not in kept],
        spaces=[choice for choice in request.spaces if choice.label not in kept],
    )
    again = request.retry_failed
    request, pooled = split_pool_scorers(session, dataset, replace(request, retry_failed=False))
    if request.shard:
        check_shard(replace(request, retry_failed=again), [one.label for one in pooled])
    with session.recorded("measure", {"dataset": dataset.name, "units": units}):
        session.attach(dataset.id)
        plan = first_units(make_plan(session, dataset, request), units)
        if plan.has_batches:
            ScoreRunner(session, plan, request.call_settings.stop_after).run(request.executor)


def first_units(plan: ScoringPlan, units: int) -> ScoringPlan:
    """Return a plan of the first batches of each component, with at least so many units."""
    embedders = {key: _first(one, units) for key, one in plan.embedders.items()}
    scorers = {}
    for label, one in plan.batched.items():
        key = plan.embedder_of.get(label)
        known = one if key is None else _embedded(one, plan.embedders[key], embedders[key])
        scorers[label] = _first(known, units)
    return replace(plan, scorers=scorers, embedders=embedders)


def _first(one: P, units: int) -> P:
    batch = one.ordinals // one.batch_size
    if len(batch) <= units:
        return one
    return _cut(one, int(np.searchsorted(batch, batch[units - 1], side="right")))


def _embedded(one: P, whole: PendingWork, begun: PendingWork) -> P:
    """Return the samples of a scorer whose images all have been embedded by then."""
    count = len(begun.places)
    if count == len(whole.places):
        return one
    return _cut(one, int((one.places < whole.places[count]).sum()))


def _cut(one: P, end: int) -> P:
    begun = replace(one, places=one.places[:end], ordinals=one.ordinals[:end])
    if isinstance(begun, PendingImages):
        return replace(begun, image_ids=begun.image_ids[:end])
    if isinstance(begun, PendingTexts):
        return replace(begun, digests=begun.digests[:end])
    return begun
