"""Moves the vectors that a command commits into files, where the database has a folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ig4.core.engine.scoring.sharing.claiming import insist
from ig4.storage.errors import ConnectionLostError, DatabaseBusyError, StorageError
from ig4.storage.vectors.moving import VectorMover

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.vectors.moving import VectorTable


class VectorMoves:
    """Moves committed vectors in the course of a command; one that cannot goes on without.

    The vectors are safe in the database: a folder that cannot be written is told once.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._mover: VectorMover | None = VectorMover(session.store)

    def add(self, table: VectorTable, component_id: int, size: int) -> None:
        """Count bytes of vectors that were committed, and move them if they are enough."""
        if self._mover is not None:
            self._try(partial(self._mover.add, table, component_id, size))

    def finish(self) -> None:
        """Move what is left, unless it is little."""
        if self._mover is not None:
            self._try(self._mover.finish)

    def _try(self, move: Callable[[], None]) -> None:
        try:
            insist(move)
        except (ConnectionLostError, DatabaseBusyError):
            raise
        except StorageError as error:
            self._mover = None
            self.session.notice(str(error))
