"""The galleries of a page: which samples stand side by side, and why each is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import counted
from ig4.core.engine.reporting.view import NOT_TAKEN, ScoreColumn, SelectionView
from ig4.core.engine.selecting.percent import percents_fall
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session

LENGTH = 24
"""How many samples a gallery has at most, unless it has all of its kind."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Samples that belong together: `rows` of a view, of `total` that there are of this kind.

    `captions` say by row why it is there. `pairs` are rows that stand side by side; of
    near-duplicates, `total` counts these.
    """

    key: str
    title: str
    rows: tuple[int, ...]
    total: int
    captions: Mapping[int, str] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()


def galleries(session: Session, view: SelectionView) -> list[Gallery]:
    """Return the galleries of a selection that have any samples, in the order of a page."""
    found = [edge(view), *_extremes(view), _duplicates(session, view), *_rejected(view)]
    found += _failures(session, view)
    return [gallery for gallery in found if gallery is not None and gallery.rows]


def edge(view: SelectionView) -> Gallery | None:
    """Return the last sample taken beside the first one not taken, for each contest.

    Without final scores there is no line, and nothing to see.
    """
    if not view.ranks_by_final:
        return None
    pairs, captions = [], {}
    for peer in _largest_first(view.peers):
        members = np.flatnonzero(view.peers == peer)
        taken = members[view.rank[members] > 0]
        others = members[view.rank[members] == 0]
        if not len(taken) or not len(others):
            continue
        last = int(taken[np.lexsort((-view.rank[taken], view.final[taken]))[0]])
        first = int(others[np.argmax(view.final[others])])
        pairs.append((last, first))
        captions[last] = f"last of {counted(len(taken), 'sample')} taken{_in_contest(view, peer)}"
        captions[first] = _missed(view, last, first)
    rows = tuple(row for pair in pairs[:LENGTH] for row in pair)
    return Gallery(
        "edge", "Last in, first out", rows, 2 * len(pairs), captions, tuple(pairs[:LENGTH])
    )


def _largest_first(peers: NDArray[np.int64]) -> list[int]:
    contests, counts = np.unique(peers[peers >= 0], return_counts=True)
    ordered: list[int] = contests[np.lexsort((contests, -counts))].tolist()
    return ordered


def _in_contest(view: SelectionView, peer: int) -> str:
    return f" from cluster {peer}" if view.peers.max(initial=0) > 0 else ""


def _missed(view: SelectionView, last: int, first: int) -> str:
    """Say by how much a sample missed the line, and by which score it fell behind most."""
    gap = view.final[last] - view.final[first]
    if gap == 0:
        return "first not taken: F(x) is equal, and the order of the data set decided"
    behind = [
        (float(column.points[last] - column.points[first]), column.name) for column in view.counting
    ]
    lost, name = max(behind, default=(0.0, ""))
    because = f"; most by {name} ({-lost:+.2f})" if lost > 0 else ""
    return f"first not taken: {gap:.3g} below the line{because}"


def _extremes(view: SelectionView) -> Iterator[Gallery]:
    """Yield the best and the worst samples of each indicator, the counting ones first."""
    for column in view.columns:
        key = _goodness(column)
        known = np.flatnonzero(~np.isnan(key))
        if not len(known) or key[known].min() == key[known].max():
            continue  # nothing to tell apart
        for name, order in (("best", -key[known]), ("worst", key[known])):
            rows = known[_least(order, LENGTH)].tolist()
            captions = {row: f"{column.name} {column.raw[row]:.4g}" for row in rows}
            title = f"{name.capitalize()} by {column.name}"
            yield Gallery(f"{name}:{column.name}", title, tuple(rows), len(known), captions)


def _least(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the places of the least of many values, ties to the lower place."""
    if len(values) > count:
        line = np.partition(values, count - 1)[count - 1]
        places = np.flatnonzero(values <= line)
    else:
        places = np.arange(len(values))
    return places[np.argsort(values[places], kind="stable")][:count]


def _goodness(column: ScoreColumn) -> NDArray[np.float64]:
    """Return what is more for a better sample (n,), of all that have the score.

    Percents are of the candidates alone, so they only say which way the values run.
    """
    known = ~np.isnan(column.percent)
    falls = percents_fall(column.raw[known], column.percent[known])
    return -column.raw if falls else column.raw


def _duplicates(session: Session, view: SelectionView) -> Gallery | None:
    """Return the pairs of selected samples that are nearly the same."""
    told = view.report.get("duplicates") or {}
    named = told.get("pairs") or []
    with session.store.reading() as connection:
        ids = [one for pair in named for one in pair]
        known = samples.find_ids(connection, view.dataset.id, ids)
    pairs = []
    for first, second in named:
        if first in known and second in known:
            one, other = view.row_of([known[first][0], known[second][0]]).tolist()
            if one >= 0 and other >= 0:
                pairs.append((one, other))
    total = int(told.get("same", 0)) + int(told.get("near", 0))
    rows = tuple(dict.fromkeys(row for pair in pairs[:LENGTH] for row in pair))
    return Gallery("duplicates", "Near-duplicates", rows, total, {}, tuple(pairs[:LENGTH]))


def _rejected(view: SelectionView) -> Iterator[Gallery]:
    """Yield, for each reason, samples that were left out for it, drawn by the selection's seed."""
    for number in range(NOT_TAKEN + 1, len(view.fates)):
        rows = np.flatnonzero(view.fate == number)
        rng = np.random.default_rng([int(view.selection.config.get("seed") or 0), number])
        drawn = np.sort(rng.choice(rows, min(LENGTH, len(rows)), replace=False))
        ids = view.sample_ids[drawn].tolist()
        captions = {
            row: view.stage_reasons[sample]
            for row, sample in zip(drawn.tolist(), ids, strict=True)
            if sample in view.stage_reasons
        }
        title = f"Left out: {view.fates[number]}"
        yield Gallery(f"fate:{number}", title, tuple(drawn.tolist()), len(rows), captions)


def _failures(session: Session, view: SelectionView) -> Iterator[Gallery]:
    """Yield, for each indicator, the samples that it failed on."""
    for column in view.columns:
        if not np.isnan(column.raw).any():
            continue
        with session.store.reading() as connection:
            failed = scores.errors(connection, view.dataset.id, column.component_id, LENGTH)
            known = samples.find_ids(connection, view.dataset.id, [name for name, _ in failed])
            total = scores.count_errors(connection, view.dataset.id, column.component_id)
        rows = view.row_of([known[name][0] for name, _ in failed]).tolist()
        captions = {
            row: f"{column.name}: {why}" for row, (_, why) in zip(rows, failed, strict=True)
        }
        title = f"No {column.name} score"
        yield Gallery(f"failed:{column.name}", title, tuple(rows), total, captions)
