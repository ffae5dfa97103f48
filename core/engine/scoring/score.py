"""The scoring stage: hands what is missing to the executor and commits what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.calls.runner import CallsResult, run_call_tasks
from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import Embedder, Executor, Run, Scorer
from ig4.core.engine.scoring import plan as planning
from ig4.core.engine.scoring.rating import RatingTask
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.scoring.tasks import ImageSource, ScoreTask, ScoreTaskResult, ScoreWork
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.core.records import JSON, Choice
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.samples import SampleRow

STAGE = "score"
LOCAL = Choice("executor", "local")


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What the stage did: by scorer, how many samples now, and how many failed in all.

    `identities` tells what each scorer's results depend on: model, weights, precision, ….
    `asked` is what came of asking services; None where nothing was to be asked.
    """

    dataset: DatasetRow
    done: Mapping[str, int]
    failed: Mapping[str, int]
    embedded: int
    identities: Mapping[str, JSON]
    asked: CallsResult | None = None

    @property
    def stopped(self) -> str | None:
        """Why samples that could be scored are not yet, in a sentence; None if all are."""
        if self.asked is None:
            return None
        waiting = sum(self.asked.waiting.values())
        if self.asked.stopped is None and waiting:
            return f"{waiting:,} samples wait for batches"
        return self.asked.stopped


def score(
    session: Session,
    dataset: DatasetRow,
    scorers: Sequence[Choice],
    *,
    embedders: Sequence[Choice] = (),
    executor: Choice = LOCAL,
    call_settings: CallSettings | None = None,
    retry_failed: bool = False,
    recompute: Sequence[str] = (),
) -> ScoreResult:
    """Compute the scores (and embeddings) that a data set still lacks.

    A scorer whose name stands for imported scores in this data set is not computed, unless
    `recompute` names it. Killed at any moment, the next call goes on after the last chunk
    that was committed. A name goes on standing for older scores until the first new one: a
    model that cannot be loaded takes nothing away. `terms` are those on which services may be
    asked.

    Raises:
        UsageError: unknown component or option.
        PrerequisiteError: model weights or a device are missing.
    """
    config = {
        "dataset": dataset.name,
        "scorers": {c.label: {"use": c.use, **c.options} for c in scorers},
        "executor": executor.use,
    }
    with session.recorded("score", config):
        session.attach(dataset.id)
        imported = _imported(session, dataset, scorers, recompute)
        wanted = [choice for choice in scorers if choice.label not in imported]
        plan = planning.make_plan(session, dataset, wanted, embedders, retry_failed=retry_failed)
        with session.store.writing() as connection:
            for label, pending in plan.scorers.items():
                if not len(pending.places):
                    scores.bind(connection, dataset.id, label, pending.component_id)
        if plan.places:
            _ScoreRunner(session, plan).run(executor)
        asked = None
        askings = [RatingTask(session, plan, label) for label in plan.asking]
        if any(asking.places for asking in askings):
            asked = run_call_tasks(
                session, askings, call_settings or CallSettings(), renew=retry_failed
            )
        failed = _failures(session, plan)
        done = {label: len(pending.places) for label, pending in plan.scorers.items()}
        if asked is not None:
            done |= asked.done
        identities = {
            label: pending.configured.fingerprint.identity
            for label, pending in plan.scorers.items()
        }
        embedded = sum(map(_count, plan.images.values()))
        return ScoreResult(dataset, done, failed, embedded, identities, asked)


def _count(by_place: Mapping[int, Sequence[int]]) -> int:
    return sum(map(len, by_place.values()))


def imported_scorers(session: Session, dataset: DatasetRow) -> set[str]:
    """Return the scorer names that stand for imported scores in a data set."""
    with session.store.reading() as connection:
        bound = scores.bindings(connection, dataset.id)
    return {name for name, (_, imported) in bound.items() if imported}


def _imported(
    session: Session, dataset: DatasetRow, scorers: Sequence[Choice], recompute: Sequence[str]
) -> set[str]:
    known = imported_scorers(session, dataset)
    found = {c.label for c in scorers if c.label in known and c.label not in recompute}
    for label in sorted(found):
        session.notice(f"{label}: the imported scores are used (--recompute {label} computes them)")
    return found


def _failures(session: Session, plan: ScoringPlan) -> dict[str, int]:
    with session.store.reading() as connection:
        failed = {
            label: scores.count_errors(connection, plan.dataset.id, pending.component_id)
            for label, pending in plan.scorers.items()
        }
    session.failures.update({label: count for label, count in failed.items() if count})
    return failed


class _ScoreRunner:
    """One pass of the executor over a plan."""

    def __init__(self, session: Session, plan: ScoringPlan) -> None:
        self.session = session
        self.plan = plan
        self.sent: set[tuple[str, int]] = set()  # (embedder, image) that some task embeds
        self.flying: set[tuple[str, int]] = set()  # those of them not yet committed
        self.postponed: list[int] = []
        self.bound = False
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
        self.todo = {label: set(pending.places.tolist()) for label, pending in plan.batched.items()}

    def run(self, executor: Choice) -> None:
        """Work through all places, then through those that had to wait for an embedding."""
        session, plan = self.session, self.plan
        work = ScoreWork(
            self.scorers,
            self.embedders,
            {label: plan.embedder_of[label] for label in self.scorers if label in plan.embedder_of},
            {label: embedder.batch_size for label, embedder in self.embedders.items()},
        )
        where = cast("Executor", session.host.build(executor))
        places = plan.places
        session.emit(StageStarted(STAGE, len(places)))
        where.open()
        try:
            with where.start(work) as run:
                while places:
                    self._wave(run, places)
                    places, self.postponed = self.postponed, []
        finally:
            where.close()
        session.emit(StageFinished(STAGE, ", ".join(
            f"{label} {count:,}"
            for label, count in plan.calls.items()
            if count and label not in plan.asking
        )))  # fmt: skip

    def _wave(self, run: Run[ScoreTask, ScoreTaskResult], places: Sequence[int]) -> None:
        sent: list[tuple[int, ScoreTask]] = []
        for result in run(self._tasks(places, sent)):
            finished, task = sent.pop(0)
            self._commit(task, result, finished)

    def _tasks(
        self, places: Sequence[int], sent: list[tuple[int, ScoreTask]]
    ) -> Iterator[ScoreTask]:
        """Build tasks as they are asked for, each with what the store holds by then."""
        size = self._chunk_size()
        for start in range(0, len(places), size):
            task, finished = self._task(places[start : start + size])
            sent.append((finished, task))
            yield task

    def _chunk_size(self) -> int:
        sizes = [scorer.batch_size for scorer in self.scorers.values()]
        return max(1, min(sizes + [2 * e.batch_size for e in self.embedders.values()]))

    def _task(self, places: Sequence[int]) -> tuple[ScoreTask, int]:
        plan = self.plan
        with self.session.store.reading() as connection:
            rows = samples.by_id(connection, [int(plan.sample_ids[place]) for place in places])
            found = {i.image_id: i for row in rows for i in row.images if i.image_id}
            to_embed = {
                label: tuple(
                    ImageSource(image, Path(found[image].path or ""), found[image].sha256 or "")
                    for place in places
                    for image in plan.images[label].get(place, ())
                    if (label, image) not in self.sent
                )
                for label in self.embedders
            }
            own = {(label, one.id) for label, ones in to_embed.items() for one in ones}
            waiting = self._waiting(places, rows, own)
            self.postponed += sorted(waiting)
            to_score = {
                label: tuple(
                    n for n, place in enumerate(places)
                    if place in self.todo[label] and place not in waiting
                )
                for label in self.scorers
            }  # fmt: skip
            vectors = {
                label: dict(
                    scores.embeddings(
                        connection,
                        plan.embedders[label].component_id,
                        [
                            i.image_id
                            for n in to_score[scorer]
                            for i in rows[n].images
                            if i.image_id and (label, i.image_id) not in own
                        ],
                    )
                )
                for scorer in self.scorers
                if (label := plan.embedder_of.get(scorer)) is not None
            }
        self.sent |= own
        self.flying |= own
        task = ScoreTask(
            contents=tuple(row.content_id for row in rows),
            samples=tuple(sample_of(row) for row in rows),
            shown=tuple(tuple(i.image_id for i in row.images if i.image_id) for row in rows),
            to_score=to_score,
            to_embed=to_embed,
            vectors=vectors,
        )
        return task, len(places) - len(waiting)

    def _waiting(
        self, places: Sequence[int], rows: Sequence[SampleRow], own: set[tuple[str, int]]
    ) -> set[int]:
        """Return the places whose images another task, still at work, is embedding."""
        labels = {self.plan.embedder_of.get(scorer) for scorer in self.scorers} - {None}
        if not labels or not self.flying:
            return set()
        return {
            place
            for place, row in zip(places, rows, strict=True)
            for label in labels
            for image in row.images
            if (label, image.image_id) in self.flying and (label, image.image_id) not in own
        }

    def _commit(self, task: ScoreTask, result: ScoreTaskResult, finished: int) -> None:
        session, plan = self.session, self.plan
        failed = 0
        with session.store.writing() as connection:
            if not self.bound:
                for label in self.scorers:
                    component = plan.scorers[label].component_id
                    scores.bind(connection, plan.dataset.id, label, component)
            for label, rows in result.embeddings.items():
                component = plan.embedders[label].component_id
                scores.put_embeddings(connection, component, session.run_id, rows)
            for label, scored in result.scores.items():
                component = plan.scorers[label].component_id
                scores.put(connection, component, session.run_id, scored)
        self.bound = True
        for label, embedded in result.embeddings.items():
            self.flying -= {(label, image) for image, _ in embedded}
        for label, scored in result.scores.items():
            errors = sum(row[2] is not None for row in scored)
            failed += errors
            if scored:
                session.emit(BatchScored(label, len(scored), errors))
        session.emit(StageAdvanced(STAGE, finished, failed))
        self._time(result)

    def _time(self, result: ScoreTaskResult) -> None:
        """Add what each component took, for later estimates."""
        for label, seconds in result.seconds.items():
            pending = self.plan.embedders.get(label) or self.plan.scorers[label]
            done = len(result.embeddings.get(label) or result.scores.get(label, ()))
            total = self.session.speeds.setdefault(pending.configured.fingerprint.value, [0.0, 0.0])
            total[0] += done
            total[1] += seconds
