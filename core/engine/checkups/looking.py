"""The samples that a check-up looks at: a draw that depends on the seed alone, and their groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ig4.core.engine.checkups.shuffled import answers_in
from ig4.core.host.fingerprint import digest_of
from ig4.storage import clusters, samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.samples import SampleRow

LOOKED_AT = 2_000
"""The texts of so many samples at most are looked at, for groups, lengths and pairs."""

MOST_GROUPS = 50
"""Questions are groups if there are at most so many; else each would be one of its own."""

GroupsOf: TypeAlias = Callable[
    ["Session", "DatasetRow", "Sequence[SampleRow]"], Mapping[str, "NDArray[np.int64]"]
]
"""Returns by name the groupings of samples (m): labels (m,), -1 for none. One called `form` is
what kinds of question are taken from when answers are shuffled."""

FORM = "form"


def known_groups(
    session: Session, dataset: DatasetRow, rows: Sequence[SampleRow]
) -> dict[str, NDArray[np.int64]]:
    """Return groups that need no grouper: number of answers, question, newest clusters."""
    questions: dict[str, int] = {}
    asked = [questions.setdefault(row.instruction, len(questions)) for row in rows]
    groups = {
        "turns": np.array([answers_in(row) for row in rows], dtype=np.int64),
        "question": np.array(asked, dtype=np.int64),
    }
    ids = np.array([row.id for row in rows], dtype=np.int64)
    with session.store.reading() as connection:
        clustering = clusters.find(connection, dataset.id)
        if clustering is not None:
            groups["clusters"] = clusters.labels(connection, clustering.id, ids)
    return {name: labels for name, labels in groups.items() if _divides(name, labels)}


def _divides(name: str, labels: NDArray[np.int64]) -> bool:
    count = len(np.unique(labels[labels >= 0]))
    return count > 1 and (name != "question" or count <= MOST_GROUPS)


class SampleReader:
    """The current samples of a data set, in the order of the data set and in that of the draw.

    `sample_ids` and `contents` are (n,) int64. Rows that were read are kept: most columns have
    values for the same samples.
    """

    def __init__(self, session: Session, dataset: DatasetRow, seed: int) -> None:
        self.session = session
        with session.store.reading() as connection:
            self.sample_ids, self.contents = samples.ordered_ids(connection, dataset.id)
            faulty = samples.ids_with_problems(connection, dataset.id)
        sound = np.flatnonzero(~np.isin(self.sample_ids, faulty))
        # Of samples that say the same, the first.
        first = sound[np.unique(self.contents[sound], return_index=True)[1]]
        self.drawn = np.sort(first)[np.random.default_rng(seed).permutation(len(first))]
        self._rows: dict[int, SampleRow] = {}

    def draw(self, values: NDArray[np.float64], most: int = LOOKED_AT) -> NDArray[np.int64]:
        """Return the first places (m,) of the draw that have a value, of values (n,)."""
        return self.drawn[np.isfinite(values[self.drawn])][:most]

    def rows(self, places: NDArray[np.int64]) -> list[SampleRow]:
        """Return the samples of places (m,), in this order."""
        wanted = self.sample_ids[places].tolist()
        missing = [number for number in wanted if number not in self._rows]
        with self.session.store.reading() as connection:
            self._rows |= {row.id: row for row in samples.by_id(connection, missing)}
        return [self._rows[number] for number in wanted]


def groups_digest(groups: Mapping[str, NDArray[np.int64]]) -> str:
    """Return what stands for groups, so that others are known."""
    return digest_of({name: labels.tolist() for name, labels in groups.items()})
