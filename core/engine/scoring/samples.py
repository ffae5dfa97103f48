"""Stored samples as scorers see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.engine.ingesting.contents import turns_of
from ig4.core.engine.ingesting.meta import meta_of
from ig4.core.files.remote.addresses import is_address
from ig4.core.records import Image, Sample, Turn
from ig4.core.texts import sanitize

if TYPE_CHECKING:
    from ig4.storage.samples import ImageRow, SampleRow


def sample_of(row: SampleRow, *, dataset: str | None = None, raw: bool = False) -> Sample:
    """Return a stored sample as scorers and trainers see it: of text that can be encoded.

    `meta` names its data set: `dataset`, or else the one that it was ingested into. With `raw`,
    the sample has its record.
    """
    images = tuple(map(image_of, row.images))
    turns = tuple(Turn(turn.role, sanitize(turn.text)) for turn in turns_of(row))
    answers = sum(turn.role == "assistant" for turn in turns)
    meta = meta_of(row, answers, dataset or row.dataset)
    text = row.raw if raw else None
    return Sample(row.external_id, row.instruction, row.answer, turns, images, meta=meta, raw=text)


def image_of(row: ImageRow) -> Image:
    """Return a stored image, which reads nothing but what was ingested from where it may lie."""
    if row.path is None:
        return Image(None, row.sha256, row.problem, roots=row.roots)
    if row.part is None and not is_address(row.path):
        return Image(Path(row.path), row.sha256, row.problem, roots=row.roots)
    return Image(None, row.sha256, row.problem, roots=row.roots, source=row.path, part=row.part)
