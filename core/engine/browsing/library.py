"""The selections of a database that are being looked at: the last few stay in memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from ig4.core.engine.browsing.browsed import BrowsedSelection
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.reporting.view import selection_view

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

_KEPT = 2


class Library:
    """Opens selections by number, name, or `last`; "" is the one that the command was about."""

    def __init__(
        self, session: Session, first: int, *, method: str = "pca", space: str | None = None
    ) -> None:
        self.session = session.quiet()
        self.first = first
        self.method = method
        self.space = space
        self._open: OrderedDict[int, BrowsedSelection] = OrderedDict()
        self._lock = Lock()

    def get(self, which: str = "") -> BrowsedSelection:
        """Return a selection, from memory if it is one of the last.

        Raises:
            UsageError: there is none.
        """
        number = self.first if not which else find_selection(self.session, None, which)
        with self._lock:  # the second who asks waits for what the first one makes
            if number not in self._open:
                dataset = dataset_of_selection(self.session, number)
                view = selection_view(self.session, dataset, number)
                self._open[number] = BrowsedSelection(self.session, view, self.method, self.space)
                while len(self._open) > _KEPT:
                    self._open.popitem(last=False)
            self._open.move_to_end(number)
            return self._open[number]

    def forget(self) -> None:
        """Read everything anew from now on: the database has changed."""
        with self._lock:
            self._open.clear()
