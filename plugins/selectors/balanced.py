"""ig4's own selector: reject what is bad for its kind, keep the mix of kinds, then draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from ig4.core import contracts
from ig4.core.contracts import Groups, Needs, Selector
from ig4.core.counts import counted
from ig4.core.engine.selecting.algorithm import share_quotas
from ig4.core.engine.selecting.alike import NEAREST
from ig4.core.engine.selecting.scaling import percentile_within
from ig4.core.suggest import did_you_mean
from ig4.plugins.selectors.covering import covering_rows
from ig4.plugins.selectors.rejection import (
    BY_CHANCE,
    FLOORS,
    OTHER,
    PRESETS,
    Rejection,
    Tail,
    below_floor,
    reject,
    telling_groups,
)
from ig4.plugins.selectors.repeated import first_of_its_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class BalancedOptions(contracts.Options):
    """Options of the selector `balanced`."""

    groups: str = Field("auto", description="Grouper whose groups keep their shares.")
    preset: Literal["default", "strict"] = Field(
        "default", description="How much of each indicator's tails is rejected."
    )
    reject: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Percentiles within its group that a sample may have, by scorer: "
        '{"clip": [25, 100]}. Others have those of the preset, turned around where the weight '
        "is negative.",
    )
    floors: dict[str, float] = Field(
        default_factory=lambda: dict(FLOORS),
        description="Least percent of scores that know what is broken without comparing, by "
        "scorer, used where they are there.",
    )
    exponent: float = Field(
        1.0, ge=0, le=1, description="Quotas go with size ** exponent: 1 keeps the mix, 0.5 lifts "
        "rare groups, 0 gives all the same."
    )  # fmt: skip
    fill: Literal["random", "top", "cover"] = Field(
        "random",
        description="What is taken of what is left of a group: a random draw, the best, or (to "
        "try) samples that cover it by facility location.",
    )
    cover_space: str = Field("clip", description="The space in which groups are covered.")
    alike: float = Field(
        0.95, gt=0, le=1, description="Cosine from which images, and texts, are near-duplicates."
    )
    image_space: str = Field("clip", description="Space of images for near-duplicates.")
    text_space: str = Field("text", description="Space of texts for near-duplicates.")

    @field_validator("reject")
    @classmethod
    def _in_order(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in value.items():
            if not 0 <= low < high <= 100:
                raise ValueError(f"{name}: [{low:g}, {high:g}] is no range of percentiles")
        return value


class Balanced(Selector):
    """Rejects tails within groups, drops repeated samples, deals quotas, and draws.

    A score says first what kind a sample is, and only then how good it is. So scores only reject
    here, each within the sample's own group; they never rank.
    """

    version = "1"
    Options = BalancedOptions
    options: BalancedOptions

    def needs(self) -> Needs:
        """Scores and groups; spaces and scores about the text where they are there."""
        spaces = (self.options.image_space, self.options.text_space)
        return Needs(
            scores=True,
            gaps=True,
            groups=(self.options.groups,),
            spaces=(self.options.cover_space,) if self.options.fill == "cover" else (),
            neighbours=((self.options.image_space, NEAREST),),
            optional_columns=tuple(self.options.floors),
            optional_spaces=spaces,
        )

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return `pool.size` rows, group by group drawn at random; see Selector.choose."""
        groups = pool.groups(self.options.groups)
        labels = _with_rest(groups)
        quotas = self._quotas(labels, np.bincount(labels), pool.size)
        rejected = self._reject(pool, labels, quotas)
        self._tell_relaxed(pool, groups, rejected)
        self._tell_mute(pool, groups, labels)
        self._tell_unused(pool)
        self._tell_uncompared(pool)
        kept = rejected.kept & self._distinct(pool, rejected.kept)
        final = self._quotas(labels, np.bincount(labels[kept], minlength=len(quotas)), pool.size)
        if int(final.sum()) < pool.size:
            kept = self._refill(pool, rejected.kept, kept, pool.size)
            left = np.bincount(labels[kept], minlength=len(quotas))
            final = self._quotas(labels, left, pool.size)
        return self._draw(pool, labels, kept, final)

    def quotas(self, pool: Pool) -> NDArray[np.int64]:
        """Return the quota (n,) of each row's group, before anything is rejected."""
        labels = _with_rest(pool.groups(self.options.groups))
        return self._quotas(labels, np.bincount(labels), pool.size)[labels]

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return a row's group, its quota, its percentiles there, and what rejects it."""
        groups = pool.groups(self.options.groups)
        labels = _with_rest(groups)
        quotas = self._quotas(labels, np.bincount(labels), pool.size)
        rejected = self._reject(pool, labels, quotas)
        own = int(labels[row])
        members = labels == own
        repeated = not self._distinct(pool, rejected.kept)[row]
        return {
            "group": _names(groups)[own],
            "members": int(members.sum()),
            "quota": int(quotas[own]),
            "left": int((members & rejected.kept).sum()),
            "relaxed": float(rejected.factors[own]),
            "percentiles": {
                name: None if np.isnan(own) else round(float(own), 1)
                for name, own in zip(rejected.names, rejected.percentiles[row], strict=True)
            },
            "rejected_by": rejected.why(row),
            "repeats_another": repeated,
        }

    def rejections(self, pool: Pool) -> Groups:
        """Return the floors and tails that reject rows, and which repeat another one."""
        labels = _with_rest(pool.groups(self.options.groups))
        quotas = self._quotas(labels, np.bincount(labels), pool.size)
        rejected = self._reject(pool, labels, quotas)
        rules = rejected.rules() | {"repeats another sample": ~self._distinct(pool, rejected.kept)}
        rule = np.full(pool.n, -1, dtype=np.int64)
        for place, rows in reversed([*enumerate(rules.values())]):
            rule[rows] = place  # the first of several
        return Groups(tuple(rules), rule)

    def _quotas(
        self, labels: NDArray[np.int64], left: NDArray[np.int64], size: int
    ) -> NDArray[np.int64]:
        counts = np.bincount(labels, minlength=len(left)).astype(np.float64)
        weights = np.where(counts > 0, counts**self.options.exponent, 0.0)
        return share_quotas(weights, left, min(size, int(left.sum())))

    def _reject(
        self, pool: Pool, labels: NDArray[np.int64], quotas: NDArray[np.int64]
    ) -> Rejection:
        floors = self._floors(pool)
        ranked = [name for name in pool.scorers if name not in floors]
        percentiles = np.column_stack(
            [_percentiles(pool.percent(name), labels) for name in ranked] or [np.empty((pool.n, 0))]
        )
        below = {name: below_floor(pool.percent(name), floor) for name, floor in floors.items()}
        for name, telling in self._telling(pool, labels, len(quotas)).items():
            below[name] &= telling[labels]
        tails = [self._tail(name, less) for name, less in self._less_is_better(pool, ranked)]
        return reject(labels, quotas, tuple(ranked), percentiles, tails, below)

    def _less_is_better(self, pool: Pool, names: Sequence[str]) -> list[tuple[str, bool]]:
        """Return names of scores that count, and whether their weights are negative."""
        weights = dict(zip(pool.scorers, pool.weights.tolist(), strict=True))
        return [(name, weights[name] < 0) for name in names]

    def _tail(self, name: str, less_is_better: bool) -> Tail:
        """Return the bounds of a score: those that were asked for, or those of the preset."""
        if name in self.options.reject:
            return Tail(*self.options.reject[name])
        tail = PRESETS[self.options.preset].get(name, OTHER[self.options.preset])
        return tail.mirrored if less_is_better else tail

    def _floors(self, pool: Pool) -> dict[str, float]:
        """Return the floors of scores that are there."""
        return {
            name: floor
            for name, floor in self.options.floors.items()
            if name in pool.scorers or pool.has_column(name)
        }

    def _telling(
        self, pool: Pool, labels: NDArray[np.int64], groups: int
    ) -> dict[str, NDArray[np.bool_]]:
        """Return in which groups (g,) those floors hold that chance passes some samples of."""
        return {
            name: telling_groups(pool.percent(name), floor, labels, groups)
            for name, floor in self._floors(pool).items()
            if name in BY_CHANCE
        }

    def _distinct(self, pool: Pool, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows (n,) repeat none before them; those `kept` come before others."""
        spaces = self._spaces if all(map(pool.has_space, self._spaces)) else ()
        return first_of_its_kind(pool, spaces, self.options.alike, kept)

    @property
    def _spaces(self) -> tuple[str, str]:
        return self.options.image_space, self.options.text_space

    def _refill(
        self,
        pool: Pool,
        sound: NDArray[np.bool_],
        kept: NDArray[np.bool_],
        size: int,
    ) -> NDArray[np.bool_]:
        """Take rejected or repeated samples back, where there are too few without them."""
        missing = size - int(kept.sum())
        distinct = self._distinct(pool, sound)
        order = np.lexsort((pool.rng(1).permutation(pool.n), ~distinct))
        back = order[~kept[order]][:missing]
        pool.tell(
            f"balanced: {counted(missing, 'sample')} that would have been rejected or "
            f"{'is' if missing == 1 else 'are'} repeated had to be taken, as there are too few "
            "others: select fewer"
        )
        result = kept.copy()
        result[back] = True
        return result

    def _draw(
        self,
        pool: Pool,
        labels: NDArray[np.int64],
        kept: NDArray[np.bool_],
        quotas: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        if self.options.fill == "cover":
            parts = [
                covering_rows(
                    pool, self.options.cover_space, np.flatnonzero(kept & (labels == group)), quota
                )
                for group, quota in enumerate(quotas.tolist())
            ]
            return np.concatenate(parts)
        key = pool.rng().permutation(pool.n).astype(np.float64)
        if self.options.fill == "top":
            key = -pool.final
        rows = np.flatnonzero(kept)
        rows = rows[np.lexsort((rows, key[rows], labels[rows]))]
        own = labels[rows]
        starts = np.searchsorted(own, np.arange(len(quotas)))
        place = np.arange(len(rows)) - starts[own]
        taken = rows[place < quotas[own]]
        return taken[np.lexsort((taken, key[taken]))]

    def _tell_relaxed(self, pool: Pool, groups: Groups, rejected: Rejection) -> None:
        names = _names(groups)
        relaxed = [
            f"{names[n]} to {factor:.0%}" if factor >= 0 else f"{names[n]} altogether"
            for n, factor in enumerate(rejected.factors.tolist())
            if factor < 1
        ]
        if relaxed:
            more = f" and {len(relaxed) - 5:,} more" if len(relaxed) > 5 else ""
            pool.tell(
                "balanced: too few samples of some groups would be left, so their tails are "
                f"rejected less: {', '.join(relaxed[:5])}{more}"
            )

    def _tell_unused(self, pool: Pool) -> None:
        """Say which bounds of the options have nothing to bound."""
        floors = self._floors(pool)
        for name in self.options.reject:
            if name in floors:
                pool.tell(
                    f"balanced: reject is not used for {name}, which has a floor (floors): its "
                    "values are compared with that"
                )
            elif name not in pool.scorers:
                pool.tell(
                    f"balanced: reject names {name}, which is not among the scores that count"
                    f"{did_you_mean(name, pool.scorers)} ({', '.join(pool.scorers) or 'none'})"
                )
        for name in self.options.floors:
            if name not in floors and name not in FLOORS:
                pool.tell(
                    f"balanced: floors names {name}, of which there are no scores"
                    f"{did_you_mean(name, (*FLOORS, *pool.scorers))}"
                )

    def _tell_uncompared(self, pool: Pool) -> None:
        """Say whether near-duplicates could be looked for, and among how many samples."""
        spaces = self._spaces
        there = [name for name in spaces if pool.has_space(name)]
        if len(there) == len(spaces):
            known = np.logical_and.reduce([pool.has_vector(name) for name in spaces])
            if without := int((~known).sum()):
                pool.tell(
                    f"balanced: {counted(without, 'sample has', 'samples have')} no vector in "
                    f"{' or '.join(spaces)}: only equal ones of them count as repeated"
                )
        elif there:
            (lacking,) = set(spaces) - set(there)
            pool.tell(
                f"balanced: only equal samples count as repeated, as there are no vectors in "
                f"{lacking} (`ig4 score --spaces {lacking}` makes them)"
            )

    def _tell_mute(self, pool: Pool, groups: Groups, labels: NDArray[np.int64]) -> None:
        names, sizes = _names(groups), np.bincount(labels, minlength=len(groups.names) + 1)
        for score, telling in self._telling(pool, labels, len(sizes)).items():
            mute = [names[n] for n in np.flatnonzero(~telling & (sizes > 0)).tolist()]
            if mute:
                more = f" and {len(mute) - 5:,} more" if len(mute) > 5 else ""
                pool.tell(
                    f"balanced: {score} is not used for {', '.join(mute[:5])}{more}, where hardly "
                    "more samples pass it than would by chance: it tells nothing about them, or "
                    "they are bad as a whole"
                )


def _percentiles(percent: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the percentile (n,) of each row among those of its group that have the score."""
    known = ~np.isnan(percent)
    found = np.full(len(percent), np.nan)
    found[known] = percentile_within(percent[known], labels[known])
    return found


def _with_rest(groups: Groups) -> NDArray[np.int64]:
    """Return a label (n,) for every row; those without a group form one more."""
    return np.where(groups.labels < 0, len(groups.names), groups.labels)


def _names(groups: Groups) -> tuple[str, ...]:
    return (*groups.names, "no group")
