"""What is told of rows while they are on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

RowWatcher: TypeAlias = Callable[[str, int], None]
"""Is told the table, and how many more rows of it are done."""


def unwatched(table: str, rows: int) -> None:
    """Tell nobody."""
