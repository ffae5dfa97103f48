"""mmSSR's selection: rounds over capabilities, evenly over styles of interaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, Selector
from ig4.core.counts import counted, verb
from ig4.plugins.selectors.ranking import members_of, score_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class CapabilityStyleOptions(contracts.Options):
    """Options of the selector `capability-style`."""

    ratings: str = Field(
        "mmssr", min_length=1, description="The scorer that rates capabilities, each in a column "
        "of its own: `mmssr.ocr`.",
    )  # fmt: skip
    capabilities: tuple[str, ...] = Field(
        min_length=1, description="The capabilities, by the names of the scorer's outputs."
    )
    styles: str = Field(
        "form", min_length=1, description="The grouping whose groups are the styles; a sample may "
        "have several.",
    )  # fmt: skip
    style_outputs: tuple[str, ...] = Field(
        (), description="Styles that the scorer has rated, by the names of its outputs: a sample "
        "has those that are above 0. They take the place of the grouping.",
    )  # fmt: skip
    threshold: float = Field(
        0.0, description="A sample stands for a capability if its rating is above this."
    )


class CapabilityStyle(Selector):
    """Lyu and others, arXiv 2503.13383: scores for each capability, uniform over styles.

    In each round every capability gets an equal part of what is left to take, dealt evenly over
    the styles of its candidates: the smallest style first, and what it lacks goes on to the next.
    A style gives its best rated. When no rating is above the threshold any more, the samples with
    the greatest sums of ratings follow.
    """

    version = "1"
    Options = CapabilityStyleOptions
    options: CapabilityStyleOptions

    def needs(self) -> Needs:
        """Return the column of each capability, and the styles, rated or a grouping."""
        if self.options.style_outputs:
            return Needs(columns=(*self._columns, *self._style_columns))
        return Needs(columns=self._columns, groups=(self.options.styles,))

    @property
    def _columns(self) -> tuple[str, ...]:
        return tuple(f"{self.options.ratings}.{name}" for name in self.options.capabilities)

    @property
    def _style_columns(self) -> tuple[str, ...]:
        return tuple(f"{self.options.ratings}.{name}" for name in self.options.style_outputs)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return rows in the order taken; see Selector.choose."""
        ratings = np.column_stack([score_of(pool, name) for name in self._columns])
        of_style = [rows for _, rows in self._styles(pool)]
        styled = np.zeros(pool.n, dtype=bool)
        for rows in of_style:
            styled[rows] = True
        of_style.append(np.flatnonzero(~styled))  # without a style: one of its own
        taken = rounds(ratings, of_style, self.options.threshold, pool.size)
        unrated = int((ratings[taken] <= self.options.threshold).all(axis=1).sum())
        if unrated:
            pool.tell(
                f"capability-style: {counted(unrated, 'sample')} of {pool.size:,} "
                f"{verb(unrated, 'stands', 'stand')} for no capability (no rating above "
                f"{self.options.threshold:g}) and {verb(unrated, 'was', 'were')} taken by the sum "
                "of the ratings, as there are too few others: select fewer"
            )
        return taken

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the ratings of a row, and its styles."""
        told = {name: float(pool.raw(name)[row]) for name in self._columns}
        return {**told, "styles": [name for name, rows in self._styles(pool) if row in rows]}

    def _styles(self, pool: Pool) -> list[tuple[str, NDArray[np.int64]]]:
        """Return each style with its rows."""
        if self.options.style_outputs:
            rated = zip(self.options.style_outputs, self._style_columns, strict=True)
            return [(name, np.flatnonzero(pool.raw(column) > 0)) for name, column in rated]
        groups = pool.groups(self.options.styles)
        starts, ids = members_of(groups)
        owners = np.repeat(np.arange(pool.n), np.diff(starts))
        return [(name, owners[ids == style]) for style, name in enumerate(groups.names)]


def rounds(
    ratings: NDArray[np.float64],
    of_style: list[NDArray[np.int64]],
    threshold: float,
    size: int,
) -> NDArray[np.int64]:
    """Return `size` rows by ratings (n, c) and the rows of each style, in the order taken."""
    n, many = ratings.shape
    free = np.ones(n, dtype=bool)
    taken: list[int] = []
    while len(taken) < size:
        before = len(taken)
        part = max(1, (size - before) // many)
        for column in ratings.T:
            budget = min(part, size - len(taken))
            rows = take_evenly(column, of_style, free & (column > threshold), budget)
            free[rows] = False
            taken += rows
        if len(taken) == before:
            break
    rest = np.flatnonzero(free)
    best = rest[np.argsort(-ratings[rest].sum(axis=1), kind="stable")]
    return np.array(taken + best[: size - len(taken)].tolist(), dtype=np.int64)


def take_evenly(
    values: NDArray[np.float64],
    of_style: list[NDArray[np.int64]],
    allowed: NDArray[np.bool_],
    budget: int,
) -> list[int]:
    """Return up to `budget` allowed rows, evenly over styles, of each those of the best values.

    The style with the fewest candidates comes first, ties by their order; each gets an equal part
    of what is left, so that what one lacks goes on to the next. A row of several styles is taken
    once.
    """
    allowed = allowed.copy()
    candidates = [rows[allowed[rows]] for rows in of_style]
    order = sorted(
        (number for number, rows in enumerate(candidates) if len(rows)),
        key=lambda number: len(candidates[number]),
    )
    taken: list[int] = []
    for place, number in enumerate(order):
        share = (budget - len(taken)) // (len(order) - place)
        rows = candidates[number][allowed[candidates[number]]]
        best = rows[np.argsort(-values[rows], kind="stable")][:share]
        allowed[best] = False
        taken += best.tolist()
    return taken
