"""Turns arms into selection requests: that of the reference, with what the arm changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Selector
from ig4.core.engine.ablating.arms.clusterings import ArmClusterings
from ig4.core.engine.selecting.candidates import SelectionRequest, candidate_table, resolve_size
from ig4.core.records import Choice

if TYPE_CHECKING:
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.ablating.setup import AblationSetup


@dataclass(slots=True)
class ArmRequests:
    """The selection requests of the arms; the reference's is worked out once."""

    setup: AblationSetup
    _reference: SelectionRequest | None = None

    def of_reference(self) -> SelectionRequest:
        """Return what the reference selects; all arms take its size and its clusters.

        Raises:
            Ig4Error: there are no scores or clusters to select by, or too few samples.
        """
        if self._reference is None:
            setup = self.setup
            request = setup.request
            selector = cast("Selector", setup.session.configured(request.selector).component)
            needs = selector.needs()
            clustering = ArmClusterings(setup).of_reference() if needs.clusters else None
            request = replace(request, clustering=clustering)
            table = candidate_table(setup.session, setup.dataset, request, needs)
            size = resolve_size(request, len(table.sample_ids))
            self._reference = replace(request, size=size, fraction=None, scorers=table.names)
        return self._reference

    def of_arm(self, arm: Arm, seed: int, *, dry: bool = False) -> SelectionRequest:
        """Return what an arm selects; with `dry`, no clusters are made for it.

        Raises:
            Ig4Error: there are no scores or clusters to select by.
        """
        request = self.of_reference()
        if arm.take == "random":
            request = replace(request, selector=Choice("selector", "random"), seed=seed)
        if arm.selector is not None:
            request = replace(request, selector=self.setup.config.choice("selector", arm.selector))
        if arm.scorers is not None:
            weights = {n: w for n, w in request.weights.items() if n in arm.scorers}
            request = replace(request, scorers=arm.scorers, weights=weights)
        if arm.weights is not None:
            request = replace(request, weights=dict(arm.weights))
        if arm.scale is not None:
            request = replace(request, scale=arm.scale)
        if arm.size is not None or arm.fraction is not None:
            request = replace(request, size=arm.size, fraction=arm.fraction)
        if (arm.clusterer is not None or arm.k is not None) and not dry:
            clustering = self.of_reference().clustering
            request = replace(
                request, clustering=ArmClusterings(self.setup).of_arm(arm, clustering)
            )
        return request
