"""What every selection is told with: its mix, what its weights are worth, what it repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.counts import counted
from ig4.core.engine.selecting.reports.composition import (
    MOST_VARIATION,
    Composition,
    GroupLevel,
    GroupShare,
)
from ig4.core.engine.selecting.reports.duplicates import Duplicates
from ig4.core.engine.selecting.reports.effective import EffectiveWeight, differ_in_order
from ig4.core.engine.selecting.reports.ownpictures import MOST, OwnPictureShare

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 3
_LEAST_CHANGE = 0.005


@dataclass(frozen=True, slots=True)
class SelectionReport:
    """The mix of a selection, its effective weights, its duplicates, and groups that stand out.

    `sums_scores` says whether the selector decided by the sum F(x), `by_final` whether by F(x) in
    whatever way scores are combined. `composition` is None where
    there is no more than one group, or none could be made (`no_groups` then says why).
    `own_pictures` has how many answers of each group do not fit their pictures, where that was
    scored. `told` is what the selector had to say, `stages` what each did before it, `grouper`
    what made the groups, with its options and a digest of all that they depend on. `heard` is all
    that the user was told.
    """

    composition: Composition | None
    effective_weights: Mapping[str, EffectiveWeight]
    duplicates: Duplicates
    levels: Sequence[GroupLevel] = ()
    own_pictures: Sequence[OwnPictureShare] = ()
    sums_scores: bool = False
    by_final: bool = False
    no_groups: str | None = None
    told: Sequence[str] = ()
    stages: Sequence[Mapping[str, Any]] = ()
    grouper: Mapping[str, Any] | None = None
    heard: Sequence[str] = ()

    def to_dict(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return the parts, JSON-able; `ids` are those of the selected samples."""
        return {
            "composition": None if self.composition is None else self.composition.to_dict(),
            "effective_weights": {
                name: weight.to_dict() for name, weight in self.effective_weights.items()
            },
            "duplicates": self.duplicates.to_dict(ids),
            "levels": [asdict(level) for level in self.levels],
            "own_pictures": [asdict(one) for one in self.own_pictures],
            "told": list(self.told),
            "notices": list(self.heard),
            "by_final": self.by_final,
            "stages": [dict(stage) for stage in self.stages],
            "grouper": None if self.grouper is None else dict(self.grouper),
        }

    def notices(self, *, balanced: bool) -> Iterator[str]:
        """Yield what the user should know; `balanced` selections are not sent to `balanced`."""
        yield from self._about_mix(balanced=balanced)
        if self.sums_scores and differ_in_order(dict(self.effective_weights)):
            worth = ", ".join(
                f"{name} {one.weight:g} is worth {one.share:.0%}"
                for name, one in sorted(
                    self.effective_weights.items(), key=lambda item: -abs(item[1].effective)
                )
            )
            yield (
                "the weights are not what decides: by the spread of the scores, "
                f"{worth} of the final score (--scale percentile gives all scores one spread)"
            )
        yield from self._about_duplicates()
        yield from self._about_levels()
        yield from self._about_own_pictures()

    def _about_mix(self, *, balanced: bool) -> Iterator[str]:
        mix = self.composition
        if mix is None or not mix.leaves_mix:
            return
        distance = (
            f"the selection leaves the mix of the data: its {mix.by} groups differ by "
            f"{mix.tv:.0%} (total variation; a random draw of this size has about "
            f"{mix.random_tv:.0%})"
        )
        parts = [distance]
        selected = sum(group.selected for group in mix.groups)
        moved = sorted(
            (group for group in mix.groups if _has_moved(group, selected)),
            key=lambda group: group.selected_share - group.pool_share,
        )
        told = [group for group in moved[:_SHOWN] if group.selected_share < group.pool_share]
        told += [group for group in moved[-1:] if group.selected_share > group.pool_share]
        if told:
            parts.append(
                ", ".join(
                    f"{group.name} {group.pool_share:.0%} -> {group.selected_share:.0%}"
                    for group in told
                )
            )
        if mix.missing:
            parts.append(f"none at all of {_named(mix.missing)}")
        by_chance = not mix.missing and round(mix.tv, 2) <= round(mix.random_tv, 2)
        end = "" if balanced or by_chance else ". `--recipe balanced` keeps the mix"
        yield "; ".join(parts) + end

    def _about_duplicates(self) -> Iterator[str]:
        found = self.duplicates
        if found.same:
            yield (
                f"{counted(found.same, 'selected sample repeats', 'selected samples repeat')} "
                "another one of the selection (same texts, same images)"
            )
        if found.near:
            yield (
                f"{counted(found.near, 'selected sample is', 'selected samples are')} nearly the "
                "same as another one of the selection"
            )
        if not found.near_searched:
            yield (
                "the selection is too large to be searched for samples that are nearly the same: "
                'only equal ones are counted (`stages = [{ do = "dedup", spaces = […] }]` drops '
                "them before it selects)"
            )

    def _about_levels(self) -> Iterator[str]:
        low = [level for level in self.levels if level.deviations < 0]
        if not low:
            return
        worst = "; ".join(
            f"{level.group}: {level.scorer} {level.mean:.1f} beside {level.pool_mean:.1f}"
            for level in low[:_SHOWN]
        )
        more = f" and {len(low) - _SHOWN:,} more" if len(low) > _SHOWN else ""
        yield (
            f"whole groups stand out by their scores ({worst}{more}): look at some of them, as "
            "scores within a group cannot tell that all of it is bad"
        )

    def _about_own_pictures(self) -> Iterator[str]:
        apart = [one for one in self.own_pictures if one.stands_out]
        if not apart:
            return
        worst = "; ".join(f"{one.group}: {one.share:.0%}" for one in apart[:_SHOWN])
        more = f" and {len(apart) - _SHOWN:,} more" if len(apart) > _SHOWN else ""
        yield (
            f"answers of whole groups do not fit their own pictures better than {MOST:.0f} % of "
            f"the others ({worst}{more}; of all samples {apart[0].pool_share:.0%}): they may be "
            "wrong, or too short to tell pictures apart; look at some of them"
        )


def _has_moved(group: GroupShare, selected: int) -> bool:
    """Tell whether a group's share has changed by half a percent and one sample at least."""
    change = abs(group.selected_share - group.pool_share)
    return change >= _LEAST_CHANGE and change * selected >= 1


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


__all__ = ["MOST_VARIATION", "SelectionReport"]
