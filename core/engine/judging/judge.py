"""The judging stage: both orders of every pair go to a judge, every verdict to the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from ig4.core.calls.asking import Asked, Asking, ask_all, spared
from ig4.core.chunks import chunks
from ig4.core.contracts import AsyncJudge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.engine.batchwise import answered
from ig4.core.engine.ingesting.texts import storable
from ig4.core.engine.judging.plan import Docket, JudgeWish, Showing, docket_of, row_of
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
class Judged:
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
    asked: Asked | None = None

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


def judge(session: Session, wish: JudgeWish) -> Judged:
    """Judge every pair in both orders, or go on where an earlier call was stopped or killed.

    Raises:
        UsageError: an unknown judge or option.
        DatasetError: a file cannot be read, or its ids fit nothing.
        ServiceError, PrerequisiteError: as the judge.
    """
    docket = docket_of(session, wish)
    config: dict[str, JSON] = {
        "judge": docket.configured.label,
        "options": docket.configured.fingerprint.identity,
        "first": docket.labels[0],
        "second": docket.labels[1],
        "questions": storable(str(wish.questions)),
    }
    with session.recorded("judge", config, wish.seed), _begun(session, docket) as number:
        if wish.renew:
            with session.store.writing() as connection:
                judgements.forget_failures(connection, number)
        with session.store.reading() as connection:
            left = docket.left(judgements.verdicts(connection, number))
        asked = _work(session, docket, number, left, wish)
        return _conclude(session, docket, number, wish, asked, len(left))


def estimate(session: Session, wish: JudgeWish) -> JudgeEstimate:
    """Tell what judging would do; nobody is asked.

    Raises:
        UsageError, DatasetError: as `judge`.
    """
    docket = docket_of(session, wish)
    with session.store.reading() as connection:
        number = judgements.find(connection, docket.inputs)
        rows = judgements.verdicts(connection, number) if number is not None else []
    if wish.renew:
        rows = [row for row in rows if row[6] is None]
    left = [one for one in docket.left(rows) if one.problem is None]
    asking = None
    if isinstance(docket.judge, AsyncJudge) and left:
        judging = Judging(session, docket, 0, left)
        asking = estimate_calls(session, judging, wish.terms, renew=wish.renew)
    return JudgeEstimate(docket.configured.label, len(docket.showings) // 2, len(left), asking)


def concluded(
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


class Judging(Asking[Pair, Verdict | Failure]):
    """Showings that an async judge has yet to see, known by their place in the list."""

    unit: ClassVar[str] = "verdicts"

    def __init__(
        self, session: Session, docket: Docket, number: int, showings: Sequence[Showing]
    ) -> None:
        self.session = session
        self.number = number
        self.showings = showings
        self.label = docket.configured.label
        self.judge = self.component = cast("AsyncJudge", docket.judge)
        self.component_id = docket.component_id
        self.fingerprint = docket.configured.fingerprint.value
        self.places = range(len(showings))

    def units(self, places: Sequence[int]) -> Iterator[tuple[int, Pair]]:
        """Yield (place, pair as shown)."""
        for place in places:
            yield place, self.showings[place].shown

    async def answer(self, unit: Pair, ask: Ask) -> Verdict | Failure:
        """Judge one showing; raises as `Asking.answer`."""
        return await spared(self.label, self.judge.judge, unit, ask)

    def commit(self, answers: Sequence[tuple[int, Verdict | Failure]]) -> int:
        """Store verdicts; returns how many are failures."""
        rows = [row_of(self.showings[place], answer) for place, answer in answers]
        return _put(self.session, self.number, rows)


@contextmanager
def _begun(session: Session, docket: Docket) -> Iterator[int]:
    """Give the judgement's id, and keep how it ended if it does not come to its end."""
    with session.store.writing() as connection:
        number = judgements.begin(
            connection,
            component_id=docket.component_id,
            name=docket.configured.label,
            first=docket.labels[0],
            second=docket.labels[1],
            inputs=docket.inputs,
            pairs=len(docket.showings) // 2,
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
                error=None if interrupted else storable(told)[:2000],
            )  # fmt: skip
        raise


def _work(
    session: Session, docket: Docket, number: int, left: Sequence[Showing], wish: JudgeWish
) -> Asked | None:
    """Get the verdicts that are missing; returns what came of asking, if a service was asked."""
    hopeless = [row_of(one, Failure(one.problem)) for one in left if one.problem is not None]
    _put(session, number, hopeless)
    todo = [one for one in left if one.problem is None]
    if not todo:
        return None
    if isinstance(docket.judge, AsyncJudge):
        judging = Judging(session, docket, number, todo)
        return ask_all(session, [judging], wish.terms, renew=wish.renew)
    _compare(session, docket, number, todo)
    return None


def _compare(session: Session, docket: Docket, number: int, todo: Sequence[Showing]) -> None:
    """Have a judge that asks nobody compare, a batch and a transaction at a time."""
    label, component = docket.configured.label, docket.judge
    began = time.perf_counter()
    session.emit(StageStarted(label, len(todo), Judging.unit))
    component.open()
    try:
        for batch in chunks(todo, max(1, component.batch_size)):
            given = answered(
                component.compare, [one.shown for one in batch], Verdict,
                kind="judge", label=label, unit="pair",
            )  # fmt: skip
            rows = [row_of(one, answer) for one, answer in zip(batch, given, strict=True)]
            failed = _put(session, number, rows)
            session.emit(BatchScored(label, len(rows), failed))
            session.emit(StageAdvanced(label, len(rows), failed))
    finally:
        component.close()
    spent = time.perf_counter() - began
    session.speeds[docket.configured.fingerprint.value] = [float(len(todo)), spent]
    session.emit(StageFinished(label))


def _put(session: Session, number: int, rows: Sequence[VerdictRow]) -> int:
    if rows:
        with session.store.writing() as connection:
            judgements.put_verdicts(connection, number, rows)
    return sum(row[6] is not None for row in rows)


def _conclude(
    session: Session, docket: Docket, number: int, wish: JudgeWish, asked: Asked | None, left: int
) -> Judged:
    with session.store.reading() as connection:
        rows = judgements.verdicts(connection, number)
    pairs = list(dict.fromkeys(one.key[0] for one in docket.showings))
    summary, lacking = concluded(rows, pairs, seed=wish.seed)
    if summary.failed:
        session.failures[docket.configured.label] = summary.failed
    with session.store.writing() as connection:
        status = "partial" if summary.failed or lacking else "done"
        judgements.finish(connection, number, status, summary=summary.to_dict())
    return Judged(
        id=number,
        judge=docket.configured.label,
        first=docket.labels[0],
        second=docket.labels[1],
        pairs=len(pairs),
        new=left - len(docket.left(rows)),
        open=lacking,
        summary=summary,
        asked=asked,
    )


def _verdict(row: VerdictRow) -> Verdict:
    assert row[3] is not None
    assert row[4] is not None
    return Verdict(row[3], row[4], row[5] or "")
