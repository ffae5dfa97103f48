"""Runs scoring tasks on an executor, and commits what comes back: a task, a transaction."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from ig4.core.calls.running.streaks import FailureStreak
from ig4.core.contracts import Embedder, Executor, Run, Scorer
from ig4.core.engine.estimating.devices import device_of
from ig4.core.engine.scoring import ownresults, storing
from ig4.core.engine.scoring.pending import PendingTexts
from ig4.core.engine.scoring.sharing.claiming import ClaimLostError, Claims, insist
from ig4.core.engine.scoring.sharing.claimqueue import ClaimQueue
from ig4.core.engine.scoring.taskbuilder import TaskBuilder
from ig4.core.engine.scoring.tasks import (
    EmbedResult,
    EmbedTextResult,
    RateResult,
    ScoreTask,
    ScoreTaskResult,
)
from ig4.core.engine.scoring.vectormoves import VectorMoves
from ig4.core.engine.scoring.work import ScoreWork
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.storage import scores, spaces
from ig4.storage.vectors.moving import IMAGES, INPUTS

if TYPE_CHECKING:
    from ig4.core.engine.scoring.batches import Batch, BatchTable
    from ig4.core.engine.scoring.pending import PendingWork
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice

C = TypeVar("C")

OpenRun: TypeAlias = "Run[ScoreTask, ScoreTaskResult]"
LastCall: TypeAlias = Callable[[OpenRun, Mapping[str, Scorer]], None]
"""What is done with scorers by label while they are open in a run."""

LOAD = "loading"
"""The stage in which models are loaded."""


class ScoreRunner:
    """One pass of an executor over a plan: embedders, scorers, then scorers of embeddings.

    Other processes may do the same at the same time: each batch is computed by one of them, and
    `others` counts by scorer what they did. The pass is over when everything is in the store.
    """

    def __init__(self, session: Session, plan: ScoringPlan, stop_after: int) -> None:
        self.session = session
        self.plan = plan
        self.scorers: dict[str, Scorer] = _with_work(plan.batched)
        self.embedders: dict[str, Embedder] = _with_work(plan.embedders)
        self.builder = TaskBuilder(session.store, plan, self.scorers, self.embedders)
        self.claims = Claims(session, plan.dataset.id)
        self.others: Counter[str] = Counter()
        self._moves = VectorMoves(session)
        self._flight: deque[Batch] = deque()
        self._bound: set[str] = set()
        self._stages = {
            **{label: plan.scorers[label].configured.label for label in self.scorers},
            **{
                one: f"{plan.embedders[one].configured.label} {self._unit(one)}"
                for one in self.embedders
            },
        }
        self._streaks = {
            label: FailureStreak(stage, stop_after) for label, stage in self._stages.items()
        }

    def run(self, choice: Choice, last: LastCall | None = None) -> None:
        """Work through all batches; `last` is called while the scorers are still open.

        Raises:
            FailingError: a component failed on everything; the others have done their work.
            PrerequisiteError, PluginError: as the components.
        """
        names = {one: self.plan.embedders[one].configured.label for one in self.embedders}
        executor = cast("Executor", self.session.host.build(choice))
        loaded = list(dict.fromkeys([*names.values(), *self.scorers]))
        self.session.emit(StageStarted(LOAD, None, "models"))
        executor.open()
        try:
            work = ScoreWork(self.scorers, self.embedders, names)
            with executor.start(work) as run, self.claims.opened():
                self.session.emit(StageFinished(LOAD, ", ".join(loaded)))
                self._run_wave(run, self.builder.first_batches(), self._first_stages())
                # Only now is every embedding in the store that the others read.
                self._run_wave(run, self.builder.last_batches(), self._last_stages())
                if last is not None:
                    last(run, self._working())
        finally:
            executor.close()
        self._moves.finish()
        for streak in self._streaks.values():
            if streak.is_over:
                raise streak.error()

    def _unit(self, label: str) -> str:
        """Return what a component sees: samples, or images or texts for an embedder."""
        if label not in self.embedders:
            return "samples"
        return "texts" if isinstance(self.plan.embedders[label], PendingTexts) else "images"

    def _working(self) -> dict[str, Scorer]:
        """Return the scorers that were not stopped."""
        return {
            label: scorer for label, scorer in self.scorers.items() if not self._is_stopped(label)
        }

    def _first_stages(self) -> dict[str, PendingWork]:
        own = {one: self.plan.scorers[one] for one in self.scorers if not self._reads_vectors(one)}
        return {**{one: self.plan.embedders[one] for one in self.embedders}, **own}

    def _last_stages(self) -> dict[str, PendingWork]:
        return {one: self.plan.scorers[one] for one in self.scorers if self._reads_vectors(one)}

    def _reads_vectors(self, scorer: str) -> bool:
        return scorer in self.plan.embedder_of

    def _run_wave(self, run: OpenRun, table: BatchTable, stages: Mapping[str, PendingWork]) -> None:
        for label, pending in stages.items():
            stage = StageStarted(self._stages[label], len(pending.places), self._unit(label))
            self.session.emit(stage)
        queue = ClaimQueue(self.claims, self.plan, table, self._is_stopped, self._tell)
        while queue.advance():
            for result in run(self._tasks(queue)):
                self._commit(queue, result)
        self.others += queue.others
        for label in stages:
            if not self._is_stopped(label):
                self._bind(label)
            summary = "stopped" if self._streaks[label].is_over else ""
            self.session.emit(StageFinished(self._stages[label], summary))

    def _tell(self, label: str, done: int, note: str) -> None:
        """Show what other processes have done, or are waited for."""
        self.session.emit(StageAdvanced(self._stages[label], done, note=note))

    def _tasks(self, queue: ClaimQueue) -> Iterator[ScoreTask]:
        for batch in queue.batches():
            if self._is_stopped(batch.label):
                queue.drop(batch)
                continue
            task = insist(partial(self.builder.build, batch))
            self._flight.append(batch)
            yield task

    def _bind(self, label: str) -> None:
        """Let the name of a scorer stand for it, also where others have done all its batches."""
        if label not in self.scorers or label in self._bound:
            return

        def bind() -> None:
            with self.session.store.writing() as connection:
                storing.bind(connection, self.plan.dataset.id, label, self.plan.scorers[label])

        insist(bind)

    def _is_stopped(self, label: str) -> bool:
        embedder = self.plan.embedder_of.get(label)
        needed = (label,) if embedder is None else (label, embedder)
        return any(one in self._streaks and self._streaks[one].is_over for one in needed)

    def _commit(self, queue: ClaimQueue, result: ScoreTaskResult) -> None:
        """Store the result of the batch handed out first, unless it is another's by now."""
        session, batch = self.session, self._flight.popleft()
        try:
            label, pending = insist(partial(self._store, batch, result))
        except ClaimLostError:
            queue.lose(batch)
            return
        queue.settle(batch)
        self._bound.add(label)
        self._streaks[label].add(result.outcomes)
        self._move_vectors(result, pending)
        done, failed = len(result.rows), result.failed
        if isinstance(result, RateResult):
            session.emit(BatchScored(label, done, failed))
        session.emit(StageAdvanced(self._stages[label], done, failed))
        # What each component took, for later estimates.
        fingerprint = pending.configured.fingerprint.value
        total = session.speeds.setdefault(fingerprint, [0.0, 0.0])
        session.devices.setdefault(fingerprint, device_of(pending.configured.component))
        total[0] += done
        total[1] += result.seconds

    def _move_vectors(self, result: ScoreTaskResult, pending: PendingWork) -> None:
        """Let vectors go into a file, where the database has a folder for them."""
        if isinstance(result, (EmbedResult, EmbedTextResult)):
            table = IMAGES if isinstance(result, EmbedResult) else INPUTS
            size = sum(one.nbytes for _, one in result.rows if not isinstance(one, str))
            self._moves.add(table, pending.component_id, size)

    def _store(self, batch: Batch, result: ScoreTaskResult) -> tuple[str, PendingWork]:
        """Write what a task brought in one transaction; return its component."""
        session, plan = self.session, self.plan
        with session.store.writing() as connection:
            try:
                self.claims.release(connection, batch.span)
            except ClaimLostError:
                # The connection may have been lost after the commit, which stored all of it.
                if not ownresults.is_stored(connection, session.run_id, plan, result):
                    raise
                return ownresults.component_of(plan, result)
            if isinstance(result, EmbedResult):
                images = plan.embedders[result.embedder]
                scores.put_embeddings(connection, images.component_id, session.run_id, result.rows)
                return result.embedder, images
            if isinstance(result, EmbedTextResult):
                texts = plan.embedders[result.embedder]
                spaces.put(connection, texts.component_id, session.run_id, result.rows)
                return result.embedder, texts
            label, pending = result.scorer, plan.scorers[result.scorer]
            if label not in self._bound:
                storing.bind(connection, plan.dataset.id, label, pending)
            storing.put(connection, session.run_id, pending, result.rows, result.outputs)
            return label, pending


def _with_work(pending: Mapping[str, PendingWork]) -> dict[str, C]:
    return {
        label: cast("C", one.configured.component)
        for label, one in pending.items()
        if len(one.places)
    }
