"""Takes over what other score databases have, as a recorded run, and tells how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.calls.presence import Presence
from ig4.core.counts import counted
from ig4.core.engine.checking import stored_hash
from ig4.core.errors import UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.storage import datasets, runs
from ig4.storage.connect import describe, parse
from ig4.storage.merging.merge import check_source
from ig4.storage.merging.merge import merge as take_over

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session
    from ig4.storage.merging.tally import MergeResult
    from ig4.storage.store import Store

COMMAND = "db merge"
STAGE = "merge"


def check_others(location: str | Path, others: Sequence[str | Path]) -> None:
    """Check that other databases can be read, before one to merge into is made.

    Raises:
        UsageError: one is named twice.
        StorageError: one is missing, the database itself, or of another version of ig4.
    """
    seen = [describe(parse(one)) for one in others]
    twice = next((one for one in seen if seen.count(one) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice: name each database once")
    for one in others:
        check_source(parse(location), one)


def merge(
    session: Session,
    others: Sequence[str | Path],
    *,
    take_datasets: bool = False,
    dry_run: bool = False,
) -> list[MergeResult]:
    """Take over the results of other databases, one after the other; they are only read.

    A database that has no data set yet takes over theirs, too; so does one in which such a merge of
    the same databases was interrupted. With `dry_run` nothing is written,
    and what several others have in common counts for each of them.

    Raises:
        UsageError: one is named twice.
        StorageError: one is missing, the database itself, or of another version of ig4; or this
            one cannot be written. What was taken until then stays.
    """
    check_others(_location(session.store), others)
    with session.store.reading() as connection:
        take_datasets = (
            take_datasets
            or not datasets.list_all(connection)
            or _completes(connection, [describe(parse(one)) for one in others])
        )
    if dry_run:
        return [_merge_one(session, one, take_datasets, dry_run=True) for one in others]
    config = {"others": [describe(parse(one)) for one in others], "datasets": take_datasets}
    Presence(session.store).forget_gone()  # replies there take the place of their requests
    with session.recorded(COMMAND, config):
        return [_merge_one(session, one, take_datasets, dry_run=False) for one in others]


def _completes(connection: Connection, others: Sequence[str]) -> bool:
    """Tell whether the last merge of these databases took data sets, and did not come to its end.

    It may have begun when there was none here.
    """
    merges = runs.newest(connection, command=COMMAND)
    last = next((one for one in merges if one.config.get("others") == others), None)
    ended = last is None or last.status in ("done", "partial")
    return not ended and bool(last and last.config.get("datasets"))


def _location(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def _merge_one(
    session: Session, other: str | Path, take_datasets: bool, *, dry_run: bool
) -> MergeResult:
    def watch(table: str, rows: int) -> None:
        session.emit(StageAdvanced(STAGE, rows, note=table.replace("_", " ")))

    session.emit(StageStarted(STAGE, check_source(session.store.engine.url, other), "rows"))
    result = take_over(
        session.store,
        other,
        take_datasets=take_datasets,
        dry_run=dry_run,
        watch=watch,
        content_hash=stored_hash,
    )
    session.emit(StageFinished(STAGE, f"{counted(result.total('changes'), 'row')} taken"))
    for note in result.notes:
        session.notice(note)
    return result
