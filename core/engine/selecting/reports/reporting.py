"""Looks at a selection from outside: the mix that it has, and what it repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts.pool import normalised
from ig4.core.engine.pooling.poolgroups import grouping_record, pool_groups
from ig4.core.engine.selecting.draft import SelectionDraft, pool_settings
from ig4.core.engine.selecting.percent import percents
from ig4.core.engine.selecting.reports.composition import (
    BROKEN,
    GroupLevel,
    broken_levels,
    composition,
    group_levels,
)
from ig4.core.engine.selecting.reports.duplicates import Duplicates, SelectedText, find_duplicates
from ig4.core.engine.selecting.reports.effective import effective_weights
from ig4.core.engine.selecting.reports.ownpictures import (
    COLUMN,
    OwnPictureShare,
    own_picture_shares,
)
from ig4.core.engine.selecting.reports.report import SelectionReport
from ig4.core.errors import Ig4Error
from ig4.core.statistics.hamming import are_hashes
from ig4.storage import samples, scorecolumns, scores
from ig4.storage.vectors import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups
    from ig4.core.engine.pooling.groups import DatasetGroups
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.samples import SampleRow


def make_report(
    session: Session, dataset: DatasetRow, request: SelectionRequest, draft: SelectionDraft
) -> SelectionReport:
    """Return what a selection is told with; groups are computed if they are not there yet."""
    table = draft.table
    all_ids, contents = table.all_ids, table.all_contents
    everyone, why = _groups(session, dataset, request, draft, all_ids, contents)
    place = _places(all_ids, table.sample_ids)
    groups = None if everyone is None else everyone.groups.take(place)
    mix = None
    if everyone is not None:
        mix = composition(request.groups, everyone.groups, place[draft.rows], candidates=place)
    sums = draft.pool.sums_scores and request.combine == "sum"
    return SelectionReport(
        composition=mix,
        effective_weights=effective_weights(table.names, table.percent, table.weights, table.final),
        duplicates=_duplicates(session, table.sample_ids[draft.rows]),
        levels=()
        if everyone is None or groups is None
        else _levels(session, dataset, request, draft, groups, everyone.groups, contents),
        own_pictures=()
        if everyone is None
        else _own_pictures(session, dataset, everyone.groups, contents),
        sums_scores=sums,
        by_final=draft.pool.sums_scores,
        no_groups=why,
        grouper=None
        if everyone is None
        else grouping_record(request.pool, request.groups, everyone),
        told=tuple(draft.pool.told),
        stages=tuple(stage.to_dict() for stage in draft.stages),
    )


def _levels(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    draft: SelectionDraft,
    groups: Groups,
    everyone: Groups,
    contents: NDArray[np.int64],
) -> tuple[GroupLevel, ...]:
    """Return the groups that stand out, by the scores that count and those of what is broken.

    `groups` are of the candidates, `everyone` and `contents` (n,) of all samples. Percents within
    groups would make all groups equal, so those of all samples together are compared.
    """
    table = draft.table
    with session.store.reading() as connection:
        columns = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    percent = table.percent
    if request.within is not None:
        counting = [columns[name] for name in table.names]
        percent = percents(session, counting, table.raw, request.scale)
    found = list(group_levels(table.names, percent, groups))
    told = {(one.group, one.scorer) for one in found}
    for name in BROKEN:
        if name in columns:
            with session.store.reading() as connection:
                raw = scores.values(connection, columns[name].component_id, contents)
            broken = percents(session, [columns[name]], raw[:, None], "paper")[:, 0]
            found += [
                one
                for one in broken_levels(name, broken, everyone)
                if (one.group, one.scorer) not in told
            ]
    return tuple(sorted(found, key=lambda one: (one.deviations, one.group, one.scorer)))


def _places(all_ids: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where `ids` stand among `all_ids`, which hold them."""
    if len(all_ids) == len(ids):
        return np.arange(len(ids), dtype=np.int64)  # both are in the order of the data set
    order = np.argsort(all_ids, kind="stable")
    return order[np.searchsorted(all_ids, ids, sorter=order)].astype(np.int64)


def _groups(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    draft: SelectionDraft,
    all_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> tuple[DatasetGroups | None, str | None]:
    """Return the groups of all samples, or why there are none: a selection does without.

    Raises:
        UsageError: the user named a grouper that there is not, or that cannot work here.
    """
    settings = pool_settings(request, draft.table)
    try:
        return pool_groups(session, dataset, settings, request.groups, all_ids, contents), None
    except Ig4Error as error:
        if request.groups != DEFAULT_GROUPS:
            raise
        return None, str(error)


DEFAULT_GROUPS = "auto"
"""The grouper by which the mix is told where the user names none."""


def _own_pictures(
    session: Session,
    dataset: DatasetRow,
    groups: Groups,
    contents: NDArray[np.int64],
) -> tuple[OwnPictureShare, ...]:
    """Return how many answers of each group do not fit their pictures, if that was scored."""
    with session.store.reading() as connection:
        columns = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
        if COLUMN not in columns:
            return ()
        raw = scores.values(connection, columns[COLUMN].component_id, contents)
    return own_picture_shares(
        groups, percents(session, [columns[COLUMN]], raw[:, None], "paper")[:, 0]
    )


def _duplicates(session: Session, chosen: NDArray[np.int64]) -> Duplicates:
    with session.store.reading() as connection:
        rows = samples.by_id(connection, chosen.tolist())
    texts = [
        SelectedText(row.content_id, _images(row), f"{row.instruction}\n{row.answer}")
        for row in rows
    ]
    few = len(texts) <= MOST_COMPARED
    return find_duplicates(texts, _vectors(session, texts) if few else None)


def _images(row: SampleRow) -> tuple[int, ...]:
    return tuple(image.image_id for image in row.images if image.image_id is not None)


def _vectors(
    session: Session, chosen: Sequence[SelectedText]
) -> dict[int, NDArray[np.float32]] | None:
    """Return vectors of images by the embedder that knows most of them; None if none does.

    Of those that know as many, hashes come first: they are made for telling copies.
    """
    wanted = sorted({image for one in chosen for image in one.images})
    best: dict[int, NDArray[np.float32]] = {}
    if not wanted:
        return None
    with session.store.reading() as connection:
        for component in scores.embedders(connection):
            found = {
                image: vector
                for image, vector in reading.of_images(
                    connection, session.store.vectors, component, wanted
                )
                if not isinstance(vector, str)
            }
            if _rank(found) > _rank(best):
                best = found
    if not best:
        return None
    matrix = np.stack([*best.values()])
    told = matrix if are_hashes(matrix) else normalised(matrix)
    return dict(zip(best, told, strict=True))


def _rank(vectors: dict[int, NDArray[np.float32]]) -> tuple[int, bool]:
    first = next(iter(vectors.values()), None)
    return len(vectors), first is not None and are_hashes(first[None])


MOST_COMPARED = 5_000
"""In a larger selection images are not compared by vectors."""
