"""The samples of a stored selection with what they say, show, and were selected by."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.counts import counted, verb
from ig4.core.engine.reporting.thumbnails import Thumbnails
from ig4.core.files.images.decode import ImageError
from ig4.core.views.html import Picture
from ig4.core.views.tabular import ResultTable
from ig4.storage import samples, selectedscores
from ig4.storage.store import Store

if TYPE_CHECKING:
    from sqlalchemy import URL

    from ig4.storage.selectedscores import SelectionColumn
    from ig4.storage.selections import SelectionItem

PLAIN = ("id", "rank", "cluster", "final_score", "quota")


@dataclass(frozen=True, slots=True)
class SelectionTable:
    """The rows of a selection, and what is to be said of them; None if nothing is."""

    table: ResultTable
    told: str | None = None


def plain_table(chosen: Sequence[SelectionItem]) -> ResultTable:
    """Return what a selection has of its samples without its database."""
    rows = [(c.external_id, c.rank, c.cluster, c.final_score, c.quota) for c in chosen]
    return ResultTable(PLAIN, rows)


def selection_table(
    database: URL, selection_id: int, chosen: Sequence[SelectionItem]
) -> SelectionTable:
    """Return the samples of a selection with scores, percents, texts and image paths.

    The database is opened for this, and closed again. Scores and percents are those that they were
    selected by; texts and images are of today, and it is told where they have changed.

    Raises:
        StorageError: the database is not there any more, or cannot be read.
    """
    with _reopened(database) as store, store.reading() as connection:
        scores = selectedscores.read(connection, selection_id)
        stored = samples.by_id(connection, [one.sample_id for one in chosen])
    names = _column_names(scores)
    rows = [
        (
            *(one.external_id, one.rank, one.cluster, one.final_score, one.quota),
            *(value for column in scores for value in _of_rank(column, one.rank)),
            *(row.instruction, row.answer),
            next((image.path for image in row.images), None),
            [image.path or image.name for image in row.images],
        )
        for one, row in zip(chosen, stored, strict=True)
    ]
    changed = sum(row.content_id != one.content_id for one, row in zip(chosen, stored, strict=True))
    told = (
        f"{counted(changed, 'sample')} of selection {selection_id} "
        f"{verb(changed, 'has', 'have')} changed since: texts and images are of today"
    )
    columns = (*PLAIN, *names, "instruction", "answer", "image_path", "image_paths")
    return SelectionTable(ResultTable(columns, rows), told if changed else None)


def _reopened(database: URL) -> Store:
    return Store.open(database.render_as_string(hide_password=False), create=False)


def _column_names(scores: Sequence[SelectionColumn]) -> list[str]:
    """Return two names for each scorer; one that is taken stands behind `scorer:`."""
    taken = {*PLAIN, "instruction", "answer", "image_path", "image_paths"}
    names = []
    for column in scores:
        for name in (column.name, f"{column.name}_percent"):
            free = name
            while free in taken:
                free = f"scorer:{free}"
            taken.add(free)
            names.append(free)
    return names


def _of_rank(column: SelectionColumn, rank: int) -> tuple[float | None, float | None]:
    return column.values[rank - 1], column.percents[rank - 1]


def shown_rows(database: URL, chosen: Sequence[SelectionItem]) -> ResultTable:
    """Return what a notebook shows of some samples: pictures and texts.

    Raises:
        StorageError: as `selection_table`.
    """
    with _reopened(database) as store:
        with store.reading() as connection:
            stored = samples.by_id(connection, [one.sample_id for one in chosen])
        pictures = [_picture(Thumbnails.of(store), row) for row in stored]
    rows = [
        (one.rank, picture, one.external_id, one.final_score, row.instruction, row.answer)
        for one, row, picture in zip(chosen, stored, pictures, strict=True)
    ]
    columns = ("rank", "image", "id", "final score", "instruction", "answer")
    if any(pictures):
        return ResultTable(columns, rows)
    without = [(rank, name, *rest) for rank, _, name, *rest in rows]
    return ResultTable(("rank", "id", *columns[3:]), without)


def _picture(thumbnails: Thumbnails, row: samples.SampleRow) -> Picture | None:
    """Return a small picture of a sample's first image; None if it cannot be read."""
    if not row.images:
        return None
    try:
        data = thumbnails.get(row.images[0])
    except ImageError:
        return None
    return Picture(f"data:image/webp;base64,{b64encode(data).decode()}", row.images[0].name)
