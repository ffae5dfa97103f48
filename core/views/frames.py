"""Makes a DataFrame of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd


def data_frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return a DataFrame of rows.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError('to_pandas needs pandas: pip install "ig4[report]"') from None
    return pd.DataFrame([list(row) for row in rows], columns=list(columns))
