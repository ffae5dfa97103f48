"""Cuts pending work into tasks: what each has to embed and score, and which samples must wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ig4.core.engine.scoring.samples import image_of, sample_of
from ig4.core.engine.scoring.tasks import ImageSource, ScoreTask, Vector
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.contracts import Embedder, Scorer
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.storage.samples import SampleRow
    from ig4.storage.store import Store


class EmbeddedImage(NamedTuple):
    """An image that some task embeds, known by the embedder's label."""

    embedder: str
    image_id: int


class TaskBuilder:
    """Builds tasks as they are asked for, each with what the store holds by then.

    No image is embedded twice: a sample whose image another task is still embedding goes to
    `postponed`, until `committed` says that the embedding is in the store.
    """

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
        self.postponed: list[int] = []
        self._pending = {label: set(p.places.tolist()) for label, p in plan.batched.items()}
        self._sent: set[EmbeddedImage] = set()
        self._in_flight: set[EmbeddedImage] = set()

    @property
    def size(self) -> int:
        """How many samples a task has: what suits the component with the smallest batches."""
        sizes = [scorer.batch_size for scorer in self.scorers.values()]
        return max(1, min(sizes + [2 * e.batch_size for e in self.embedders.values()]))

    def build(self, places: Sequence[int]) -> tuple[ScoreTask, int]:
        """Return the task for these places, and how many of them it finishes."""
        with self.store.reading() as connection:
            rows = samples.by_id(connection, [int(self.plan.sample_ids[at]) for at in places])
            to_embed = self._to_embed(places, rows)
            own = {
                EmbeddedImage(label, image.id)
                for label, images in to_embed.items()
                for image in images
            }
            waiting = self._waiting(places, rows, own)
            to_score = self._to_score(places, waiting)
            vectors = self._vectors(connection, rows, to_score, own)
        self.postponed += sorted(waiting)
        self._sent |= own
        self._in_flight |= own
        task = ScoreTask(
            contents=tuple(row.content_id for row in rows),
            samples=tuple(sample_of(row) for row in rows),
            shown=tuple(tuple(i.image_id for i in row.images if i.image_id) for row in rows),
            to_score=to_score,
            to_embed=to_embed,
            vectors=vectors,
        )
        return task, len(places) - len(waiting)

    def committed(self, embeddings: Mapping[str, Sequence[tuple[int, Vector]]]) -> None:
        """Note that embeddings are in the store: samples that wait for them may go on."""
        for label, rows in embeddings.items():
            self._in_flight -= {EmbeddedImage(label, image_id) for image_id, _ in rows}

    def take_postponed(self) -> list[int]:
        """Return the places that had to wait, and forget them."""
        places, self.postponed = self.postponed, []
        return places

    def _to_embed(
        self, places: Sequence[int], rows: Sequence[SampleRow]
    ) -> dict[str, tuple[ImageSource, ...]]:
        images = {image.image_id: image for row in rows for image in row.images if image.image_id}
        return {
            label: tuple(
                ImageSource(image_id, image_of(images[image_id]))
                for place in places
                for image_id in self.plan.images[label].get(place, ())
                if EmbeddedImage(label, image_id) not in self._sent
            )
            for label in self.embedders
        }

    def _to_score(self, places: Sequence[int], waiting: set[int]) -> dict[str, tuple[int, ...]]:
        return {
            label: tuple(
                position
                for position, place in enumerate(places)
                if place in self._pending[label] and place not in waiting
            )
            for label in self.scorers
        }

    def _vectors(
        self,
        connection: Connection,
        rows: Sequence[SampleRow],
        to_score: Mapping[str, Sequence[int]],
        own: set[EmbeddedImage],
    ) -> dict[str, dict[int, Vector]]:
        """Return the embeddings that the store has for the samples to score, by embedder."""
        vectors: dict[str, dict[int, Vector]] = {}
        for scorer in self.scorers:
            label = self.plan.embedder_of.get(scorer)
            if label is None:
                continue
            image_ids = [
                image.image_id
                for position in to_score[scorer]
                for image in rows[position].images
                if image.image_id and EmbeddedImage(label, image.image_id) not in own
            ]
            component_id = self.plan.embedders[label].component_id
            stored = scores.embeddings(connection, component_id, image_ids)
            vectors.setdefault(label, {}).update(stored)
        return vectors

    def _waiting(
        self, places: Sequence[int], rows: Sequence[SampleRow], own: set[EmbeddedImage]
    ) -> set[int]:
        """Return the places whose images another task, still at work, is embedding."""
        labels = {self.plan.embedder_of.get(scorer) for scorer in self.scorers} - {None}
        if not labels or not self._in_flight:
            return set()
        elsewhere = self._in_flight - own
        return {
            place
            for place, row in zip(places, rows, strict=True)
            for label in labels
            for image in row.images
            if (label, image.image_id) in elsewhere
        }
