"""What a sample says and shows, for explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.engine.ingesting.contents import turns_of
from ig4.core.engine.selecting.explaining.explanation import ShownImage, ShownSample
from ig4.core.texts import sanitize
from ig4.storage import samples

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.datasets import DatasetRow

_LINE = 80  # characters of a neighbour's question or answer


def shown_sample(connection: Connection, dataset: DatasetRow, sample_id: int) -> ShownSample:
    """Return the texts and images of a stored sample, whole."""
    (row,) = samples.by_id(connection, [sample_id], dataset.id)
    turns = tuple((turn.role, sanitize(turn.text)) for turn in turns_of(row))
    images = tuple(ShownImage(one.name, one.path, one.problem) for one in row.images)
    talk = turns if len(turns) > 2 else ()
    return ShownSample(row.instruction, row.answer, talk, images)


def in_a_line(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(sanitize(text[: 4 * _LINE]).split())
    whole = len(line) <= _LINE and len(text) <= 4 * _LINE
    return line if whole else f"{line[: _LINE - 1]}…"
