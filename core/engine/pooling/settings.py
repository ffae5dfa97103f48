"""Which components stand behind the names of spaces and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ig4.core.records import Choice

AUTO = "auto"
"""The name that leaves the choice of an index to ig4."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What the user configured for pools: components by the names that they have there.

    `index` finds neighbours; None leaves the choice to ig4, by the number of rows. `clustering` is
    the name or number of the clusters that groups are made of, by default the newest.
    """

    embedders: Mapping[str, Choice] = field(default_factory=dict)
    groupers: Mapping[str, Choice] = field(default_factory=dict)
    index: Choice | None = None
    clustering: str | int | None = None

    def grouper(self, name: str) -> Choice:
        """Return the grouper that a name stands for."""
        return self.groupers.get(name, Choice("grouper", name))
