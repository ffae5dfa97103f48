"""Says what was fetched while a data set was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ig4.core.counts import counted
from ig4.core.files.remote.fetching import COUNTS

if TYPE_CHECKING:
    from ig4.core.engine.session import Session


@contextmanager
def told_fetching(session: Session) -> Iterator[None]:
    """Say after the block how many files were fetched, how large they are, and how many tries."""
    before = COUNTS.snapshot()
    yield
    files, size, cached, repeated = (
        now - then for now, then in zip(COUNTS.snapshot(), before, strict=True)
    )
    if not files and not cached:
        return
    told = f"{counted(files, 'file')} ({_amount(size)}) fetched"
    if cached:
        told += f", {counted(cached, 'file')} from the cache"
    if repeated:
        told += f"; {counted(repeated, 'request')} had to be repeated"
    session.notice(told)


def _amount(count: int) -> str:
    value, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 1000 and unit != "TB":
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
