"""What all steps of a merge share: both databases, ids that correspond, and the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ig4.storage.integrity.seals import checksum, is_sound
from ig4.storage.merging.idmaps import IdMap
from ig4.storage.transfer.rows import CHUNK, Row, read_rows
from ig4.storage.transfer.watching import RowWatcher, unwatched

if TYPE_CHECKING:
    from ig4.storage.merging.tally import MergeResult
    from ig4.storage.samples import SampleRow
    from ig4.storage.schema import Base
    from ig4.storage.store import Store
    from ig4.storage.transfer.source import SourceDatabase


ContentHash = Callable[["SampleRow"], "str | None"]
"""Returns the hash of the texts and images of a stored sample; None where they cannot be read."""


@dataclass(slots=True)
class Merging:
    """A merge at work: `store` takes from `source`; with `dry_run` nothing is written.

    With `content_hash`, samples that are not what their content says are not taken over.
    """

    store: Store
    source: SourceDatabase
    result: MergeResult
    dry_run: bool = False
    take_datasets: bool = False
    watch: RowWatcher = unwatched
    content_hash: ContentHash | None = None
    components: IdMap = field(default_factory=IdMap)
    contents: IdMap = field(default_factory=IdMap)
    images: IdMap = field(default_factory=IdMap)
    runs: IdMap = field(default_factory=IdMap)
    datasets: IdMap = field(default_factory=IdMap)
    samples: IdMap = field(default_factory=IdMap)
    clusterings: IdMap = field(default_factory=IdMap)
    batches: IdMap = field(default_factory=IdMap)
    unlike: set[int] = field(default_factory=set)
    """Data sets here that have the name of one there, but no more than half of their samples."""

    def rows(
        self, model: type[Base], *, where: str = "", chunk: int = CHUNK
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a table there by column, a chunk at a time, as `read_rows` has them."""
        names = columns(model)
        for rows in self.values(model, where=where, chunk=chunk):
            yield [dict(zip(names, row, strict=True)) for row in rows]

    def values(
        self, model: type[Base], *, where: str = "", chunk: int = CHUNK
    ) -> Iterator[list[Row]]:
        """Yield the same, but each row as its values in the order of the columns."""
        table: Any = model.__table__
        for rows in read_rows(self.source.connection, table, where=where, chunk=chunk):
            self.watch(table.name, len(rows))
            yield rows

    def sound(self, model: type[Base], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those of the rows that are what was stored, and count the others."""
        good = [row for row in rows if is_sound(model, row)]
        self.result.of(model.__tablename__).damaged += len(rows) - len(good)
        return good

    def conflict(self, model: type[Base], what: str) -> None:
        """Count a row that says something else here, and name it."""
        self.result.of(model.__tablename__).conflicts += 1
        self.result.conflicts.append(what)


def sealed(model: type[Base], row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the checksum that it has now."""
    return {**row, "crc": checksum(model, row)}


def in_order(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[Row]:
    """Return the values of rows in the order of columns."""
    return [tuple(row[name] for name in names) for row in rows]


def columns(model: type[Base], *, without: Sequence[str] = ()) -> list[str]:
    """Return the names of the columns of a table."""
    return [column.name for column in model.__table__.columns if column.name not in without]
