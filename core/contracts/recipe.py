"""The contract of recipes: a published method by its name, as settings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    from ig4.core.records import JSON


class Recipe(Configurable):
    """The settings of a method: what `--recipe NAME` lays under those of the user."""

    source: ClassVar[str] = ""
    """Where it was published: "arXiv 2308.12067"."""

    @abstractmethod
    def settings(self) -> Mapping[str, JSON]:
        """Return tables of `ig4.toml`: `{"select": {"selector": "quota", "size": 200}}`."""
