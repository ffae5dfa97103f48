"""Declares components of the second version of ig4's contracts: they look at whole pools."""

from __future__ import annotations

from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component


@hookimpl
def ig4_components() -> list[Component]:
    """Declare two scorers, a clusterer, a selector, a grouper and a recipe."""
    return [
        Component("scorer", "crowd", "ig4_crowds.density:Crowd", "How dense it is.", api=2),
        Component("scorer", "beauty", "ig4_crowds.aesthetic:Beauty", "A head on CLIP.", api=2),
        Component(
            "clusterer", "hdbscan", "ig4_crowds.hdbscan:Hdbscan", "Leaves noise.", ("sklearn",),
            api=2,
        ),
        Component("selector", "far-apart", "ig4_crowds.kcenter:FarApart", "Far first.", api=2),
        Component("grouper", "first-word", "ig4_crowds.grouper:FirstWord", "First word.", api=2),
        Component("recipe", "spread-out", "ig4_crowds.recipe:SpreadOut", "Far apart.", api=2),
    ]  # fmt: skip
