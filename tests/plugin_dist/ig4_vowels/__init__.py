"""Declares what this plugin brings; importing it loads neither the scorer nor the clusterer."""

from __future__ import annotations

from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component


@hookimpl
def ig4_components() -> list[Component]:
    """Declare a scorer and a clusterer."""
    return [
        Component("scorer", "vowels", "ig4_vowels.scorer:Vowels", "Share of vowels in the answer."),
        Component("clusterer", "bands", "ig4_vowels.clusterer:Bands", "Bands of vector length."),
    ]
