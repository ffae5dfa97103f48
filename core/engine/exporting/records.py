"""Turns stored samples back into the records of an export; those with a problem are left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ig4.core.chunks import chunks
from ig4.core.engine.exporting.images import (
    ImagePlacer,
    UnusableImageError,
    read_image,
    suffix_of,
)
from ig4.core.engine.exporting.sources import ExportSource, id_in, with_id
from ig4.core.engine.ingesting.contents import places_of, turns_of
from ig4.core.events import StageAdvanced
from ig4.core.records import JSON, Record, Turn
from ig4.core.texts import sanitize
from ig4.storage import samples, selections

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.exporting.ahead import ImageFetcher
    from ig4.core.engine.exporting.extras import ExportExtras
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.samples import ImageRow, SampleRow

STAGE = "export"
_STEP = 1000
_MARK, _OTHER_MARKS = "<image>", ("<video>", "<audio>")


def why_untrainable(record: Record) -> str | None:
    """Return why a record would stop a trainer that counts marks in texts, or None."""
    text = "\n".join(turn.text for turn in record.turns)
    other = next((mark for mark in _OTHER_MARKS if mark in text), None)
    if other is not None:
        return f"a text has the mark {other}, and nothing is shown there"
    if text.count(_MARK) not in (0, len(record.images)):
        return f"there are other marks {_MARK} in the texts than images"
    return None


class ExportRecords:
    """The records of one export, and what was done with each sample.

    `left_out` counts samples by why they are not written, `made_anew` records that could not name
    their images as they were, `inside` the images that the format takes into its own files, and
    `unwritten` those that came inside the data set and are nowhere else. Of a mixture, `remade`
    counts by data set the records that were made anew as theirs have another form, and `repeated`
    those whose ids are not the only ones. `extras` are written beside each record; those of the
    last one are the `example`.
    """

    def __init__(
        self,
        session: Session,
        dataset: DatasetRow,
        form: Format,
        placer: ImagePlacer,
        *,
        sources: Mapping[str, ExportSource],
        keep_problems: bool = False,
        for_trainer: bool = False,
        extras: ExportExtras | None = None,
    ) -> None:
        self.session = session
        self.dataset = dataset
        self.form = form
        self.placer = placer
        self.sources = sources
        self.source = next(iter(sources.values()))
        self.keep_problems = keep_problems
        self.for_trainer = for_trainer
        self.extras = extras
        self.example: Mapping[str, JSON] | None = None
        self.left_out: Counter[str] = Counter()
        self.missing: set[tuple[str, str]] = set()
        self.inside: set[tuple[str, str]] = set()
        self.unwritten: set[tuple[str, str]] = set()
        self.remade: Counter[str] = Counter()
        self.changed = self.written = self.made_anew = self.repeated = 0
        self._ids: set[str] = set()

    @property
    def same(self) -> bool:
        """Whether the record at hand is written as it was read."""
        return self.source.same

    def of_selection(self, selection_id: int | None, fetcher: ImageFetcher) -> Iterator[Record]:
        """Yield the records of a selection by rank, or of all samples in their order."""
        for row in fetcher.ahead(self._rows(selection_id), self._is_read):
            self.source = self.sources[row.dataset or self.dataset.name]
            record = self._record(row)
            if record is None:
                continue
            self.written += 1
            if self.dataset.is_mixture:
                self._count(row, record)
            if self.written % _STEP == 0:
                self.session.emit(StageAdvanced(STAGE, _STEP))
            if self.extras is not None:
                self.example = self.extras.of(row.id)
                record = record._replace(extras=self.example)
            yield record

    def _count(self, row: SampleRow, record: Record) -> None:
        """Count what is not as a record of a mixture should be."""
        if not self.same and not self.for_trainer:
            self.remade[self.source.dataset.name] += 1
        own = id_in(record.raw, self._own_id(row), row.external_id)
        if own is not None:
            self.repeated += own in self._ids
            self._ids.add(own)

    def _own_id(self, row: SampleRow) -> str:
        return row.external_id.removeprefix(f"{self.source.dataset.name}/")

    def _is_read(self, image: ImageRow) -> bool:
        is_inside = self.form.embeds_images and image.embedded
        return self.placer.placement != "none" or is_inside

    def _rows(self, selection_id: int | None) -> Iterator[SampleRow]:
        with self.session.store.reading() as connection:
            if selection_id is None:
                yield from samples.stream(connection, self.dataset.id)
                return
            chosen = selections.samples(connection, selection_id)
            then = {one.sample_id: one.content_id for one in chosen}
            for part in chunks(then, _STEP):
                rows = samples.by_id(connection, part, self.dataset.id)
                self.changed += sum(row.content_id != then[row.id] for row in rows)
                yield from rows

    def _record(self, row: SampleRow) -> Record | None:
        """Return the record of a sample, or None if it is left out."""
        kept = self.same and self.keep_problems
        if row.problem and not kept:
            self.left_out[row.problem] += 1
            return None
        raw = json.loads(row.raw) if self.same else None
        if self.same and self.dataset.is_mixture:
            raw = with_id(raw, self._own_id(row), row.external_id)
        turns = turns_of(row)
        if not self.same:  # readers such as Arrow's refuse a whole file for half a surrogate
            turns = tuple(Turn(turn.role, sanitize(turn.text)) for turn in turns)
        names = tuple(b"" if image.embedded else image.name for image in row.images)
        plain = Record(row.external_id, turns, names, raw)
        why = why_untrainable(plain) if self.for_trainer else None
        if why is not None:
            self.left_out[why] += 1
            return None
        try:
            images = self._images(plain, row.images)
        except UnusableImageError as error:
            if kept:
                return plain
            self.left_out[str(error)] += 1
            return None
        return Record(
            row.external_id, turns, images, self._named(plain, row.images, images),
            places=places_of(row),
        )  # fmt: skip

    def _images(self, record: Record, rows: list[ImageRow]) -> tuple[str | bytes, ...]:
        """Return the images of a record as its format gets them: bytes, or names to be placed.

        Raises:
            UnusableImageError: one cannot be had; they are counted all the same.
        """
        placed: dict[str, ImageRow] = {}
        images: list[str | bytes] = []
        problem: str | None = None
        for index, row in enumerate(rows):
            try:
                images.append(self._image(record, index, row, placed))
            except UnusableImageError as error:
                self.missing.add(self._known_as(row))
                problem = problem or str(error)
        if problem is not None:
            raise UnusableImageError(problem)
        self.placer.placed.update(placed)
        return tuple(images)

    def _image(
        self, record: Record, index: int, row: ImageRow, placed: dict[str, ImageRow]
    ) -> str | bytes:
        placement = self.placer.placement
        if self.form.embeds_images and (row.embedded or (not self.same and placement != "none")):
            content = read_image(row)
            self.inside.add(self._known_as(row))
            return content
        if placement == "none":
            # The record goes on to name what the data set does, which lies where it lay.
            if not row.embedded:
                return row.name
            self.unwritten.add(self._known_as(row))
            return self._name(record, index, row)
        why = self.placer.why_unusable(row)
        if why is not None:
            raise UnusableImageError(why)
        name = self._name(record, index, row)
        placed[name] = row
        return name

    def _known_as(self, row: ImageRow) -> tuple[str, str]:
        """Return what an image is counted by: two data sets may call different ones the same."""
        return self.source.dataset.name, row.name

    def _name(self, record: Record, index: int, row: ImageRow) -> str:
        suffix = suffix_of(row)
        wanted = self.form.image_name(record, index, suffix)
        return self.placer.names.name(wanted, row, record.id, index, suffix)

    def _named(self, record: Record, rows: list[ImageRow], images: tuple[str | bytes, ...]) -> JSON:
        """Return the raw record, naming the images of the export; None to make it anew."""
        if record.raw is None:
            return None
        new = tuple(b"" if row.embedded else image for row, image in zip(rows, images, strict=True))
        if all(one == b"" or one == row.name for one, row in zip(new, rows, strict=True)):
            return record.raw
        raw = self.form.with_images(record, new, self.source.dataset.header)
        self.made_anew += raw is None
        return raw
