"""Which stored scores of pool scorers are of another pool than the data set has now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ig4.core.engine.pooling.poolscores import stale_notice
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.storage import scorecolumns

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow


def stale_columns(
    session: Session,
    dataset: DatasetRow,
    columns: Iterable[ScoreColumnRow],
    settings: PoolSettings | None = None,
) -> Mapping[str, str]:
    """Return by name what to say of those columns that a change of the data set has made stale."""
    chosen = settings or PoolSettings()
    told = {one.name: stale_notice(session, dataset, one, chosen) for one in columns}
    return {name: text for name, text in told.items() if text is not None}


def tell_stale(
    session: Session,
    dataset: DatasetRow,
    settings: PoolSettings | None = None,
    names: Iterable[str] | None = None,
) -> None:
    """Say which columns of a data set, by default of all that it has, are stale."""
    with session.store.reading() as connection:
        known = scorecolumns.list_all(connection, dataset.id)
    wanted = None if names is None else set(names)
    shown = [one for one in known if wanted is None or one.name in wanted]
    for text in stale_columns(session, dataset, shown, settings).values():
        session.notice(text)
