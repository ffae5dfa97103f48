"""Opens what a command works with: the database, the plugins, and the listener for progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ig4.cli.location import location
from ig4.cli.progress import progress_listener
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.config import Config


@contextmanager
def open_session(
    db: str | None, config: Config | None = None, *, create: bool = False, quiet: bool = False
) -> Iterator[Session]:
    """Give a session on the database that is meant."""
    with (
        Store.open(location(db, config), create=create) as store,
        progress_listener(quiet=quiet) as listener,
    ):
        yield Session(store, Host.discover(), [listener])
