"""How values travel to a page: JSON as gzip, and arrays as their bytes, both in base64."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed_json(value: Any) -> str:
    """Return a JSON-able value as gzip in base64, the same for equal values."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode()


def packed_array(array: NDArray[Any]) -> str:
    """Return the bytes of an array in base64, in C order and with its dtype's order of bytes."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
