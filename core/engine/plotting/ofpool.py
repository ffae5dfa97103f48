"""What plots show of a data set that nothing is selected of yet: its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.charts.kinds.correlations import Correlations, correlations
from ig4.core.charts.kinds.scores import Histogram, histogram
from ig4.core.engine.selecting.columns import read_matrix
from ig4.core.engine.selecting.percent import percents
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.suggest import did_you_mean
from ig4.storage import samples, scorecolumns, selections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


def has_selection(session: Session, dataset: DatasetRow | None) -> bool:
    """Tell whether anything was selected of a data set, or of any."""
    with session.store.reading() as connection:
        return selections.last(connection, None if dataset is None else dataset.id) is not None


def pool_scores(
    session: Session, dataset: DatasetRow, wanted: Sequence[str] | None = None
) -> tuple[Histogram, ...]:
    """Return a histogram of each column of scores, without selected samples.

    Raises:
        UsageError: there are no scores, or none of a wanted name.
    """
    found = _columns(session, dataset, wanted)
    return tuple(
        histogram(name, values, np.zeros(len(values), dtype=np.bool_), unit=unit)
        for name, (unit, values) in found.items()
    )


def pool_correlations(
    session: Session, dataset: DatasetRow, wanted: Sequence[str] | None = None
) -> Correlations:
    """Return the rank correlations of the columns of scores.

    Raises:
        UsageError: there are no scores, or none of a wanted name.
    """
    found = _columns(session, dataset, wanted)
    return correlations([*found], [values for _, values in found.values()])


def _columns(
    session: Session, dataset: DatasetRow, wanted: Sequence[str] | None
) -> dict[str, tuple[str, NDArray[np.float64]]]:
    """Return by name the unit and the values (n,) of columns: percents where there are any."""
    with session.store.reading() as connection:
        _, contents = samples.ordered_ids(connection, dataset.id)
        known = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    if not known:
        raise UsageError(
            f"{dataset.name} has no scores yet: run `ig4 score --scorers clip,length` or "
            "`ig4 import-scores` first"
        )
    found = {}
    for name in wanted or known:
        if name not in known:
            raise UsageError(
                f"{dataset.name} has no scores called {name!r}{did_you_mean(name, known)} (there "
                f"are: {', '.join(known)})"
            )
        raw = read_matrix(session, [known[name]], contents).raw
        try:
            found[name] = ("percent", percents(session, [known[name]], raw, "paper")[:, 0])
        except Ig4Error:  # its scorer is no longer there
            found[name] = ("raw", raw[:, 0])
    return found
