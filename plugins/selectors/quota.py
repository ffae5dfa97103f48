"""The paper's selector: every cluster gives its best samples, in proportion to its size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Groups, Needs, Selector
from ig4.core.engine.selecting.algorithm import (
    best_first,
    deal_quotas,
    select_by_quota,
    share_quotas,
)
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean
from ig4.plugins.selectors.covering import covering_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class QuotaOptions(contracts.Options):
    """Options of the selector `quota`; the defaults are the paper's."""

    groups: str | None = Field(
        None, description="Grouper whose groups get the quotas; by default the clusters."
    )
    exponent: float = Field(
        1.0, ge=0, le=1, description="Quotas go with size ** exponent; 0 gives all the same."
    )
    quotas: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="Samples of a group by its name; the others share what is left.",
    )
    fill: Literal["top", "random", "cover"] = Field(
        "top",
        description="What a group gives: its best, a random draw, or samples that cover it by "
        "facility location.",
    )
    space: str = Field("clip", description="The space in which groups are covered.")


class Quota(Selector):
    """Algorithm 1 of the InstructionGPT-4 paper; see `ig4.core.engine.selecting.algorithm`.

    Its quotas may also go to groups, lift small ones, or be given; and be filled at random.
    """

    Options = QuotaOptions
    options: QuotaOptions

    def identity(self, digest: contracts.Digest) -> Mapping[str, JSON]:
        """Return the options that are not the paper's: those of the paper have no say."""
        return self.options.model_dump(mode="json", exclude_defaults=True)

    def needs(self) -> Needs:
        """Scores, if they decide; clusters or groups."""
        return Needs(
            scores=self.options.fill == "top",
            clusters=self.options.groups is None,
            groups=() if self.options.groups is None else (self.options.groups,),
            spaces=(self.options.space,) if self.options.fill == "cover" else (),
        )

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Deal quotas and fill them; see Selector.choose."""
        groups = self._groups(pool)
        if self._is_paper:
            return select_by_quota(pool.final, groups.labels, pool.size)
        quotas = self._quotas(groups, pool.size).tolist()
        members = [np.flatnonzero(groups.labels == group) for group in range(len(quotas))]
        if self.options.fill == "cover":
            space = self.options.space
            return np.concatenate(
                [
                    covering_rows(pool, space, rows, quota)
                    for rows, quota in zip(members, quotas, strict=True)
                ]
            )
        value = pool.final if self.options.fill == "top" else _drawn(pool)
        kept = [
            best_first(value, rows)[:quota] for rows, quota in zip(members, quotas, strict=True)
        ]
        return best_first(value, np.concatenate(kept))

    def quotas(self, pool: Pool) -> NDArray[np.int64]:
        """Return the quota (n,) of each row's group."""
        groups = self._groups(pool)
        return self._dealt(groups, pool.size)[groups.labels]

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return a row's group and its quota."""
        groups = self._groups(pool)
        own = int(groups.labels[row])
        return {
            "group": groups.names[own],
            "members": int(groups.counts[own]),
            "quota": int(self._dealt(groups, pool.size)[own]),
        }

    def _dealt(self, groups: Groups, size: int) -> NDArray[np.int64]:
        return deal_quotas(groups.counts, size) if self._is_paper else self._quotas(groups, size)

    @property
    def _is_paper(self) -> bool:
        return self.options == QuotaOptions(groups=self.options.groups, space=self.options.space)

    def _groups(self, pool: Pool) -> Groups:
        """Return the clusters or groups, numbered without gaps; no group is a group, too."""
        if self.options.groups is None:
            values, labels = np.unique(pool.clusters, return_inverse=True)
            return Groups(tuple(f"cluster {value}" for value in values.tolist()), labels)
        groups = pool.groups(self.options.groups)
        labels = np.where(groups.labels < 0, len(groups.names), groups.labels)
        used, labels = np.unique(labels, return_inverse=True)
        names = (*groups.names, "no group")
        return Groups(tuple(names[n] for n in used.tolist()), labels)

    def _quotas(self, groups: Groups, size: int) -> NDArray[np.int64]:
        counts = groups.counts
        given = self._given(groups, counts, size)
        free = np.array([name not in self.options.quotas for name in groups.names])
        room = np.where(free, counts, 0)
        rest = size - int(given.sum())
        if rest > int(room.sum()):
            raise UsageError(
                f"quota: {int(given.sum()):,} samples are given quotas, and the groups without one "
                f"have {int(room.sum()):,}: {size:,} cannot be selected"
            )
        weights = np.where(free, counts.astype(np.float64) ** self.options.exponent, 0.0)
        return given + share_quotas(weights, room, rest)

    def _given(self, groups: Groups, counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Return the quotas (g,) that the options give.

        Raises:
            UsageError: they name no group, or more samples than it has, or than are wanted.
        """
        given = np.zeros(len(counts), dtype=np.int64)
        for name, quota in self.options.quotas.items():
            if name not in groups.names:
                raise UsageError(
                    f"quota: there is no group {name!r}{did_you_mean(name, groups.names)} (groups: "
                    f"{', '.join(groups.names[:20])})"
                )
            place = groups.names.index(name)
            if not 0 <= quota <= counts[place]:
                raise UsageError(
                    f"quota: {quota:,} samples are asked of {name}, which has {counts[place]:,}"
                )
            given[place] = quota
        if given.sum() > size:
            raise UsageError(
                f"quota: the given quotas are {int(given.sum()):,} samples, {size:,} are wanted"
            )
        return given


def _drawn(pool: Pool) -> NDArray[np.float64]:
    """Return a random order (n,) as values."""
    return pool.rng().permutation(pool.n).astype(np.float64)
