"""Cuts pending work into tasks: a batch of one component each, read from the store when asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ig4.core.engine.scoring.batches import BatchSource, BatchTable
from ig4.core.engine.scoring.inputs import text_of
from ig4.core.engine.scoring.pending import PendingImages, PendingTexts
from ig4.core.engine.scoring.samples import image_of, sample_of
from ig4.core.engine.scoring.tasks import (
    EmbedTask,
    EmbedTextTask,
    ImageSource,
    RateTask,
    ScoreTask,
    Vector,
)
from ig4.storage import samples, spaces
from ig4.storage.vectors import reading

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.contracts import Embedder, Scorer
    from ig4.core.engine.scoring.batches import Batch
    from ig4.core.engine.scoring.pending import PendingWork
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.storage.samples import SampleRow
    from ig4.storage.store import Store


class TaskBuilder:
    """Builds tasks as they are asked for, each with what the store holds by then."""

    def __init__(
        self,
        store: Store,
        plan: ScoringPlan,
        scorers: Mapping[str, Scorer],
        embedders: Mapping[str, Embedder],
    ) -> None:
        self.store = store
        self.plan = plan
        self.scorers = scorers
        self.embedders = embedders

    def first_batches(self) -> BatchTable:
        """Return the batches that need nothing, all components in step through the data set."""
        embedding = [
            BatchSource(label, self.plan.embedders[label], embedder.batch_size)
            for label, embedder in self.embedders.items()
        ]
        return BatchTable([*embedding, *self._rating(reading=False)])

    def last_batches(self) -> BatchTable:
        """Return those of the scorers that read embeddings, which are in the store by then."""
        return BatchTable(self._rating(reading=True))

    def build(self, batch: Batch) -> ScoreTask:
        """Return the task of a batch."""
        build = self._embed_task if batch.embeds else self._rate_task
        return reading.read_anew(self.store, partial(build, batch=batch))

    def _rating(self, *, reading: bool) -> list[BatchSource]:
        return [
            BatchSource(label, self.plan.scorers[label], scorer.batch_size)
            for label, scorer in self.scorers.items()
            if (label in self.plan.embedder_of) == reading
        ]

    def _embed_task(self, connection: Connection, batch: Batch) -> EmbedTask | EmbedTextTask:
        pending = self.plan.embedders[batch.label]
        if isinstance(pending, PendingTexts):
            ids = self.plan.sample_ids[pending.places[batch.units]].tolist()
            return EmbedTextTask(
                batch.label,
                tuple(one.tobytes() for one in pending.digests[batch.units]),
                tuple(text_of(pending.reads, *both) for both in spaces.texts(connection, ids)),
            )
        assert isinstance(pending, PendingImages)
        rows = self._rows(connection, pending, batch)
        images = {image.image_id: image for row in rows for image in row.images if image.image_id}
        wanted = pending.image_ids[batch.units].tolist()
        return EmbedTask(
            batch.label,
            tuple(ImageSource(image_id, image_of(images[image_id])) for image_id in wanted),
        )

    def _rate_task(self, connection: Connection, batch: Batch) -> RateTask:
        rows = self._rows(connection, self.plan.scorers[batch.label], batch)
        return RateTask(
            batch.label,
            contents=tuple(row.content_id for row in rows),
            samples=tuple(sample_of(row) for row in rows),
            shown=tuple(tuple(i.image_id for i in row.images if i.image_id) for row in rows),
            vectors=self._vectors(connection, batch.label, rows),
        )

    def _rows(self, connection: Connection, pending: PendingWork, batch: Batch) -> list[SampleRow]:
        places = pending.places[batch.units]
        return samples.by_id(connection, self.plan.sample_ids[places].tolist())

    def _vectors(
        self, connection: Connection, scorer: str, rows: list[SampleRow]
    ) -> dict[int, Vector] | None:
        """Return the embeddings of the images of samples, for a scorer that reads them."""
        embedder = self.plan.embedder_of.get(scorer)
        if embedder is None:
            return None
        shown = {image.image_id: None for row in rows for image in row.images if image.image_id}
        component_id = self.plan.embedders[embedder].component_id
        folder = self.store.vectors
        return dict(reading.of_images(connection, folder, component_id, list(shown)))
