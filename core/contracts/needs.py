"""What a component wants to see of a pool; the engine builds that and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Needs:
    """What a selector, a grouper or a pool scorer reads of its `Pool`.

    `scores`: the scorers that count, as `raw`, `percent`, `weights` and `final`. `columns`: further
    scores by name, as `raw`. `spaces`: vectors by the name of a space ("clip"), or several joined
    with weights ("clip=0.7,text=0.3"). `neighbours`: pairs of a space and a number of neighbours.
    `groups`: groupings by name. `clusters`: the clustering that the user chose. `samples`: texts
    and images. `meta`: what the data set tells of its samples.

    What stands in `optional_columns` and `optional_spaces` is given where it is there, and no
    sample is left out for want of it; neighbours in an optional space are optional, too. With
    `gaps`, samples without an image stay that have some of the scores that count: those they have
    not are NaN, and so is their final score. Together with a reader that does not say so, they go.
    """

    scores: bool = False
    columns: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    neighbours: tuple[tuple[str, int], ...] = ()
    groups: tuple[str, ...] = ()
    clusters: bool = False
    samples: bool = False
    meta: bool = False
    optional_columns: tuple[str, ...] = ()
    optional_spaces: tuple[str, ...] = ()
    gaps: bool = False

    @property
    def all_spaces(self) -> tuple[str, ...]:
        """The spaces that must be there, those of neighbours too; each once."""
        near = (space for space, _ in self.neighbours if space not in self.optional_spaces)
        return tuple(dict.fromkeys((*self.spaces, *near)))

    def to_dict(self) -> dict[str, Any]:
        """Return what is needed, JSON-able, without what is not: a part of the fingerprint."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value}

    def __or__(self, other: Needs) -> Needs:
        """Return what both need together."""
        joined: dict[str, Any] = {}
        joined["gaps"] = all(one.gaps for one in (self, other) if one.scores)
        joined["gaps"] &= self.gaps or other.gaps
        for field in fields(self):
            if field.name in joined:
                continue
            mine, its = getattr(self, field.name), getattr(other, field.name)
            joined[field.name] = (
                mine or its if isinstance(mine, bool) else tuple(dict.fromkeys((*mine, *its)))
            )
        return Needs(**joined)
