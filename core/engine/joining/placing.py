"""Moves the vectors of a score database into files or back, and tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.calls.presence import Presence
from ig4.core.calls.worker import BEAT_SECONDS, BEATS_WATCHED
from ig4.core.counts import counted, verb
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.storage.vectors import placing
from ig4.storage.vectors.exclusion import moving_alone
from ig4.storage.vectors.moving import Moved
from ig4.storage.vectors.report import describe_vectors, files_in, places_of

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.transfer.watching import RowWatcher
    from ig4.storage.vectors.report import VectorReport

STAGE = "vectors"


def move_into(session: Session, folder: Path, size: int | None = None) -> VectorReport:
    """Move all vectors into files in a folder, also those that come later.

    `size` is about how many bytes of vectors a file is to have.

    Raises:
        StorageError: other processes compute scores, the folder holds other files, or cannot be
            written.
    """
    with session.store.reading() as connection:
        total = sum(one.inside for one in places_of(connection))
    config = {"to": str(folder.absolute()), "file_bytes": size}
    return _watched(
        session, config, total, lambda watch: placing.move_into(session.store, folder, size, watch)
    )


def move_back(session: Session) -> VectorReport:
    """Move all vectors from files into the database, which keeps those that come later.

    Raises:
        StorageError: other processes compute scores, or a file cannot be read.
    """
    report = describe_vectors(session.store)
    total = sum(one.outside for one in report.places)
    config = {"into_database": True}
    found = _watched(session, config, total, lambda w: placing.move_back(session.store, w))
    left = files_in(report.folder) if report.folder is not None else []
    if left:
        session.notice(
            f"{counted(len(left), 'file')} in {report.folder} could not be removed, or "
            f"{verb(len(left), 'is', 'are')} not this database's: it needs none of them any more"
        )
    return found


def forget_lost(session: Session) -> VectorReport:
    """Let the vectors be computed again whose folder is gone for good, and say how many.

    Raises:
        StorageError: the folder is there, or other processes compute scores.
    """

    def forget(_watch: RowWatcher) -> Moved:
        count = placing.forget_lost(session.store)
        session.notice(
            f"{counted(count, 'vector')} that lay in files {verb(count, 'is', 'are')} free to be "
            "computed again; new ones stay in the database"
        )
        return Moved()

    return _watched(session, {"lost": True}, None, forget)


def compact(session: Session) -> VectorReport:
    """Join small files, and write those anew that hold many dead rows.

    Raises:
        StorageError: other processes compute scores, or a file cannot be read or written.
    """
    config = {"compact": True}
    return _watched(session, config, None, lambda watch: placing.compact(session.store, watch))


def _watched(
    session: Session,
    config: Mapping[str, Any],
    total: int | None,
    work: Callable[[RowWatcher], Moved],
) -> VectorReport:
    def watch(_table: str, vectors: int) -> None:
        session.emit(StageAdvanced(STAGE, vectors))

    presence = Presence(session.store)
    presence.sign_on()
    _watch_silent(presence)  # those that were killed do not stand in the way
    with (
        presence.beating(),
        moving_alone(session.store, presence.worker.id),
        session.recorded("db vectors", config),
    ):
        session.emit(StageStarted(STAGE, total, "vectors"))
        moved = work(watch)
        summary = f"{counted(moved.vectors, 'vector')} moved, {counted(moved.files, 'file')}"
        session.emit(StageFinished(STAGE, summary))
    return describe_vectors(session.store)


def _watch_silent(presence: Presence) -> None:
    """Give processes that the server has not heard of for long the time to show that they live.

    One look does not tell: those of other hosts count as gone when they were watched for a while.
    """
    until = time.monotonic() + BEATS_WATCHED * BEAT_SECONDS + 1
    while presence.any_silent() and time.monotonic() < until:
        time.sleep(1)
        presence.forget_gone()
