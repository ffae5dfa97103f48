"""`ig4 check`: is a column of scores worth trusting on its data?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ig4.core.engine.checkups.checker import ColumnChecker, read_checkup
from ig4.core.engine.checkups.findings import NOISE, CheckResult, ColumnCheckup, Separation
from ig4.core.engine.checkups.looking import GroupsOf, SampleReader, known_groups
from ig4.core.engine.checkups.measuring import inputs_digest
from ig4.core.engine.checkups.verdict import is_reversed
from ig4.core.engine.scoring.outputs import outputs_of
from ig4.core.errors import UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.suggest import did_you_mean
from ig4.storage import checkups, samples, scorecolumns, scores

if TYPE_CHECKING:
    from ig4.core.contracts import Run, Scorer
    from ig4.core.engine.checkups.request import CheckRequest
    from ig4.core.engine.scoring.tasks import ScoreTask, ScoreTaskResult
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "check"


def check(
    session: Session,
    dataset: DatasetRow,
    request: CheckRequest,
    *,
    groups_of: GroupsOf = known_groups,
) -> CheckResult:
    """Check columns of scores, by default all, and store what is found.

    What is known of the same values is not measured again. A column that cannot be rated again is
    checked in all other ways, and that is told.

    Raises:
        UsageError: there are no scores, none of a name, or fewer than one pair is asked for.
    """
    if request.pairs < 1:
        raise UsageError(f"--pairs {request.pairs}: rate at least one sample again")
    names = _names(session, dataset, request.scorers)
    config = {"dataset": dataset.name, "scorers": list(names), "pairs": request.pairs}
    with session.recorded(STAGE, config, request.seed):
        session.attach(dataset.id)
        session.host.validate(request.executor)
        return _check(session, ColumnChecker(session, dataset, request, groups_of), names, {})


class ScoringCheck:
    """The check-up of the columns that scoring computes, with the scorers that are open for it."""

    def __init__(
        self,
        session: Session,
        dataset: DatasetRow,
        request: CheckRequest,
        groups_of: GroupsOf = known_groups,
    ) -> None:
        self.session = session
        self.dataset = dataset
        self.request = request
        self.groups_of = groups_of
        self.ready: dict[str, Separation] = {}
        self.reader: SampleReader | None = None
        self.seconds = 0.0

    def rate(self, run: Run[ScoreTask, ScoreTaskResult], scorers: Mapping[str, Scorer]) -> None:
        """Let scorers that are open rate pairs; called when all their values are stored."""
        began = time.perf_counter()
        checker = self._checker()
        for label, scorer in scorers.items():
            if label in checker.columns:
                self.ready |= checker.rate(run, label, scorer)
        self.seconds += time.perf_counter() - began

    def finish(self, names: Iterable[str]) -> CheckResult | None:
        """Check the columns of scorers and of their outputs; None if there are none."""
        began = time.perf_counter()
        checker = self._checker()
        columns = list(checker.columns.values())
        known = [
            column.name
            for name in names
            if (own := checker.columns.get(name))
            for column in (own, *outputs_of(own, columns))
        ]
        if not known:
            return None
        self.seconds += time.perf_counter() - began
        return _check(self.session, checker, known, self.ready, self.seconds)

    def _checker(self) -> ColumnChecker:
        """Return a checker of the values that are stored now; the samples are read once."""
        checker = ColumnChecker(
            self.session, self.dataset, self.request, self.groups_of, self.reader
        )
        self.reader = checker.reader
        return checker


def check_notices(
    session: Session,
    dataset: DatasetRow,
    names: Iterable[str],
    weights: Mapping[str, float] | None = None,
) -> list[str]:
    """Return a sentence for each of these columns that its last check found noise or reversed.

    A reversed one is told where its weight is above 0: then its bad end is preferred. A check of
    other values than the column has now says nothing.
    """
    wanted = set(names)
    liked = {name for name, weight in (weights or {}).items() if weight > 0}
    with session.store.reading() as connection:
        stored = checkups.list_all(connection, dataset.id)
        faulty = {
            name: found
            for name, row in stored.items()
            if name in wanted
            and (found := read_checkup(row))
            and (found.verdict == NOISE or (name in liked and is_reversed(found.separation)))
        }
        if not faulty:
            return []
        _, contents = samples.ordered_ids(connection, dataset.id)
        current = {
            row.name: inputs_digest(
                row.fingerprint, contents, scores.values(connection, row.component_id, contents)
            )
            for row in scorecolumns.list_all(connection, dataset.id)
            if row.name in faulty
        }
    return [
        _notice(name, found, dataset.name)
        for name, found in faulty.items()
        if current.get(name) == stored[name].inputs
    ]


def _notice(name: str, found: ColumnCheckup, dataset: str) -> str:
    shows = f"(`ig4 check {name}` shows all that was found)"
    if found.verdict == NOISE and found.saturation is not None and found.saturation.distinct == 1:
        return f"{name} is the same for every sample of {dataset}, and decides nothing {shows}"
    if found.verdict == NOISE:
        return (
            f"{name} is noise on {dataset} ({found.reasons[0]}): leave it out, or give it another "
            f"model {shows}"
        )
    return (
        f"{name} is reversed on {dataset} (it prefers the answers of other samples: area under the "
        f"ROC {found.separation.area:.2f}), and counts as if more were better: give it a negative "
        f"weight, or a scale on which more is better {shows}"
    )


def _check(
    session: Session,
    checker: ColumnChecker,
    names: Sequence[str],
    ready: Mapping[str, Separation],
    seconds: float = 0.0,
) -> CheckResult:
    """Check columns; `seconds` were spent on them already."""
    began = time.perf_counter()
    session.emit(StageStarted(STAGE, len(names), "columns"))
    columns: list[ColumnCheckup] = []
    fresh = []
    for name in names:
        found, is_new = checker.check(name, ready.get(name))
        columns.append(found)
        fresh += [name] if is_new else []
        session.emit(StageAdvanced(STAGE, 1))
    seconds += time.perf_counter() - began
    told = ", ".join(f"{one.name} {one.verdict}" for one in columns)
    session.emit(StageFinished(STAGE, f"{told}; {seconds:.1f} s"))
    return CheckResult(checker.dataset.name, tuple(columns), tuple(fresh), seconds)


def _names(session: Session, dataset: DatasetRow, wanted: Sequence[str] | None) -> Sequence[str]:
    with session.store.reading() as connection:
        known = [row.name for row in scorecolumns.list_all(connection, dataset.id)]
    if not known:
        raise UsageError(
            f"{dataset.name} has no scores yet: run `ig4 score --scorers clip,length` or "
            "`ig4 import-scores` first"
        )
    for name in wanted or ():
        if name not in known:
            raise UsageError(
                f"{dataset.name} has no scores called {name!r}{did_you_mean(name, known)} (there "
                f"are: {', '.join(known)})"
            )
    return list(dict.fromkeys(wanted)) if wanted else known
