"""Compares two stored selections: overlap, ranks, groups, settings, and who came in or went out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.comparing.fates import Fates
from ig4.core.engine.comparing.grouped import cluster_comparison, group_comparison
from ig4.core.engine.comparing.keys import SideKeys, keys_of
from ig4.core.engine.comparing.overlap import overlap_of
from ig4.core.engine.comparing.result import Change, ComparedSelection, ComparisonResult, Fate
from ig4.core.engine.comparing.settings import setting_differences
from ig4.core.engine.comparing.sides import ComparedSide, read_side
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.selections.finding import find_selection
from ig4.core.engine.selections.names import ALL
from ig4.core.errors import UsageError
from ig4.storage import samples, selections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionRow


def compare_selections(
    session: Session,
    first: str,
    second: str,
    dataset: DatasetRow | None = None,
    pool: PoolSettings | None = None,
    *,
    detailed: int = 10,
) -> ComparisonResult:
    """Compare two selections, A and B, each given by its number, its name, or as "last".

    Each is drafted anew once, by its own settings, to tell why the other's samples are not in it.
    Selections of two data sets are compared by the contents (texts and images) of their samples.
    `pool` says what names of spaces and groups stand for. Selectors that do not go by the final
    score alone are asked about the first `detailed` samples in each direction, where that is quick.

    Raises:
        UsageError: there is no such selection, both are the same, or their data sets have nothing
            in common.
    """
    a, b = (_found(session, dataset, which) for which in (first, second))
    if a.id == b.id:
        raise UsageError(
            f"{first} and {second} are the same selection ({a.id}): name two of them "
            "(`ig4 selections` lists them)"
        )
    settings = pool or PoolSettings()
    sides = (read_side(session, a, settings), read_side(session, b, settings))
    return _compare(session, *sides, settings, detailed)


def _found(session: Session, dataset: DatasetRow | None, which: str) -> SelectionRow:
    if which == ALL:
        raise UsageError(
            "`all` is no selection: every selection is told beside its data set (`ig4 selections "
            "show`); give two numbers or names"
        )
    return find_selection(session, dataset, which)


def _compare(
    session: Session, a: ComparedSide, b: ComparedSide, settings: PoolSettings, detailed: int
) -> ComparisonResult:
    keys_a, keys_b, notes = _keys(a, b)
    groups = group_comparison(session, a, b, keys_a, keys_b, settings)
    clusters = cluster_comparison(session, a, b, keys_a, keys_b)
    group_names = dict(zip(groups.keys.tolist(), groups.names, strict=True))
    overlap = overlap_of(
        keys_a.chosen, keys_b.chosen, keys_a.candidates(a.draft), keys_b.candidates(b.draft)
    )
    return ComparisonResult(
        a=_compared(session, a),
        b=_compared(session, b),
        by="sample" if a.dataset.id == b.dataset.id else "content",
        overlap=overlap,
        settings=setting_differences(a.selection, b.selection),
        groups=groups.comparison,
        clusters=clusters.comparison,
        came_in=_changes(session, b, keys_b, a, keys_a, group_names, detailed),
        went_out=_changes(session, a, keys_a, b, keys_b, group_names, detailed),
        notes=[*notes, *(text for side in (a, b) for text in _notes(side))],
    )


def _keys(a: ComparedSide, b: ComparedSide) -> tuple[SideKeys, SideKeys, list[str]]:
    """Return what samples of both sides are known by, and what is to be said of that.

    Raises:
        UsageError: the data sets have nothing in common.
    """
    by_content = a.dataset.id != b.dataset.id
    keys_a, keys_b = (keys_of(side, by_content=by_content) for side in (a, b))
    if not by_content:
        return keys_a, keys_b, []
    shared = len(np.intersect1d(keys_a.all, keys_b.all, assume_unique=True))
    if not shared:
        raise UsageError(
            f"selection {a.selection.id} is of {a.dataset.name} and {b.selection.id} of "
            f"{b.dataset.name}, which have no sample in common: there is nothing to compare"
        )
    told = (
        f"the selections are of two data sets, {a.dataset.name} and {b.dataset.name}, and compared "
        f"by texts and images: {shared:,} are in both data sets"
    )
    notes = [told]
    for side, keys in ((a, keys_a), (b, keys_b)):
        repeated = len(side.items) - len(keys.chosen)
        if repeated:
            notes.append(
                f"{repeated:,} of selection {side.selection.id} have the texts and images of "
                "another one of it, and count once"
            )
    return keys_a, keys_b, notes


def _notes(side: ComparedSide) -> list[str]:
    number = side.selection.id
    if side.why is not None:
        return [f"why samples are not in selection {number} cannot be told: {side.why}"]
    if side.draft is None:
        return [f"selection {number} was drawn at random for `ig4 learn-weights`"]
    if side.changed:
        told = (
            f"scores, clusters or samples have changed since selection {number} was made: its "
            "samples are those of then, the reasons are of today"
        )
        return [told]
    return []


def _compared(session: Session, side: ComparedSide) -> ComparedSelection:
    row = side.selection
    with session.store.reading() as connection:
        label, _ = selections.report(connection, row.id)
    return ComparedSelection(
        id=row.id,
        name=row.name,
        label=label,
        dataset=side.dataset.name,
        size=row.size,
        candidates=row.config.get("candidates"),
        selector=str(row.config["selector"]["use"]),
    )


def _changes(
    session: Session,
    having: ComparedSide,
    keys: SideKeys,
    other: ComparedSide,
    other_keys: SideKeys,
    groups: Mapping[int, str],
    detailed: int,
) -> list[Change]:
    """Return the samples that one side alone has, by rank, and what the other did with them."""
    alone = ~np.isin(keys.chosen, other_keys.chosen, assume_unique=True)
    own = keys.chosen[alone]
    items = [having.items[place] for place in keys.places[alone].tolist()]
    fates = _fates(session, other, other_keys.samples_of(own), detailed)
    kept = {name for one in having.selection.config.get("keep", ()) for name in one["ids"]}
    clustered = having.selection.config.get("clustering") is not None
    return [
        Change(
            id=item.external_id,
            rank=item.rank,
            final_score=item.final_score,
            cluster=item.cluster if clustered else None,
            group=groups.get(key),
            kept=item.external_id in kept,
            **{one.name: getattr(fate, one.name) for one in fields(fate)},
        )
        for key, item, fate in zip(own.tolist(), items, fates, strict=True)
    ]


def _fates(
    session: Session, side: ComparedSide, sample_ids: NDArray[np.int64], detailed: int
) -> list[Fate]:
    if side.draft is None:
        why = "it was not drawn" if side.why is None else "what the selection was made by is gone"
        return [Fate("not chosen" if side.why is None else "unknown", why)] * len(sample_ids)
    selector = str(side.selection.config["selector"]["use"])

    def name_samples(ids: list[int]) -> list[str]:
        with session.store.reading() as connection:
            names = samples.external_ids(connection, ids, side.dataset.id)
        return [names[one] for one in ids]

    # A selector may look at its whole pool to tell of one row.
    few = side.draft.pool.n * detailed <= _MOST_ASKED
    return Fates(side.draft, selector, name_samples).of(sample_ids, detailed if few else 0)


_MOST_ASKED = 1_000_000  # rows of pools that a selector is asked about in all
