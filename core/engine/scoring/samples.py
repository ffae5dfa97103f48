"""Stored samples as scorers see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.engine.ingesting.ingest import turns_of
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.records import Image, Sample, Turn

if TYPE_CHECKING:
    from ig4.storage.samples import SampleRow


def sample_of(row: SampleRow) -> Sample:
    """Return a stored sample as scorers and trainers see it: of text that can be encoded."""
    images = tuple(
        Image(Path(image.path) if image.path else None, image.sha256, image.problem)
        for image in row.images
    )
    turns = tuple(Turn(turn.role, sanitize(turn.text)) for turn in turns_of(row))
    return Sample(row.external_id, row.instruction, row.answer, turns, images)
