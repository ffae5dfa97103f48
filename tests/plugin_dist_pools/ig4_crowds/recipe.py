"""The settings of a method that is made of these components."""

from __future__ import annotations

from collections.abc import Mapping

from ig4.core.contracts import Recipe
from ig4.core.records import JSON


class SpreadOut(Recipe):
    """Leave out the crowded half, then take samples that are far apart."""

    source = "an example of ig4's documentation"

    def settings(self) -> Mapping[str, JSON]:
        """Tables of ig4.toml."""
        return {
            "run": {"scorers": ["crowd"], "spaces": ["clip"]},
            "cluster": {"clusterer": "none"},
            "select": {
                "selector": "far-apart",
                "stages": [{"do": "reject", "tails": {"crowd": [0, 50]}}],
            },
        }
