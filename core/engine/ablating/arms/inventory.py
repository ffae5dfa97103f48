"""Finds out what arms can be made of: the scorers, and the clusterers if the selector needs any."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Selector
from ig4.core.engine.ablating.arms.arm import Inventory
from ig4.core.engine.selecting.columns import score_matrix
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from ig4.core.engine.ablating.setup import AblationSetup


def take_inventory(setup: AblationSetup) -> Inventory:
    """Return what arms can be made of.

    Raises:
        UsageError: the configured selector or one of its options is unknown.
    """
    session, config = setup.session, setup.config
    names = setup.scorers
    if names is None:
        names = _counted(setup)
    choice = config.choice("selector", config.select.selector)
    selector = cast("Selector", session.host.build(choice))
    clusterers = [one.component.name for one in session.host.components("clusterer")]
    clustering = setup.clustering()
    return Inventory(
        scorers=names,
        clusterer=config.cluster.clusterer if clustering is None else clustering.name,
        clusterers=tuple(dict.fromkeys(clusterers)),
        clustered=selector.needs().clusters,
    )


def _counted(setup: AblationSetup) -> tuple[str, ...]:
    """Return the scorers that the reference counts, () if there are no scores."""
    session, request = setup.session, setup.request
    with session.store.reading() as connection:
        if not scores.bindings(connection, setup.dataset.id):
            return ()
        _, contents = samples.ordered_ids(connection, setup.dataset.id)
    return score_matrix(session, setup.dataset, contents, request.scorers, request.weights).names
