"""Lets scorers rate samples with another's answer, on the way that scoring takes, and keeps none.

What a service is paid for is in the ledger all the same, and not paid for twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from ig4.core.calls.running.runner import run_call_tasks
from ig4.core.calls.running.task import CallTask, answer_or_failure
from ig4.core.contracts import AsyncScorer, Executor, Run, Scorer
from ig4.core.contracts.poolscorer import PoolScorer
from ig4.core.engine.scoring.outputs import scorer_fingerprint, scorer_label
from ig4.core.engine.scoring.tasks import (
    EMPTY_ANSWER,
    RateResult,
    Row,
    ScoreTask,
    ScoreTaskResult,
    Vector,
    output_rows,
    score_row,
)
from ig4.core.engine.scoring.work import ScoreWork
from ig4.core.engine.selecting.percent import recorded_choice
from ig4.core.errors import Ig4Error
from ig4.core.records import NO_IMAGE, Failure, Sample, Score
from ig4.storage.vectors import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.calls.settings import CallSettings
    from ig4.core.contracts import Ask
    from ig4.core.engine.checkups.shuffled import ShuffledPairs
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.core.records import Choice
    from ig4.storage.scorecolumns import ScoreColumnRow


Rated: TypeAlias = "Mapping[str | None, NDArray[np.float64]]"
"""Values (m,) of a scorer by output, NaN where one failed; the main ones have None for a name."""


class NotRatedError(Exception):
    """Why a column cannot be rated again, in words that continue "not rated again: "."""


def scorer_of(session: Session, column: ScoreColumnRow) -> ConfiguredComponent:
    """Return the scorer of a column with the options that its values were made with, not opened.

    That of an output is the scorer that has it.

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
    if built.fingerprint.value != scorer_fingerprint(column):
        raise NotRatedError(
            f"its scorer is another one now than the one that gave its values (`ig4 score "
            f"--scorers {scorer_label(column)}` computes them anew)"
        )
    return built


def rate_in(
    session: Session,
    run: Run[ScoreTask, ScoreTaskResult],
    label: str,
    scorer: Scorer,
    pairs: ShuffledPairs,
) -> Rated:
    """Return the values of the samples with their new answers.

    `run` has the scorer, opened, under its label.
    """
    tasks = pairs.tasks(label, scorer, _vectors(session, scorer, pairs))
    rated = _unrated(scorer, len(pairs))
    for result in run(cast("Iterable[ScoreTask]", tasks)):
        assert isinstance(result, RateResult)
        _note(rated[None], result.rows)
        for output, rows in result.outputs.items():
            _note(rated[output], rows)
    return rated


def _unrated(scorer: Scorer, count: int) -> dict[str | None, NDArray[np.float64]]:
    return {output: np.full(count, np.nan) for output in (None, *scorer.outputs)}


def _note(values: NDArray[np.float64], rows: Iterable[Row]) -> None:
    for place, value, _, _ in rows:
        if value is not None:
            values[place] = value


def rate(
    session: Session, executor: Choice, label: str, scorer: Scorer, pairs: ShuffledPairs
) -> Rated:
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
    configured: ConfiguredComponent,
    pairs: ShuffledPairs,
    call_settings: CallSettings,
) -> tuple[Rated, NDArray[np.bool_], str | None]:
    """Return the same of a scorer that asks a service, which are asked (m,), and why not all.

    Raises:
        NotRatedError: the service cannot be asked, or refuses.
    """
    task = _ShuffledRatingTask(session, configured, pairs)
    try:
        result = run_call_tasks(session, [task], call_settings)
    except Ig4Error as error:
        raise NotRatedError(str(error)) from None
    return task.rated, task.asked, result.why_open("sample")


class _ShuffledRatingTask(CallTask[Sample, Score | Failure]):
    """The samples with their new answers, for a scorer that asks a service."""

    def __init__(
        self,
        session: Session,
        configured: ConfiguredComponent,
        pairs: ShuffledPairs,
    ) -> None:
        self.session = session
        self.label = configured.label
        self.component = self.scorer = cast("AsyncScorer", configured.component)
        self.component_id = session.component_id(configured.fingerprint)
        self.fingerprint = configured.fingerprint.value
        self.pairs = pairs
        self.places = list(range(len(pairs)))
        self.rated = _unrated(self.scorer, len(pairs))
        self.asked = np.zeros(len(pairs), dtype=bool)

    def units(self, places: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        for place in places:
            yield place, self.pairs.sample(place)

    async def answer(self, unit: Sample, ask: Ask) -> Score | Failure:
        if self.scorer.needs_answer and not unit.answer.strip():
            return Failure(EMPTY_ANSWER)
        return await answer_or_failure(self.label, self.scorer.rate, unit, ask)

    def commit(self, answers: Sequence[tuple[int, Score | Failure]]) -> int:
        rows = [score_row(place, answer) for place, answer in answers]
        self.asked[[place for place, _ in answers]] = True
        _note(self.rated[None], rows)
        for output, own in output_rows(self.label, self.scorer.outputs, answers).items():
            _note(self.rated[output], own)
        return sum(error not in (None, NO_IMAGE) for _, _, error, _ in rows)


def _vectors(session: Session, scorer: Scorer, pairs: ShuffledPairs) -> Mapping[int, Vector] | None:
    """Return the stored embeddings of the images of samples, for a scorer that reads them."""
    choice = scorer.embedder()
    if choice is None:
        return None
    component = session.component_id(session.configured(choice).fingerprint)
    with session.store.reading() as connection:
        folder = session.store.vectors
        return dict(reading.of_images(connection, folder, component, pairs.image_ids()))
