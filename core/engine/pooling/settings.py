"""Which components stand behind the names of spaces and groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ig4.core.records import JSON, Choice

Tables = dict[str, dict[str, dict[str, JSON]]]
"""Tables of `ig4.toml`: of groupers and of embedders, by their names."""

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

    def tables(self, *names: str) -> Tables:
        """Return what was configured under names of spaces and groups, and what that names itself.

        Names that stand for a component of this name with its defaults have no table.
        """
        found: Tables = {}
        waiting = list(names)
        while waiting:
            for name in _parts(waiting.pop()):
                for kind, choices in (("groupers", self.groupers), ("embedders", self.embedders)):
                    choice = choices.get(name)
                    known = found.get(kind, {})
                    if choice is None or name in known or choice.to_dict() == {"use": name}:
                        continue
                    found[kind] = known | {name: choice.to_dict()}
                    waiting += _texts(list(choice.options.values()))
        return found

    @classmethod
    def from_tables(cls, tables: Mapping[str, Mapping[str, Mapping[str, JSON]]]) -> PoolSettings:
        """Return settings that say what `tables` does."""
        return cls(
            embedders={name: _choice("embedder", name, table)
                       for name, table in tables.get("embedders", {}).items()},
            groupers={name: _choice("grouper", name, table)
                      for name, table in tables.get("groupers", {}).items()},
        )  # fmt: skip


def _choice(kind: Literal["embedder", "grouper"], name: str, table: Mapping[str, JSON]) -> Choice:
    options = dict(table)
    return Choice(kind, str(options.pop("use", name)), options, name)


def _parts(name: str) -> list[str]:
    """Return a name of a space or of groups, and the names that it is made of, if any."""
    return [name, *re.findall(r"""[^\s,=+*'"\[\]]+""", name)]


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
