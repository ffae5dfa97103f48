"""The judging stage: both orders of every pair go to a judge, every verdict to the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from ig4.core.calls.asking import CallsResult, CallTask, answer_or_failure, run_call_tasks
from ig4.core.chunks import chunks
from ig4.core.contracts import AsyncJudge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.engine.batchwise import answer_batch
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.engine.judging.plan import (
    JudgeRequest,
    JudgingPlan,
    OrderedPair,
    make_plan,
    verdict_row,
)
from ig4.core.engine.scoring.estimate import CallEstimate, estimate_calls
from ig4.core.errors import Ig4Error
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.core.records import JSON, Failure
from ig4.core.statistics.verdicts import JudgedPair, Summary, summarise
from ig4.storage import judgements

if TYPE_CHECKING:
    from ig4.core.contracts import Ask
    from ig4.core.engine.session import Session
    from ig4.storage.judgements import VerdictRow


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """What a judgement has come to.

    `new` verdicts were made now. `open` pairs still lack a verdict (a limit was reached, or
    batches are at work); `summary.failed` pairs have one that failed. Neither counts otherwise.
    """

    id: int
    judge: str
    first: str
    second: str
    pairs: int
    new: int
    open: int
    summary: Summary
    asked: CallsResult | None = None

    @property
    def stopped(self) -> str | None:
        """Why pairs are still open, in a sentence; None if none is."""
        if self.asked is None or not self.open:
            return None
        if self.asked.stopped is None and self.asked.waiting:
            return f"{sum(self.asked.waiting.values()):,} verdicts wait for batches"
        return self.asked.stopped


@dataclass(frozen=True, slots=True)
class JudgeEstimate:
    """What judging would do: verdicts still to be made, and what asking for them comes to."""

    judge: str
    pairs: int
    verdicts: int
    asking: CallEstimate | None


def judge(session: Session, request: JudgeRequest) -> JudgeResult:
    """Judge every pair in both orders, or go on where an earlier call was stopped or killed.

    Raises:
        UsageError: an unknown judge or option.
        DatasetError: a file cannot be read, or its ids fit nothing.
        ServiceError, PrerequisiteError: as the judge.
    """
    judging_plan = make_plan(session, request)
    config: dict[str, JSON] = {
        "judge": judging_plan.configured.label,
        "options": judging_plan.configured.fingerprint.identity,
        "first": judging_plan.labels[0],
        "second": judging_plan.labels[1],
        "questions": sanitize(str(request.questions)),
    }
    with session.recorded("judge", config, request.seed), _begun(session, judging_plan) as number:
        if request.renew:
            with session.store.writing() as connection:
                judgements.delete_failures(connection, number)
        with session.store.reading() as connection:
            left = judging_plan.left(judgements.verdicts(connection, number))
        asked = _work(session, judging_plan, number, left, request)
        return _conclude(session, judging_plan, number, request, asked, len(left))


def estimate(session: Session, request: JudgeRequest) -> JudgeEstimate:
    """Tell what judging would do; nobody is asked.

    Raises:
        UsageError, DatasetError: as `judge`.
    """
    judging_plan = make_plan(session, request)
    with session.store.reading() as connection:
        number = judgements.find(connection, judging_plan.inputs)
        rows = judgements.verdicts(connection, number) if number is not None else []
    if request.renew:
        rows = [row for row in rows if row[6] is None]
    left = [one for one in judging_plan.left(rows) if one.problem is None]
    asking = None
    if isinstance(judging_plan.judge, AsyncJudge) and left:
        judging = JudgingTask(session, judging_plan, 0, left)
        asking = estimate_calls(session, judging, request.call_settings, renew=request.renew)
    return JudgeEstimate(
        judging_plan.configured.label, len(judging_plan.ordered_pairs) // 2, len(left), asking
    )


def summarise_verdicts(
    rows: Sequence[VerdictRow], pairs: Sequence[str] | None = None, *, seed: int = 42
) -> tuple[Summary, int]:
    """Return what stored verdicts come to, and how many of `pairs` still lack one.

    Pairs come in the order of `pairs` (ids), by default of the rows; a pair with a failed verdict
    counts as failed and nowhere else.
    """
    by_pair: dict[str, list[VerdictRow]] = {}
    for row in rows:
        by_pair.setdefault(row[0], []).append(row)
    judged, failed, lacking = [], 0, 0
    for name in by_pair if pairs is None else pairs:
        found = by_pair.get(name, [])
        if any(row[6] is not None for row in found):
            failed += 1
        elif len(found) < 2:
            lacking += 1
        else:
            given, swapped = sorted(found, key=lambda row: row[1])
            judged.append(JudgedPair(given[2], _verdict(given), _verdict(swapped)))
    return summarise(judged, failed, seed=seed), lacking


class JudgingTask(CallTask[Pair, Verdict | Failure]):
    """Showings that an async judge has yet to see, known by their place in the list."""

    unit: ClassVar[str] = "verdicts"

    def __init__(
        self,
        session: Session,
        judging_plan: JudgingPlan,
        number: int,
        ordered_pairs: Sequence[OrderedPair],
    ) -> None:
        self.session = session
        self.number = number
        self.ordered_pairs = ordered_pairs
        self.label = judging_plan.configured.label
        self.judge = self.component = cast("AsyncJudge", judging_plan.judge)
        self.component_id = judging_plan.component_id
        self.fingerprint = judging_plan.configured.fingerprint.value
        self.places = range(len(ordered_pairs))

    def units(self, places: Sequence[int]) -> Iterator[tuple[int, Pair]]:
        """Yield (place, pair as shown)."""
        for place in places:
            yield place, self.ordered_pairs[place].shown

    async def answer(self, unit: Pair, ask: Ask) -> Verdict | Failure:
        """Judge one showing; raises as `Asking.answer`."""
        return await answer_or_failure(self.label, self.judge.judge, unit, ask)

    def commit(self, answers: Sequence[tuple[int, Verdict | Failure]]) -> int:
        """Store verdicts; returns how many are failures."""
        rows = [verdict_row(self.ordered_pairs[place], answer) for place, answer in answers]
        return _put(self.session, self.number, rows)


@contextmanager
def _begun(session: Session, judging_plan: JudgingPlan) -> Iterator[int]:
    """Give the judgement's id, and keep how it ended if it does not come to its end."""
    with session.store.writing() as connection:
        number = judgements.begin(
            connection,
            component_id=judging_plan.component_id,
            name=judging_plan.configured.label,
            first=judging_plan.labels[0],
            second=judging_plan.labels[1],
            inputs=judging_plan.inputs,
            pairs=len(judging_plan.ordered_pairs) // 2,
            run_id=session.run_id,
        )
    try:
        yield number
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        told = str(error) if isinstance(error, Ig4Error) else f"{type(error).__name__}: {error}"
        with session.store.writing() as connection:
            judgements.finish(
                connection, number, "interrupted" if interrupted else "failed",
                error=None if interrupted else sanitize(told)[:2000],
            )  # fmt: skip
        raise


def _work(
    session: Session,
    judging_plan: JudgingPlan,
    number: int,
    left: Sequence[OrderedPair],
    request: JudgeRequest,
) -> CallsResult | None:
    """Get the verdicts that are missing; returns what came of asking, if a service was asked."""
    hopeless = [verdict_row(one, Failure(one.problem)) for one in left if one.problem is not None]
    _put(session, number, hopeless)
    todo = [one for one in left if one.problem is None]
    if not todo:
        return None
    if isinstance(judging_plan.judge, AsyncJudge):
        judging = JudgingTask(session, judging_plan, number, todo)
        return run_call_tasks(session, [judging], request.call_settings, renew=request.renew)
    _compare(session, judging_plan, number, todo)
    return None


def _compare(
    session: Session, judging_plan: JudgingPlan, number: int, todo: Sequence[OrderedPair]
) -> None:
    """Have a judge that asks nobody compare, a batch and a transaction at a time."""
    label, component = judging_plan.configured.label, judging_plan.judge
    began = time.perf_counter()
    session.emit(StageStarted(label, len(todo), JudgingTask.unit))
    component.open()
    try:
        for batch in chunks(todo, max(1, component.batch_size)):
            given = answer_batch(
                component.compare, [one.shown for one in batch], Verdict,
                kind="judge", label=label, unit="pair",
            )  # fmt: skip
            rows = [verdict_row(one, answer) for one, answer in zip(batch, given, strict=True)]
            failed = _put(session, number, rows)
            session.emit(BatchScored(label, len(rows), failed))
            session.emit(StageAdvanced(label, len(rows), failed))
    finally:
        component.close()
    spent = time.perf_counter() - began
    session.speeds[judging_plan.configured.fingerprint.value] = [float(len(todo)), spent]
    session.emit(StageFinished(label))


def _put(session: Session, number: int, rows: Sequence[VerdictRow]) -> int:
    if rows:
        with session.store.writing() as connection:
            judgements.put_verdicts(connection, number, rows)
    return sum(row[6] is not None for row in rows)


def _conclude(
    session: Session,
    judging_plan: JudgingPlan,
    number: int,
    request: JudgeRequest,
    asked: CallsResult | None,
    left: int,
) -> JudgeResult:
    with session.store.reading() as connection:
        rows = judgements.verdicts(connection, number)
    pairs = list(dict.fromkeys(one.key[0] for one in judging_plan.ordered_pairs))
    summary, lacking = summarise_verdicts(rows, pairs, seed=request.seed)
    if summary.failed:
        session.failures[judging_plan.configured.label] = summary.failed
    with session.store.writing() as connection:
        status = "partial" if summary.failed or lacking else "done"
        judgements.finish(connection, number, status, summary=summary.to_dict())
    return JudgeResult(
        id=number,
        judge=judging_plan.configured.label,
        first=judging_plan.labels[0],
        second=judging_plan.labels[1],
        pairs=len(pairs),
        new=left - len(judging_plan.left(rows)),
        open=lacking,
        summary=summary,
        asked=asked,
    )


def _verdict(row: VerdictRow) -> Verdict:
    assert row[3] is not None
    assert row[4] is not None
    return Verdict(row[3], row[4], row[5] or "")
