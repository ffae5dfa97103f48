"""Lets one process at a time move the vectors of a database, while none begins to do so, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from ig4.storage import settings
from ig4.storage.errors import StorageError
from ig4.storage.schema import LlmWorker, Setting
from ig4.storage.workers import limit_idleness

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.store import Store


@contextmanager
def moving_alone(store: Store, worker: str) -> Iterator[None]:
    """Keep other processes from moving vectors while the block runs.

    `worker` is the number of this process, which is among those at work. One that was killed holds
    up the others for as long as they do not know that it has ended.

    Raises:
        StorageError: another process moves them now.
    """
    with store.writing() as connection:
        limit_idleness(connection)
        other = _holder(connection)
        if other not in (None, worker):
            raise StorageError(
                f"Another process moves the vectors of {store.location} now: start again when it "
                "has ended."
            )
        settings.put(connection, settings.VECTOR_MOVER, worker)
    try:
        yield
    finally:
        with suppress(StorageError), store.writing() as connection:  # others see that it ended
            own = (Setting.name == settings.VECTOR_MOVER, Setting.value == worker)
            connection.execute(delete(Setting).where(*own))


def moves_now(connection: Connection) -> bool:
    """Tell whether a process moves vectors that is not known to have ended."""
    return _mover(connection) is not None


def _holder(connection: Connection) -> str | None:
    """Return the process that moves vectors, with the setting locked; None if there is none."""
    settings.put_first(connection, settings.VECTOR_MOVER, "")
    settings.lock(connection, settings.VECTOR_MOVER)
    return _mover(connection)


def _mover(connection: Connection) -> str | None:
    found = settings.find(connection, settings.VECTOR_MOVER)
    return connection.scalar(select(LlmWorker.id).where(LlmWorker.id == found))
