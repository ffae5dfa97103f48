"""Finds rows that a file of answers, questions or reviews repeats: equal ones count once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from ig4.core.counts import counted, verb
from ig4.core.errors import DatasetError

Content = TypeVar("Content")
Notice = Callable[[str], None]
_SHOWN = 80


@dataclass(slots=True)
class Repeats(Generic[Content]):
    """The rows of a file by their key, and how many were there already."""

    path: Path
    what: str
    """What a row is: a question, an answer."""
    count: int = 0
    _rows: dict[Hashable, tuple[int, Content]] = field(default_factory=dict)

    def is_new(self, key: Hashable, content: Content, number: int) -> bool:
        """Tell whether a row is the first of its key; an equal one is counted.

        Raises:
            DatasetError: there is another one with that key, which says something else.
        """
        first = self._rows.setdefault(key, (number, content))
        if first[0] == number:
            return True
        if first[1] != content:
            shown = str(key[0] if isinstance(key, tuple) else key)[:_SHOWN]
            raise DatasetError(
                f"{self.path}, record {number}: the id {shown!r} comes twice, with another "
                f"{self.what} than in record {first[0]}: leave one of them"
            )
        self.count += 1
        return False

    def is_known(self, key: Hashable) -> bool:
        """Tell whether there was a row with this key."""
        return key in self._rows

    def tell(self, notice: Notice | None) -> None:
        """Say how many rows were repeated, if any."""
        if self.count and notice is not None:
            notice(repeated(self.path, self.count, self.what))


def repeated(path: Path, count: int, what: str) -> str:
    """Return what to say of rows that are repeated as they are."""
    return (
        f"{path}: {counted(count, 'row')} {verb(count, 'repeats', 'repeat')} the {what} of an "
        f"earlier one, and {verb(count, 'counts', 'count')} once"
    )
