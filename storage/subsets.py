"""What the subsets of `ig4 learn-weights` are recorded as: selections that nobody made."""

from __future__ import annotations

SUBSETS, OWN = "weight-subsets", "ig4"
"""The name and the distribution of their selector."""
