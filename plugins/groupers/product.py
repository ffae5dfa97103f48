"""Groups by several groupers at once: each combination is a group."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from ig4.core.contracts import Grouper, Groups, Needs, Options, Pool
from ig4.plugins.groupers.joining import by_size, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

_JOIN = " · "


class ProductOptions(Options):
    """Options of the product grouper."""

    of: tuple[str, ...] = Field(
        ("dataset", "form"),
        min_length=2,
        description="The groupings to combine, by name, the most important one first.",
    )
    min_size: int = Field(
        20, ge=1, description="Combinations of fewer samples are joined, the last names first."
    )

    @field_validator("of", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    @field_validator("of")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value) or not all(value):
            raise ValueError("name different groupings")
        return value


class ProductGrouper(Grouper):
    """Combinations of groups, called `a · b`; of a sample with several groups the first counts."""

    version = "1"
    Options = ProductOptions
    options: ProductOptions

    def needs(self) -> Needs:
        """See `Grouper.needs`."""
        return Needs(groups=self.options.of)

    def group(self, pool: Pool) -> Groups:
        """See `Grouper.group`."""
        parts = [pool.groups(name) for name in self.options.of]
        codes, first = _combined([part.labels for part in parts], pool.n)
        names = [
            tuple(
                part.names[label] if (label := int(part.labels[row])) >= 0 else f"no {of}"
                for of, part in zip(self.options.of, parts, strict=True)
            )
            for row in first.tolist()
        ]
        chains = [
            tuple(_JOIN.join(name[:end]) for end in range(len(name), 0, -1)) for name in names
        ]
        counts = Counter(dict.fromkeys(chains, 0))
        for chain, count in zip(chains, np.bincount(codes, minlength=len(chains)), strict=True):
            counts[chain] += int(count)
        group_of = joined(counts, self.options.min_size)
        final = sorted(set(group_of.values()))
        place = {name: n for n, name in enumerate(final)}
        labels = np.array([place[group_of[chain]] for chain in chains], dtype=np.int64)
        return by_size(final, labels[codes] if len(labels) else codes)


def _combined(
    labels: list[NDArray[np.int64]], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the combination (n,) of each row, by number, and a row of each combination."""
    codes = np.zeros(n, dtype=np.int64)
    first = np.zeros(min(n, 1), dtype=np.int64)
    for part in labels:
        both = codes * (int(part.max(initial=0)) + 2) + part + 1
        _, first, codes = np.unique(both, return_index=True, return_inverse=True)
    return codes.astype(np.int64), first.astype(np.int64)
