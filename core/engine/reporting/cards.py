"""What a page says of each sample that it shows: ids, texts, scores, and small pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.ingesting.contents import turns_of
from ig4.core.engine.reporting.thumbnails import Thumbnails
from ig4.core.texts import sanitize
from ig4.storage import samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.reporting.shown import ShownSamples
    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session
    from ig4.storage.samples import SampleRow

LONGEST_TEXT = 2_000
"""Characters of one text that a page has; what is left out is counted beside it."""

PICTURE_BYTES = 9 << 20
"""What the pictures of a page may take, encoded."""

_IMAGES = 4
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class SampleCards:
    """The shown samples as columns of JSON, and the pictures that they name by number.

    `pictures` are WebP in base64. `without` counts images that have none because the page would be
    too large, `unreadable` those that cannot be read any more.
    """

    columns: Mapping[str, Any]
    pictures: Sequence[str]
    without: int
    unreadable: int


def sample_cards(
    session: Session, view: SelectionView, shown: ShownSamples, *, images: bool, texts: bool
) -> SampleCards:
    """Return what a page says of the shown samples; without `texts`, numbers alone."""
    rows = shown.rows
    columns: dict[str, Any] = {
        "row": rows.tolist(),
        "rank": view.rank[rows].tolist(),
        "fate": view.fate[rows].tolist(),
        "final": numbers(view.final[rows]),
        "group": None if view.groups is None else view.groups.labels[rows].tolist(),
        "cluster": None if view.clusters is None else view.clusters[rows].tolist(),
        "raw": [numbers(column.raw[rows]) for column in view.columns],
        "percent": [numbers(column.percent[rows]) for column in view.columns],
        "note": _notes(view, rows) if texts else {},
    }
    if not texts:
        names = [f"sample {row + 1}" for row in rows.tolist()]
        empty: list[list[Any]] = [[] for _ in names]
        return SampleCards(columns | {"id": names, "turns": empty, "image": empty}, (), 0, 0)
    with session.store.reading() as connection:
        stored = samples.by_id(connection, view.sample_ids[rows].tolist(), view.dataset.id)
    columns |= _texts(stored)
    if not images:
        return SampleCards(columns | {"image": [[] for _ in stored]}, (), 0, 0)
    order = np.searchsorted(rows, shown.first).tolist()
    pictures = _Pictures(Thumbnails.of(session.store))
    pictures.take([stored[place] for place in order])
    columns["image"] = [pictures.of(row) for row in stored]
    return SampleCards(columns, pictures.encoded, pictures.without, pictures.unreadable)


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers as JSON has them, of six digits: None for NaN."""
    return [None if value != value else float(f"{value:.{_DIGITS}g}") for value in values.tolist()]


def _notes(view: SelectionView, rows: NDArray[np.int64]) -> dict[int, str]:
    """Return by place what a stage said of a sample."""
    ids = view.sample_ids[rows].tolist()
    return {
        place: view.stage_reasons[sample]
        for place, sample in enumerate(ids)
        if sample in view.stage_reasons
    }


def _texts(stored: Sequence[SampleRow]) -> dict[str, Any]:
    cut: dict[int, int] = {}
    turns = []
    for place, row in enumerate(stored):
        told = [[turn.role, sanitize(turn.text)] for turn in turns_of(row)]
        left_out = sum(max(0, len(text) - LONGEST_TEXT) for _, text in told)
        if left_out:
            cut[place] = left_out
        turns.append([[role, text[:LONGEST_TEXT]] for role, text in told])
    return {
        "id": [sanitize(row.external_id) for row in stored],
        "turns": turns,
        "cut": cut,
        "images": {place: len(row.images) for place, row in enumerate(stored) if row.images},
        "problem": {place: row.problem for place, row in enumerate(stored) if row.problem},
    }


class _Pictures:
    """The pictures of a page, each image once, as many as there is room for."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        self.thumbnails = thumbnails
        self.encoded: list[str] = []
        self.without = 0
        self.unreadable = 0
        self._places: dict[str, int] = {}

    def take(self, stored: Sequence[SampleRow]) -> None:
        """Make the pictures of samples, the first ones first."""
        wanted = {
            image.sha256: image
            for row in stored
            for image in row.images[:_IMAGES]
            if image.sha256 is not None
        }
        left = PICTURE_BYTES
        made = self.thumbnails.many(wanted.values())
        for number, (digest, data) in enumerate(zip(wanted, made, strict=True)):
            if isinstance(data, str):
                self.unreadable += 1
                continue
            text = base64.b64encode(data).decode()
            left -= len(text) + 1
            if left < 0:
                self.without = len(wanted) - number
                break
            self._places[digest] = len(self.encoded)
            self.encoded.append(text)

    def of(self, row: SampleRow) -> list[int]:
        """Return the numbers of a sample's pictures, -1 for an image that has none."""
        return [self._places.get(image.sha256 or "", -1) for image in row.images[:_IMAGES]]
