"""The judging stage: both orders of every pair go to a judge, every verdict to the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from ig4.core.calls.running.runner import CallsResult, run_call_tasks
from ig4.core.calls.running.streaks import FailureStreak
from ig4.core.calls.running.task import CallTask, answer_or_failure
from ig4.core.chunks import chunks
from ig4.core.contracts import AsyncJudge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.engine.batchwise import answer_batch
from ig4.core.engine.ending import record_failure
from ig4.core.engine.judging.plan import (
    JudgeRequest,
    JudgingPlan,
    OrderedPair,
    make_plan,
    verdict_row,
)
from ig4.core.engine.scoring.estimate import CallEstimate, estimate_calls
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.core.host.watch import open_named
from ig4.core.records import JSON, Failure
from ig4.core.statistics.verdicts import JudgedPair, Summary, summarise
from ig4.core.texts import sanitize
from ig4.storage import judgements

if TYPE_CHECKING:
    from ig4.core.contracts import Ask
    from ig4.core.engine.session import Session
    from ig4.storage.judgements import VerdictRow


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """The result of a judgement.

    `new` verdicts were made by this call. `open` pairs still lack a verdict (a limit was reached,
    or batches are not finished); `summary.failed` pairs have one that failed. Neither counts
    anywhere else. `asked` is the result of the calls to a service, None if there were none.
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
        """Why pairs are still open, in one sentence; None if no pair is."""
        if self.asked is None or not self.open:
            return None
        return self.asked.why_open("verdict")


@dataclass(frozen=True, slots=True)
class JudgeEstimate:
    """How many verdicts are still to be made, and what the calls for them would cost."""

    judge: str
    pairs: int
    verdicts: int
    asking: CallEstimate | None


def judge(session: Session, request: JudgeRequest) -> JudgeResult:
    """Judge every pair in both orders; resumes a judgement that was stopped or killed.

    Raises:
        UsageError: an unknown judge or option.
        DatasetError: a file cannot be read, or none of its ids matches a question.
        ServiceError, PrerequisiteError: as the judge.
    """
    plan = make_plan(session, request)
    config: dict[str, JSON] = {
        "judge": plan.configured.label,
        "options": plan.configured.fingerprint.identity,
        "first": plan.labels[0],
        "second": plan.labels[1],
        "questions": sanitize(str(request.questions)),
    }
    with session.recorded("judge", config, request.seed):
        number = _begin(session, plan)
        with record_failure(session, judgements.finish, number):
            if request.renew:
                with session.store.writing() as connection:
                    judgements.delete_failures(connection, number)
            with session.store.reading() as connection:
                missing = plan.missing(judgements.verdicts(connection, number))
            calls = _get_verdicts(session, plan, number, missing, request)
            return _finish(session, plan, number, request, calls, len(missing))


def estimate(session: Session, request: JudgeRequest) -> JudgeEstimate:
    """Estimate what judging would take; no request is sent.

    Raises:
        UsageError, DatasetError: as `judge`.
    """
    plan = make_plan(session, request)
    with session.store.reading() as connection:
        number = judgements.find(connection, plan.inputs)
        rows = judgements.verdicts(connection, number) if number is not None else []
    if request.renew:
        rows = [row for row in rows if row[6] is None]
    missing = [pair for pair in plan.missing(rows) if pair.problem is None]
    calls = None
    if isinstance(plan.judge, AsyncJudge) and missing:
        task = JudgingTask(session, plan, 0, missing)
        calls = estimate_calls(session, task, request.call_settings, renew=request.renew)
    return JudgeEstimate(plan.configured.label, len(plan.ordered_pairs) // 2, len(missing), calls)


def summarise_verdicts(
    rows: Sequence[VerdictRow], pairs: Sequence[str] | None = None, *, seed: int = 42
) -> tuple[Summary, int]:
    """Summarise stored verdicts; returns the summary and how many of `pairs` still lack a verdict.

    Pairs come in the order of `pairs` (ids), by default in that of the rows; a pair with a failed
    verdict counts as failed and nowhere else.
    """
    by_pair: dict[str, list[VerdictRow]] = {}
    for row in rows:
        by_pair.setdefault(row[0], []).append(row)
    judged, failed, lacking = [], 0, 0
    for name in by_pair if pairs is None else pairs:
        verdicts = by_pair.get(name, [])
        if any(row[6] is not None for row in verdicts):
            failed += 1
        elif len(verdicts) < 2:
            lacking += 1
        else:
            given, swapped = sorted(verdicts, key=lambda row: row[1])
            judged.append(JudgedPair(given[2], _verdict(given), _verdict(swapped)))
    return summarise(judged, failed, seed=seed), lacking


class JudgingTask(CallTask[Pair, Verdict | Failure]):
    """The ordered pairs that an async judge has yet to see, numbered by their place in the list."""

    unit: ClassVar[str] = "verdicts"

    def __init__(
        self,
        session: Session,
        plan: JudgingPlan,
        number: int,
        ordered_pairs: Sequence[OrderedPair],
    ) -> None:
        self.session = session
        self.number = number
        self.ordered_pairs = ordered_pairs
        self.label = plan.configured.label
        self.judge = self.component = cast("AsyncJudge", plan.judge)
        self.component_id = plan.component_id
        self.fingerprint = plan.configured.fingerprint.value
        self.places = range(len(ordered_pairs))

    def units(self, places: Sequence[int]) -> Iterator[tuple[int, Pair]]:
        """Yield (place, pair as shown)."""
        for place in places:
            yield place, self.ordered_pairs[place].shown

    async def answer(self, unit: Pair, ask: Ask) -> Verdict | Failure:
        """Judge one ordered pair; raises as `CallTask.answer`."""
        return await answer_or_failure(self.label, self.judge.judge, unit, ask)

    def commit(self, answers: Sequence[tuple[int, Verdict | Failure]]) -> int:
        """Store verdicts; returns how many are failures."""
        rows = [verdict_row(self.ordered_pairs[place], answer) for place, answer in answers]
        return _put(self.session, self.number, rows)


def _begin(session: Session, plan: JudgingPlan) -> int:
    """Return the id of the judgement, a new one or the one that an earlier call began."""
    with session.store.writing() as connection:
        return judgements.begin(
            connection,
            component_id=plan.component_id,
            name=plan.configured.label,
            first=plan.labels[0],
            second=plan.labels[1],
            inputs=plan.inputs,
            pairs=len(plan.ordered_pairs) // 2,
            run_id=session.run_id,
        )


def _get_verdicts(
    session: Session,
    plan: JudgingPlan,
    number: int,
    missing: Sequence[OrderedPair],
    request: JudgeRequest,
) -> CallsResult | None:
    """Get the missing verdicts; returns the result of the calls, if the judge calls a service."""
    failures = [
        verdict_row(pair, Failure(pair.problem)) for pair in missing if pair.problem is not None
    ]
    _put(session, number, failures)
    todo = [pair for pair in missing if pair.problem is None]
    if not todo:
        return None
    if isinstance(plan.judge, AsyncJudge):
        task = JudgingTask(session, plan, number, todo)
        return run_call_tasks(session, [task], request.call_settings, renew=request.renew)
    _compare(session, plan, number, todo, request.call_settings.stop_after)
    return None


def _compare(
    session: Session,
    plan: JudgingPlan,
    number: int,
    todo: Sequence[OrderedPair],
    stop_after: int,
) -> None:
    """Let a judge that calls no service compare; each batch is committed on its own.

    Raises:
        FailingError: it failed `stop_after` times in a row.
    """
    streak = FailureStreak(plan.configured.label, stop_after)
    label, component = plan.configured.label, plan.judge
    start = time.perf_counter()
    session.emit(StageStarted(label, len(todo), JudgingTask.unit))
    open_named(component, label)
    try:
        for batch in chunks(todo, max(1, component.batch_size)):
            answers = answer_batch(
                component.compare, [pair.shown for pair in batch], Verdict,
                kind="judge", label=label, unit="pair",
            )  # fmt: skip
            rows = [verdict_row(pair, answer) for pair, answer in zip(batch, answers, strict=True)]
            failed = _put(session, number, rows)
            session.emit(BatchScored(label, len(rows), failed))
            session.emit(StageAdvanced(label, len(rows), failed))
            streak.add(one.reason if isinstance(one, Failure) else None for one in answers)
            if streak.is_over:
                raise streak.error()
    finally:
        component.close()
    seconds = time.perf_counter() - start
    session.speeds[plan.configured.fingerprint.value] = [float(len(todo)), seconds]
    session.emit(StageFinished(label))


def _put(session: Session, number: int, rows: Sequence[VerdictRow]) -> int:
    if rows:
        with session.store.writing() as connection:
            judgements.put_verdicts(connection, number, rows)
    return sum(row[6] is not None for row in rows)


def _finish(
    session: Session,
    plan: JudgingPlan,
    number: int,
    request: JudgeRequest,
    calls: CallsResult | None,
    missing: int,
) -> JudgeResult:
    """Record the summary of all verdicts; `missing` were missing when this call began."""
    with session.store.reading() as connection:
        rows = judgements.verdicts(connection, number)
    pairs = list(dict.fromkeys(pair.key[0] for pair in plan.ordered_pairs))
    summary, lacking = summarise_verdicts(rows, pairs, seed=request.seed)
    if summary.failed:
        session.failures[plan.configured.label] = summary.failed
    with session.store.writing() as connection:
        status = "partial" if summary.failed or lacking else "done"
        judgements.finish(connection, number, status, summary=summary.to_dict())
    return JudgeResult(
        id=number,
        judge=plan.configured.label,
        first=plan.labels[0],
        second=plan.labels[1],
        pairs=len(pairs),
        new=missing - len(plan.missing(rows)),
        open=lacking,
        summary=summary,
        asked=calls,
    )


def _verdict(row: VerdictRow) -> Verdict:
    assert row[3] is not None
    assert row[4] is not None
    return Verdict(row[3], row[4], row[5] or "")
