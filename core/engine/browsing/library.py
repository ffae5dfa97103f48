"""The selections of a database that are being looked at: the last few stay in memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ig4.core.engine.browsing.browsed import BrowsedSelection
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.reporting.view import selection_view
from ig4.core.errors import UsageError
from ig4.storage import datasets

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

_KEPT = 2


class _Opened(NamedTuple):
    """A selection in memory, and how its data set was when it was read."""

    browsed: BrowsedSelection
    state: list[tuple[str, str | None]]


class Library:
    """Opens selections by number, name, or `last`; "" is the one that the command was about."""

    def __init__(
        self, session: Session, first: int, *, method: str = "pca", space: str | None = None
    ) -> None:
        self.session = session.quiet()
        self.first = first
        self.method = method
        self.space = space
        self._open: OrderedDict[int, _Opened] = OrderedDict()
        self._lock = Lock()

    def get(self, which: str = "") -> BrowsedSelection:
        """Return a selection, from memory if it is one of the last.

        Raises:
            UsageError: there is none, or its data set was read anew since it was opened.
        """
        number = self.first if not which else find_selection(self.session, None, which)
        dataset = dataset_of_selection(self.session, number)
        state = self._state(dataset)
        with self._lock:  # the second who asks waits for what the first one makes
            if number not in self._open:
                view = selection_view(self.session, dataset, number)
                browsed = BrowsedSelection(self.session, view, self.method, self.space)
                self._open[number] = _Opened(browsed, state)
                while len(self._open) > _KEPT:
                    self._open.popitem(last=False)
            self._open.move_to_end(number)
            opened = self._open[number]
        if opened.state != state:
            raise UsageError(f"{dataset.name} was read anew since this page was made: press Reload")
        return opened.browsed

    def _state(self, dataset: DatasetRow) -> list[tuple[str, str | None]]:
        """Return what changes when a data set, or a part of it, is read anew."""
        with self.session.store.reading() as connection:
            return datasets.source_states(connection, dataset.id)

    def forget(self) -> None:
        """Read everything anew from now on: the database has changed."""
        with self._lock:
            self._open.clear()
