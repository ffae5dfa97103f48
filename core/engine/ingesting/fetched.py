"""Counts what was fetched while a data set was read, and says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.counts import counted
from ig4.core.engine.ingesting.result import FetchedCounts
from ig4.core.files.remote.fetching import COUNTS

if TYPE_CHECKING:
    from ig4.core.engine.session import Session


def fetched_now() -> FetchedCounts:
    """Return what this process fetched so far."""
    return FetchedCounts(*COUNTS.snapshot())


def fetched_since(before: FetchedCounts) -> FetchedCounts | None:
    """Return what was fetched since then, None if nothing was asked for."""
    now = fetched_now()
    found = FetchedCounts(*(one - other for one, other in zip(now, before, strict=True)))
    return found if any(found) else None


def tell_fetched(session: Session, found: FetchedCounts | None) -> None:
    """Say how many files were fetched, how large they are, and how many requests were repeated."""
    if found is None:
        return
    told = f"{counted(found.files, 'file')} ({_amount(found.bytes)}) fetched"
    if found.unchanged:
        told += f", {counted(found.unchanged, 'file')} asked for again and unchanged"
    if found.cached:
        told += f", {counted(found.cached, 'file')} from the cache"
    if found.repeated:
        told += f"; {counted(found.repeated, 'request')} had to be repeated"
    session.notice(told)


def _amount(count: int) -> str:
    value, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 1000 and unit != "TB":
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
