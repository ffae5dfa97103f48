"""Opens the session of a command: database, plugins and progress listener."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ig4.cli.location import location
from ig4.cli.terminal.logs import log_event
from ig4.cli.terminal.progress import progress_listener
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.config import Config


@contextmanager
def open_session(
    db: str | None, config: Config | None = None, *, create: bool = False, quiet: bool = False
) -> Iterator[Session]:
    """Yield a session on the database of --db, the configuration or the default."""
    with (
        Store.open(location(db, config), create=create) as store,
        progress_listener(quiet=quiet) as listener,
    ):
        yield Session(store, Host.discover(), [listener, log_event])


@contextmanager
def open_planning_session(
    db: str | None, config: Config | None = None, *, create: bool = False, quiet: bool = False
) -> Iterator[Session]:
    """Yield a session for a plan, which writes nothing: others may write meanwhile.

    With `create`, an empty database elsewhere stands for one that does not exist yet.
    """
    from ig4.core.engine.planningstore import planning_store

    where = location(db, config)
    with (
        planning_store(where) if create else Store.open(where, create=False) as store,
        progress_listener(quiet=quiet) as listener,
    ):
        yield Session(store, Host.discover(), [listener, log_event], planning=True)
