"""Gives each record of a data set an id of its own: repeated ids are numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.errors import DatasetError
from ig4.core.host.fingerprint import digest_of
from ig4.core.texts import sanitize
from ig4.storage import datasets

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.records import Record


_MAX_BYTES = 1000  # a database cannot index much longer ones


def _stored_id(name: str) -> str:
    """Return an id that every database can hold; of one that is too long, the rest is a hash."""
    name = sanitize(name)
    if len(name) * 4 <= _MAX_BYTES or len(name.encode()) <= _MAX_BYTES:
        return name
    beginning = name.encode()[: _MAX_BYTES - 40].decode("utf-8", "ignore")
    return f"{beginning}…{digest_of(name)}"


@dataclass(slots=True)
class ExternalIds:
    """The ids that one reading of a data set has given away.

    `run_id` is the run that reads: what it stored is taken, what an earlier one stored is known.
    `renamed` counts the numbered records by the id that they repeat.
    """

    dataset_id: int
    run_id: int | None
    path: Path
    refuse_duplicates: bool
    renamed: Counter[str] = field(default_factory=Counter)
    _numbers: Counter[str] = field(default_factory=Counter)
    _latest: list[tuple[str, int]] = field(default_factory=list)
    """The numbered records of the latest batch: their id, and how far it was counted on."""

    def assign(self, connection: Connection, batch: Sequence[Record]) -> tuple[list[str], set[str]]:
        """Return the external id of each record, and which of these the store may have already.

        Raises:
            DatasetError: an id stands in more than one record, and that is to be refused.
        """
        self._latest.clear()
        wanted = [_stored_id(record.id) for record in batch]
        known = datasets.known_ids(connection, self.dataset_id, wanted)
        taken = {name for name, run in known.items() if run == self.run_id}
        if not taken and len(set(wanted)) == len(wanted):
            return wanted, set(known)
        ids = []
        for name in wanted:
            unique = self._number(connection, name, taken) if name in taken else name
            taken.add(unique)
            ids.append(unique)
        return ids, set(ids)

    def _number(self, connection: Connection, name: str, taken: set[str]) -> str:
        if self.refuse_duplicates:
            raise DatasetError(
                f"{self.path}: the id {name!r} stands in more than one record. Without "
                "--duplicate-ids error the later ones are numbered."
            )
        before = self._numbers[name]
        while True:
            # Counted on from the last one: a column of equal ids must not take the square of time.
            self._numbers[name] += 1
            unique = f"{name}#{self._numbers[name] + 1}"
            run = datasets.known_ids(connection, self.dataset_id, [unique]).get(unique)
            if unique not in taken and (run is None or run != self.run_id):
                self.renamed[name] += 1
                self._latest.append((name, self._numbers[name] - before))
                return unique

    def take_back(self) -> None:
        """Forget the ids of the latest batch, whose transaction was undone."""
        while self._latest:
            name, steps = self._latest.pop()
            self._numbers[name] -= steps
            self.renamed[name] -= 1
        self.renamed = +self.renamed
