"""Which columns of scores a selection counts: those that are named, or those that most samples
have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import counted, verb
from ig4.core.engine.scoring.outputs import scorer_of
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean
from ig4.storage import scorecolumns, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow

COVERED = 0.5
"""The share of samples that must have a score, or a selection leaves it out by default."""


@dataclass(frozen=True, slots=True)
class ScoreMatrix:
    """Raw scores (n, m) float64 of n samples by m columns, NaN where there is none."""

    columns: tuple[ScoreColumnRow, ...]
    raw: NDArray[np.float64]

    @property
    def names(self) -> tuple[str, ...]:
        """The m scorers."""
        return tuple(column.name for column in self.columns)

    def take(self, names: Iterable[str]) -> ScoreMatrix:
        """Return the columns of these names, in this order."""
        places = [self.names.index(name) for name in names]
        return replace(
            self, columns=tuple(self.columns[n] for n in places), raw=self.raw[:, places]
        )


def score_matrix(
    session: Session,
    dataset: DatasetRow,
    contents: NDArray[np.int64],
    wanted: Sequence[str] | None,
    weights: Mapping[str, float],
    *,
    beside: Sequence[str] = (),
) -> ScoreMatrix:
    """Return the scores that a selection counts, for the contents (n,) of its samples.

    What is named is all: `weights`, where they name any of the columns, leave the others out. If
    neither these nor `wanted` name columns, those count that at least half of the samples have.
    Outputs of scorers with several values count only where they are named, and so do columns in
    `beside`, which the selector reads by itself. What is left out is told.

    Raises:
        UsageError: there are no scores, or none of a name in `wanted`.
    """
    with session.store.reading() as connection:
        known = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    usual = known if wanted else _without_outputs(session, known, weights)
    named = {*(wanted or ()), *weights}
    counting = {name: row for name, row in usual.items() if name in named or name not in beside}
    names = weighted(session, _known_names(wanted, counting or usual, dataset.name), weights)
    # Sums of floats depend on their order, and a selection is the same however it is asked for.
    names = tuple(sorted(names))
    matrix = read_matrix(session, [known[name] for name in names], contents)
    if wanted or any(name in weights for name in names):
        return matrix
    return _covering(session, matrix, dataset.name)


def _without_outputs(
    session: Session, known: Mapping[str, ScoreColumnRow], weights: Mapping[str, float]
) -> dict[str, ScoreColumnRow]:
    """Return the columns without outputs that no weight names: a scorer counts once, as a whole."""
    columns = list(known.values())
    scorers: dict[str, int] = {}
    kept = {}
    for column in columns:
        scorer = scorer_of(column, columns)
        if scorer is None or column.name in weights:
            kept[column.name] = column
        else:
            scorers[scorer.name] = scorers.get(scorer.name, 0) + 1
    for name, count in scorers.items():
        session.notice(
            f"{name}: its {counted(count, 'output')} {verb(count, 'does', 'do')} not count by "
            "themselves; --scorers or --weights with their names let them"
        )
    return kept


def read_matrix(
    session: Session, columns: Sequence[ScoreColumnRow], contents: NDArray[np.int64]
) -> ScoreMatrix:
    """Return the scores of columns for contents (n,)."""
    with session.store.reading() as connection:
        raw = [scores.values(connection, column.component_id, contents) for column in columns]
    if not columns:
        return ScoreMatrix((), np.empty((len(contents), 0)))
    return ScoreMatrix(tuple(columns), np.column_stack(raw))


def weighted(
    session: Session, names: Sequence[str], weights: Mapping[str, float]
) -> tuple[str, ...]:
    """Return those of `names` that the weights name, or all where the weights name none of them."""
    named = tuple(name for name in names if name in weights)
    others = [name for name in names if name not in weights]
    if not named:
        return tuple(names)
    if others:
        session.notice(
            f"{', '.join(others)}: no weight is given, so it does not count (weights: "
            f"{', '.join(f'{name} {weights[name]:g}' for name in named)})"
        )
    return named


def _known_names(
    wanted: Sequence[str] | None, known: Mapping[str, ScoreColumnRow], dataset: str
) -> tuple[str, ...]:
    if not known:
        raise UsageError(
            f"{dataset} has no scores yet: run `ig4 score --scorers clip,length` or "
            "`ig4 import-scores` first"
        )
    names = tuple(wanted) if wanted else tuple(known)
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"scorer {name!r} is named twice")
        if name not in known:
            raise UsageError(
                f"{dataset} has no scores called {name!r}{did_you_mean(name, known)} (there are: "
                f"{', '.join(known)})"
            )
    return names


def _covering(session: Session, matrix: ScoreMatrix, dataset: str) -> ScoreMatrix:
    """Return the columns that enough samples have; all of them where that is none."""
    counts = np.count_nonzero(~np.isnan(matrix.raw), axis=0)
    total = len(matrix.raw)
    kept = [
        name for name, n in zip(matrix.names, counts.tolist(), strict=True) if n >= COVERED * total
    ]
    if not kept or len(kept) == len(matrix.names):
        return matrix
    few = ", ".join(
        f"{name} ({count:,})"
        for name, count in zip(matrix.names, counts.tolist(), strict=True)
        if name not in kept
    )
    session.notice(
        f"{few}: fewer than half of the {counted(total, 'sample')} of {dataset} have a score, so "
        f"it does not count. `--scorers {','.join(matrix.names)}` lets it count for those that "
        "have one, `ig4 scores drop NAME` removes it"
    )
    return matrix.take(kept)
