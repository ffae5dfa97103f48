"""Recipes of methods that look at vectors: coverage, diversity, and what repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts import Recipe

if TYPE_CHECKING:
    from ig4.core.records import JSON


def by_selector(selector: str) -> dict[str, JSON]:
    """Return the settings of a method that is a selector on vectors, by default CLIP's of images.

    Which space it needs, the selector says itself: `-o facility-location.space=text` is another.
    """
    return {
        "run": {"scorers": []},
        "cluster": {"clusterer": "none"},
        "select": {"selector": selector},
    }


class FacilityLocationRecipe(Recipe):
    """Every sample of the pool is like one that is taken."""

    source: ClassVar[str] = "facility location, as in apricot (JMLR 2020) and Superfiltering"

    def settings(self) -> Mapping[str, JSON]:
        """The selector on CLIP's image vectors."""
        return by_selector("facility-location")


class GraphCutRecipe(Recipe):
    """Samples that are like the pool and unlike each other."""

    source: ClassVar[str] = "graph cut, as in submodlib and apricot"

    def settings(self) -> Mapping[str, JSON]:
        """The selector on CLIP's image vectors."""
        return by_selector("graph-cut")


class KCenterRecipe(Recipe):
    """No sample of the pool is far from all that are taken."""

    source: ClassVar[str] = "k-center greedy: Sener & Savarese, ICLR 2018 (arXiv 1708.00489)"

    def settings(self) -> Mapping[str, JSON]:
        """The selector on CLIP's image vectors."""
        return by_selector("k-center")


class DppRecipe(Recipe):
    """Samples whose vectors span the greatest volume."""

    source: ClassVar[str] = "fast greedy MAP of DPPs: Chen et al., NeurIPS 2018 (arXiv 1709.05135)"

    def settings(self) -> Mapping[str, JSON]:
        """The selector on CLIP's image vectors."""
        return by_selector("dpp")


class HerdingRecipe(Recipe):
    """Samples that are spread as the pool is."""

    source: ClassVar[str] = "kernel herding, as in COINCIDE (arXiv 2406.10995)"

    def settings(self) -> Mapping[str, JSON]:
        """The selector on CLIP's image vectors."""
        return by_selector("herding")


class MmrRecipe(Recipe):
    """Good samples unlike those already taken."""

    source: ClassVar[str] = "maximal marginal relevance: Carbonell & Goldstein, SIGIR 1998"

    def settings(self) -> Mapping[str, JSON]:
        """CLIP score as relevance, CLIP's image vectors for what is alike."""
        return {
            "run": {"scorers": ["clip"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "mmr", "weights": {"clip": 1.0}},
        }


class D2PruningRecipe(Recipe):
    """Good samples, of which near ones lower each other."""

    source: ClassVar[str] = "D2 pruning, ICLR 2024 (arXiv 2310.07931), with its DataComp settings"

    def settings(self) -> Mapping[str, JSON]:
        """CLIP score, one neighbour, gamma 1."""
        return {
            "run": {"scorers": ["clip"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "d2-pruning", "weights": {"clip": 1.0}},
            "selectors": {"d2-pruning": {"neighbors": 1, "gamma_reverse": 1.0}},
        }


class SemDedupRecipe(Recipe):
    """Leave out what is most like another sample of its cluster."""

    source: ClassVar[str] = "SemDeDup (arXiv 2303.09540)"

    def settings(self) -> Mapping[str, JSON]:
        """K-means clusters of CLIP's image vectors; the far ones of a cluster stay."""
        return {
            "run": {"scorers": []},
            "cluster": {"clusterer": "kmeans", "k": 50},
            "select": {"selector": "semdedup"},
        }
