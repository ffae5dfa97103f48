"""What a selector says of a sample: as plain JSON, with ids where it speaks of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def plain_json(value: Any) -> Any:
    """Return what a plugin gave as plain JSON: numbers of numpy as Python's, NaN as None."""
    if isinstance(value, Mapping):
        return {str(name): plain_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain_json(one) for one in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value if value is None else str(value)


def with_ids(
    told: Mapping[str, Any], name_rows: Callable[[list[int]], list[str]]
) -> dict[str, Any]:
    """Return a selector's reasons with the ids of samples where they have rows of the pool.

    These are under keys that end in `_row` (one row or None) or `_rows` (a list of rows); what
    `name_rows` says of them goes under the key without that end.
    """
    found: dict[str, Any] = {}
    for key, value in told.items():
        if key.endswith("_row") and _is_row(value):
            found[key.removesuffix("_row")] = name_rows([value])[0]
        elif key.endswith("_row") and value is None:
            found[key.removesuffix("_row")] = None
        elif key.endswith("_rows") and isinstance(value, list) and all(map(_is_row, value)):
            found[key.removesuffix("_rows")] = name_rows(value) if value else []
        else:
            found[key] = value
    return found


def _is_row(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
