"""Scorers that ask services: which samples they are to rate, and where the ratings go."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from ig4.core.calls.running.task import PAGE, CallTask, answer_or_failure
from ig4.core.engine.scoring import storing
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.scoring.tasks import EMPTY_ANSWER, Row, output_rows, score_row
from ig4.core.records import NO_IMAGE, Failure, Sample, Score
from ig4.storage import samples
from ig4.storage.connect import repeat_if_lost

if TYPE_CHECKING:
    from ig4.core.contracts import Ask, AsyncScorer
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.session import Session
    from ig4.storage.samples import SampleRow


class RatingTask(CallTask[Sample, Score | Failure]):
    """The samples that an async scorer of a plan has yet to rate, known by their contents."""

    def __init__(self, session: Session, plan: ScoringPlan, label: str) -> None:
        self.pending = pending = plan.scorers[label]
        self.session = session
        self.plan = plan
        self.label = label
        self.scorer = self.component = cast("AsyncScorer", pending.configured.component)
        self.component_id = pending.component_id
        self.fingerprint = pending.configured.fingerprint.value
        self.places = array("q", pending.places.tobytes())  # with a truth, as sequences have

    def begin(self) -> None:
        """Let the scorer's name stand for this component from now on."""
        with self.session.store.writing() as connection:
            storing.bind(connection, self.plan.dataset.id, self.label, self.pending)

    def units(self, places: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        """Yield (content id, sample) of each place, read from the store by the page."""
        ids = self.plan.sample_ids
        for start in range(0, len(places), PAGE):
            page = [int(ids[place]) for place in places[start : start + PAGE]]
            for row in repeat_if_lost(partial(self._read, page), idempotent=True):
                yield row.content_id, sample_of(row)

    def _read(self, ids: Sequence[int]) -> list[SampleRow]:
        with self.session.store.reading() as connection:
            return samples.by_id(connection, ids)

    def is_asked(self, unit: Sample) -> bool:
        """Return whether a sample has what the scorer reads."""
        return bool(unit.answer.strip()) or not self.scorer.needs_answer

    async def answer(self, unit: Sample, ask: Ask) -> Score | Failure:
        """Rate one sample; raises as `CallTask.answer`."""
        if not self.is_asked(unit):
            return Failure(EMPTY_ANSWER)
        return await answer_or_failure(self.label, self.scorer.rate, unit, ask)

    def commit(self, answers: Sequence[tuple[int, Score | Failure]]) -> int:
        """Store ratings; returns how many are failures."""
        rows = [score_row(content, answer) for content, answer in answers]
        further = output_rows(self.label, tuple(self.pending.outputs), answers)
        repeat_if_lost(partial(self._write, rows, further), idempotent=True)
        return sum(row[2] is not None and row[2] != NO_IMAGE for row in rows)

    def _write(self, rows: Sequence[Row], further: Mapping[str, Sequence[Row]]) -> None:
        with self.session.store.writing() as connection:
            storing.put(connection, self.session.run_id, self.pending, rows, further)
