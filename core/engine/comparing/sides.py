"""One side of a comparison: a stored selection, and the draft that it would be made from today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.selecting.columns import read_matrix
from ig4.core.engine.selecting.draft import draft_selection
from ig4.core.engine.selecting.explain import recorded_columns, recorded_request
from ig4.core.engine.selections.finding import dataset_of
from ig4.core.engine.session import Session
from ig4.core.errors import Ig4Error
from ig4.core.events import Notice
from ig4.storage import samples, selections
from ig4.storage.subsets import SUBSETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.selecting.draft import SelectionDraft
    from ig4.core.events import Event, Listener
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionItem, SelectionRow


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """A selection with its `items` by rank, and all samples of its data set (`ids`, `contents`).

    `draft` is what the selection would be made from today; None where it cannot be made, and `why`
    says why. `changed` tells whether it would choose others today.
    """

    selection: SelectionRow
    dataset: DatasetRow
    items: list[SelectionItem]
    ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    draft: SelectionDraft | None
    why: str | None

    @property
    def changed(self) -> bool:
        """Whether the draft chooses other samples than were stored, or in another order."""
        if self.draft is None:
            return False
        today = self.draft.table.sample_ids[self.draft.rows].tolist()
        return bool(today != [item.sample_id for item in self.items])


def read_side(session: Session, selection: SelectionRow, pool: PoolSettings) -> ComparedSide:
    """Read a selection, and draft it anew once, for all of its samples."""
    dataset = dataset_of(session, selection)
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
        items = selections.samples(connection, selection.id)
    draft, why = None, None
    try:
        draft = _draft(_without_notices(session), dataset, selection, pool, contents)
    except Ig4Error as error:
        why = str(error)
    return ComparedSide(selection, dataset, items, ids, contents, draft, why)


def _draft(
    session: Session,
    dataset: DatasetRow,
    selection: SelectionRow,
    pool: PoolSettings,
    contents: NDArray[np.int64],
) -> SelectionDraft | None:
    if selection.config["selector"]["use"] == SUBSETS:
        return None  # drawn for a training; there is nothing that decided against others
    request = recorded_request(selection, pool)
    columns = recorded_columns(session, selection)
    matrix = read_matrix(session, columns, contents) if columns else None
    return draft_selection(session, dataset, request, matrix=matrix)


def _without_notices(session: Session) -> Session:
    """Return a session that tells progress, but not again what was told when it was selected."""

    def passing(listener: Listener) -> Listener:
        def heard(event: Event) -> None:
            if not isinstance(event, Notice):
                listener(event)

        return heard

    return Session(session.store, session.host, [passing(one) for one in session.listeners])
