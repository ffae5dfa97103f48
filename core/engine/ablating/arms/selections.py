"""Selects the samples that the arms of an ablation train on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, cast

from ig4.core.contracts import Selector
from ig4.core.engine.ablating.arms.arm import REFERENCE, Arm
from ig4.core.engine.ablating.arms.requests import ArmRequests
from ig4.core.engine.selecting.candidates import candidate_table, resolve_size
from ig4.core.engine.selecting.select import select
from ig4.storage import samples, selections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.engine.ablating.setup import AblationSetup
    from ig4.core.engine.selecting.result import SelectionResult


class ArmSamples(NamedTuple):
    """What an arm trains on: its selection, if it has one, and the contents in their order."""

    selection: int | None
    contents: list[int]


@dataclass(frozen=True, slots=True)
class ArmSelections:
    """The selections of the arms; they are stored in the database as they are made."""

    setup: AblationSetup
    requests: ArmRequests

    def select(self, arm: Arm, seeds: Sequence[int]) -> dict[int, ArmSamples]:
        """Return what an arm trains on with each seed, which the selector gets, too.

        A selection that is the same with another seed is stored once, with the first seed. The
        reference's with the first seed is the newest selection afterwards.

        Raises:
            Ig4Error: there are no scores or clusters to select by.
        """
        if arm.take == "none":
            return dict.fromkeys(seeds, ArmSamples(None, []))
        if arm.take == "all":
            return dict.fromkeys(seeds, ArmSamples(None, self._all_contents()))
        latest = arm.name == REFERENCE
        first = self._select(arm, seeds[0], latest=latest)
        found = {seed: self._select(arm, seed, first) for seed in seeds[1:]}
        if latest and any(one.id != first.id for one in found.values()):
            first = self._select(arm, seeds[0], latest=True)
        return {seed: self._samples(one) for seed, one in ({seeds[0]: first} | found).items()}

    def size(self, arm: Arm, seed: int) -> int:
        """Return how many samples an arm trains on; selects nothing.

        Raises:
            Ig4Error: there are no scores or clusters to select by.
        """
        if arm.take == "none":
            return 0
        if arm.take == "all":
            return len(self._all_contents())
        session = self.setup.session
        request = self.requests.of_arm(arm, seed, dry=True)
        _, arm = self.requests.with_recipe(request, arm)
        selector = cast("Selector", session.configured(request.selector).component)
        needs = selector.needs()
        if arm.clusterer is not None or arm.k is not None:
            needs = replace(needs, clusters=False)  # they are yet to be formed
        table = candidate_table(session, self.setup.dataset, request, needs)
        return resolve_size(request, len(table.sample_ids))

    def _select(
        self, arm: Arm, seed: int, first: SelectionResult | None = None, *, latest: bool = False
    ) -> SelectionResult:
        setup = self.setup
        request = self.requests.of_arm(arm, seed)
        return select(setup.session, setup.dataset, request, latest=latest, equal=first)

    def _samples(self, result: SelectionResult) -> ArmSamples:
        with self.setup.session.store.reading() as connection:
            items = selections.samples(connection, result.id)
        return ArmSamples(result.id, [item.content_id for item in items])

    def _all_contents(self) -> list[int]:
        with self.setup.session.store.reading() as connection:
            _, contents = samples.ordered_ids(connection, self.setup.dataset.id)
        return cast("list[int]", contents.tolist())
