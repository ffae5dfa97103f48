"""The recipes that are ig4's own: `balanced`, and the baseline `random`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts import Recipe
from ig4.plugins.recipes.byscores import CLIP_ANSWER

if TYPE_CHECKING:
    from ig4.core.records import JSON


class BalancedRecipe(Recipe):
    """Reject what is bad for its kind, keep the mix of kinds, then draw."""

    source: ClassVar[str] = "ig4: docs/methods/balanced.md"

    def settings(self) -> Mapping[str, JSON]:
        """The default scores, those that know what is broken, and the selector `balanced`."""
        broken = ["ending", "ending-in-pool", "repetition", "odd-characters", "own-picture"]
        return {
            "run": {"scorers": ["clip", "length", *broken]},
            "embedders": CLIP_ANSWER,
            "select": {"selector": "balanced"},
        }


class RandomRecipe(Recipe):
    """A uniform draw: what every method has to beat."""

    source: ClassVar[str] = "the baseline of every comparison"

    def settings(self) -> Mapping[str, JSON]:
        """No scores, no clusters."""
        return {
            "run": {"scorers": []},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "random"},
        }
