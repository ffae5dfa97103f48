"""Opens the session of a verb: database, plugins, and who hears of its progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.api.databases import StoreContext
from ig4.core.api.progress import heard
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


@contextmanager
def open_session(
    db: str | Path | Store,
    listeners: Sequence[Listener],
    *,
    progress: bool,
    create: bool = False,
) -> Iterator[Session]:
    """Yield a session on a database; with `progress` it is shown, where somebody looks.

    Raises:
        StorageError: there is no such database and it may not be made, or it cannot be opened.
    """
    with StoreContext(db, create=create) as store, heard(progress, listeners) as hearing:
        yield Session(store, Host.discover(), hearing)
