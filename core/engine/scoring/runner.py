"""Runs scoring tasks on an executor, and commits what comes back: a task, a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Embedder, Executor, Run, Scorer
from ig4.core.engine.scoring.taskbuilder import TaskBuilder
from ig4.core.engine.scoring.tasks import ScoreTask, ScoreTaskResult
from ig4.core.engine.scoring.work import ScoreWork
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.storage import scores
from ig4.storage.connect import repeat_if_lost

if TYPE_CHECKING:
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice

STAGE = "score"


class ScoreRunner:
    """One pass of an executor over a plan."""

    def __init__(self, session: Session, plan: ScoringPlan) -> None:
        self.session = session
        self.plan = plan
        self.scorers = {
            label: cast("Scorer", pending.configured.component)
            for label, pending in plan.batched.items()
            if len(pending.places)
        }
        self.embedders = {
            label: cast("Embedder", pending.configured.component)
            for label, pending in plan.embedders.items()
            if len(pending.places)
        }
        self.builder = TaskBuilder(session.store, plan, self.scorers, self.embedders)
        self._bound = False

    def run(self, choice: Choice) -> None:
        """Work through all places, then through those that had to wait for an embedding."""
        embedder_of = self.plan.embedder_of
        work = ScoreWork(
            self.scorers,
            self.embedders,
            {label: embedder_of[label] for label in self.scorers if label in embedder_of},
            {label: embedder.batch_size for label, embedder in self.embedders.items()},
        )
        executor = cast("Executor", self.session.host.build(choice))
        places = self.plan.places
        self.session.emit(StageStarted(STAGE, len(places)))
        executor.open()
        try:
            with executor.start(work) as run:
                while places:
                    self._run_wave(run, places)
                    places = self.builder.take_postponed()
        finally:
            executor.close()
        self.session.emit(StageFinished(STAGE, self._summary()))

    def _run_wave(self, run: Run[ScoreTask, ScoreTaskResult], places: Sequence[int]) -> None:
        finished: list[int] = []  # by each task on its way, oldest first
        for result in run(self._tasks(places, finished)):
            commit = partial(self._commit, result, finished.pop(0))
            repeat_if_lost(commit, idempotent=True)

    def _tasks(self, places: Sequence[int], finished: list[int]) -> Iterator[ScoreTask]:
        size = self.builder.size
        for start in range(0, len(places), size):
            task, count = self.builder.build(places[start : start + size])
            finished.append(count)
            yield task

    def _commit(self, result: ScoreTaskResult, finished: int) -> None:
        session, plan = self.session, self.plan
        with session.store.writing() as connection:
            if not self._bound:
                for label in self.scorers:
                    component_id = plan.scorers[label].component_id
                    scores.bind(connection, plan.dataset.id, label, component_id)
            for label, vectors in result.embeddings.items():
                component_id = plan.embedders[label].component_id
                scores.put_embeddings(connection, component_id, session.run_id, vectors)
            for label, rows in result.scores.items():
                component_id = plan.scorers[label].component_id
                scores.put(connection, component_id, session.run_id, rows)
        self._bound = True
        self.builder.committed(result.embeddings)
        failed = 0
        for label, rows in result.scores.items():
            errors = sum(row[2] is not None for row in rows)
            failed += errors
            if rows:
                session.emit(BatchScored(label, len(rows), errors))
        session.emit(StageAdvanced(STAGE, finished, failed))
        self._record_speed(result)

    def _record_speed(self, result: ScoreTaskResult) -> None:
        """Add what each component took, for later estimates."""
        for label, seconds in result.seconds.items():
            pending = self.plan.embedders.get(label) or self.plan.scorers[label]
            done = len(result.embeddings.get(label) or result.scores.get(label, ()))
            total = self.session.speeds.setdefault(pending.configured.fingerprint.value, [0.0, 0.0])
            total[0] += done
            total[1] += seconds

    def _summary(self) -> str:
        return ", ".join(
            f"{label} {count:,}"
            for label, count in self.plan.calls.items()
            if count and label not in self.plan.asking
        )
