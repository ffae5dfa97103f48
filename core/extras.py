"""What an export writes beside its records: under one key of an object, or as columns of a table.

Extras are a mapping of "scores" and "percents" (numbers by scorer), "rank", "cluster", "final" and
"group". A value that a sample lacks is None.
"""

from __future__ import annotations

from collections.abc import Mapping

from ig4.core.records import JSON

KEY = "ig4"
"""The key that extras stand under in an object, and the beginning of their columns' names."""

WHOLE, TEXT = ("ig4_rank", "ig4_cluster"), ("ig4_group",)
"""The columns that hold whole numbers, and texts; all others hold numbers."""


def in_object(raw: JSON, extras: Mapping[str, JSON] | None) -> JSON:
    """Return a record that is an object with its extras; others, and without any, as it is."""
    if extras is None or not isinstance(raw, dict):
        return raw
    return {**raw, KEY: dict(extras)}


def flat(extras: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return extras by the names of their columns: `ig4_rank`, `ig4_clip`, `ig4_clip_percent`.

    A scorer whose column has the name of another one's is called `ig4_score_NAME`.
    """
    found: dict[str, JSON] = {
        f"{KEY}_{name}": value
        for name, value in extras.items()
        if name not in ("scores", "percents")
    }
    reserved = {*WHOLE, *TEXT, f"{KEY}_final"}
    for part, ending in (("scores", ""), ("percents", "_percent")):
        for name, value in (extras.get(part) or {}).items():
            column = f"{KEY}_{name}{ending}"
            while column in found or column in reserved:
                column = column.replace(f"{KEY}_", f"{KEY}_score_", 1)
            found[column] = value
    return found
