"""Lets scorers rate samples with another's answer, on the way that scoring takes, and keeps none.

What a service is paid for is in the ledger all the same, and not paid for twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.calls.running.runner import run_call_tasks
from ig4.core.calls.running.task import CallTask, answer_or_failure
from ig4.core.contracts import AsyncScorer, Executor, Run, Scorer
from ig4.core.contracts.poolscorer import PoolScorer
from ig4.core.engine.scoring.tasks import (
    EMPTY_ANSWER,
    RateResult,
    ScoreTask,
    ScoreTaskResult,
    Vector,
    score_row,
)
from ig4.core.engine.scoring.work import ScoreWork
from ig4.core.engine.selecting.percent import recorded_choice
from ig4.core.errors import Ig4Error
from ig4.core.records import Failure, Sample, Score
from ig4.storage import scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.calls.settings import CallSettings
    from ig4.core.contracts import Ask
    from ig4.core.engine.checkups.shuffled import ShuffledPairs
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice
    from ig4.storage.scorecolumns import ScoreColumnRow


class NotRatedError(Exception):
    """Why a column cannot be rated again, in words that continue "not rated again: "."""


def scorer_of(session: Session, column: ScoreColumnRow) -> Scorer:
    """Return the scorer of a column with the options that its values were made with, not opened.

    Raises:
        NotRatedError: its values were imported, depend on the whole pool, or come from a scorer
            that is not here as it was.
    """
    if column.imported:
        raise NotRatedError("its values were imported")
    try:
        choice = recorded_choice(session, column)
        built = session.configured(choice)
    except Ig4Error as error:
        raise NotRatedError(f"its scorer cannot be had ({error})") from None
    if isinstance(built.component, PoolScorer):
        raise NotRatedError("its values depend on all samples of the pool")
    if built.fingerprint.value != column.fingerprint:
        raise NotRatedError(
            f"its scorer is another one now than the one that gave its values (`ig4 score "
            f"--scorers {column.name}` computes them anew)"
        )
    return cast("Scorer", built.component)


def rate_in(
    session: Session,
    run: Run[ScoreTask, ScoreTaskResult],
    label: str,
    scorer: Scorer,
    pairs: ShuffledPairs,
) -> NDArray[np.float64]:
    """Return the values (m,) of the samples with their new answers, NaN where one failed.

    `run` has the scorer, opened, under its label.
    """
    tasks = pairs.tasks(label, scorer, _vectors(session, scorer, pairs))
    values = np.full(len(pairs), np.nan)
    for result in run(cast("Iterable[ScoreTask]", tasks)):
        assert isinstance(result, RateResult)
        for place, value, _, _ in result.rows:
            if value is not None:
                values[place] = value
    return values


def rate(
    session: Session, executor: Choice, label: str, scorer: Scorer, pairs: ShuffledPairs
) -> NDArray[np.float64]:
    """Return the same of a scorer that is opened for it.

    Raises:
        NotRatedError: it cannot be opened, or breaks its contract.
    """
    running = cast("Executor", session.host.build(executor))
    try:
        running.open()
        try:
            with running.start(ScoreWork({label: scorer}, {}, {})) as run:
                return rate_in(session, run, label, scorer, pairs)
        finally:
            running.close()
    except Ig4Error as error:
        raise NotRatedError(str(error)) from None


def ask(
    session: Session,
    column: ScoreColumnRow,
    scorer: AsyncScorer,
    pairs: ShuffledPairs,
    call_settings: CallSettings,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], str | None]:
    """Return the same of a scorer that asks a service, which are asked (m,), and why not all.

    Raises:
        NotRatedError: the service cannot be asked, or refuses.
    """
    task = _ShuffledRatingTask(session, column, scorer, pairs)
    try:
        result = run_call_tasks(session, [task], call_settings)
    except Ig4Error as error:
        raise NotRatedError(str(error)) from None
    return task.values, task.asked, result.why_open("sample")


class _ShuffledRatingTask(CallTask[Sample, Score | Failure]):
    """The samples with their new answers, for a scorer that asks a service."""

    def __init__(
        self,
        session: Session,
        column: ScoreColumnRow,
        scorer: AsyncScorer,
        pairs: ShuffledPairs,
    ) -> None:
        self.session = session
        self.label = column.name
        self.component = self.scorer = scorer
        self.component_id = column.component_id
        self.fingerprint = column.fingerprint
        self.pairs = pairs
        self.places = list(range(len(pairs)))
        self.values = np.full(len(pairs), np.nan)
        self.asked = np.zeros(len(pairs), dtype=bool)

    def units(self, places: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        for place in places:
            yield place, self.pairs.sample(place)

    async def answer(self, unit: Sample, ask: Ask) -> Score | Failure:
        if self.scorer.needs_answer and not unit.answer.strip():
            return Failure(EMPTY_ANSWER)
        return await answer_or_failure(self.label, self.scorer.rate, unit, ask)

    def commit(self, answers: Sequence[tuple[int, Score | Failure]]) -> int:
        failed = 0
        for place, answer in answers:
            _, value, error, _ = score_row(place, answer)
            self.asked[place] = True
            failed += error is not None
            if value is not None:
                self.values[place] = value
        return failed


def _vectors(session: Session, scorer: Scorer, pairs: ShuffledPairs) -> Mapping[int, Vector] | None:
    """Return the stored embeddings of the images of samples, for a scorer that reads them."""
    choice = scorer.embedder()
    if choice is None:
        return None
    component = session.component_id(session.configured(choice).fingerprint)
    with session.store.reading() as connection:
        return dict(scores.embeddings(connection, component, pairs.image_ids()))
