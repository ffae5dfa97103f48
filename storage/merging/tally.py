"""What became of the rows of another database, by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

RULE = "what is here stays, unless it is a failure and the other database has a value in its place"
"""Which of two rows of one key wins."""


@dataclass(slots=True)
class TableTally:
    """Rows of a table: `taken`; `equal`, that are here; `replaced`, failures that got a value.

    `conflicts` say something else here, which stays; `damaged` are not what was stored;
    `left_out` belong to something that is not here, or that another process is at work on.
    """

    taken: int = 0
    equal: int = 0
    replaced: int = 0
    conflicts: int = 0
    damaged: int = 0
    left_out: int = 0

    @property
    def changes(self) -> int:
        """How many rows of this database are new, or other than before."""
        return self.taken + self.replaced


@dataclass(slots=True)
class MergeResult:
    """What was taken over from another database, or would be, by table; and what to know of it."""

    other: str
    dry_run: bool = False
    tables: dict[str, TableTally] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)
    """By name there: the data set that it is here, or why it is none."""
    conflicts: list[str] = field(default_factory=list)
    """Names of what says something else here."""
    notes: list[str] = field(default_factory=list)
    files: int = 0
    file_bytes: int = 0

    def of(self, table: str) -> TableTally:
        """Return the counts of a table, to be added to."""
        return self.tables.setdefault(table, TableTally())

    def total(self, what: str) -> int:
        """Return the sum of a count over all tables."""
        return sum(int(getattr(one, what)) for one in self.tables.values())

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        seen: Mapping[str, TableTally] = {
            name: one for name, one in self.tables.items() if any(asdict(one).values())
        }
        shown: Sequence[str] = self.conflicts
        return {
            "other": self.other,
            "dry_run": self.dry_run,
            "tables": {name: asdict(one) for name, one in seen.items()},
            "datasets": dict(self.datasets),
            "rule": RULE,
            "conflicts": list(shown),
            "files": {"copied": self.files, "bytes": self.file_bytes},
            "notes": list(self.notes),
        }
