"""How values travel to a page: JSON as gzip, and arrays as their bytes, both in base64."""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed_json(value: Any) -> str:
    """Return a JSON-able value as gzip in base64, the same for equal values."""
    data = plain_json(value)
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode()


def plain_json(value: Any) -> bytes:
    """Return a value as JSON that every browser reads: numbers that are not finite are null."""
    try:
        text = _dumped(value)
    except ValueError:
        text = _dumped(_finite(value))
    return text.encode("utf-8", "replace")


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def packed_array(array: NDArray[Any]) -> str:
    """Return the bytes of an array in base64, in C order and with its dtype's order of bytes."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
