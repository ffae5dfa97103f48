"""Turns arms into selection requests: that of the reference, with what the arm changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ig4.core.config import Named, build, recipe_values
from ig4.core.contracts import Selector
from ig4.core.engine.ablating.arms.clusterings import ArmClusterings
from ig4.core.engine.requests import selection_request
from ig4.core.engine.selecting.candidates import SelectionRequest, candidate_table, resolve_size
from ig4.core.records import Choice

if TYPE_CHECKING:
    from ig4.core.config import Config
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
        """Return what an arm selects with a seed; with `dry`, no clusters are made for it.

        Raises:
            Ig4Error: there are no scores or clusters to select by, or there is no such recipe.
        """
        request, arm = self.with_recipe(replace(self.of_reference(), seed=seed), arm)
        if arm.take == "random":
            request = replace(request, selector=Choice("selector", "random"))
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

    def with_recipe(self, request: SelectionRequest, arm: Arm) -> tuple[SelectionRequest, Arm]:
        """Return a request with what the recipe of an arm sets, and the arm with its clusters.

        The size is that of the request, as of all arms, and scores are taken as the data set has
        them. Options in the user's tables of components lie over those of the recipe. Its clusters
        count where the selector uses any.

        Raises:
            ConfigError: there is no such recipe.
        """
        if arm.recipe is None:
            return request, arm
        config = build(recipe_values(arm.recipe), _component_tables(self.setup.config))
        own = selection_request(config)
        named = "scorers" in config.run.model_fields_set
        weighted = named or "weights" in config.select.model_fields_set
        request = replace(
            request,
            selector=own.selector,
            scorers=config.run.scorers if named else request.scorers,
            weights=own.weights if weighted else request.weights,
            scale=own.scale,
            within=own.within,
            combine=own.combine,
            stages=own.stages,
            pool=own.pool,
        )
        chosen = arm.selector
        choice = own.selector if chosen is None else self.setup.config.choice("selector", chosen)
        selector = cast("Selector", self.setup.session.configured(choice).component)
        given = config.cluster.model_fields_set if selector.needs().clusters else set()
        if "clusterer" in given and arm.clusterer is None:
            arm = replace(arm, clusterer=config.cluster.clusterer)
        if "k" in given and arm.k is None:
            arm = replace(arm, k=config.cluster.k)
        return request, arm


def _component_tables(config: Config) -> dict[str, Any]:
    """Return the tables that name components and give them options."""
    return {
        name: getattr(config, name)
        for name, field in type(config).model_fields.items()
        if field.annotation == Named
    }
