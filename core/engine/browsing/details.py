"""What a browser says of single samples: cards of many, and one with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.ingesting.contents import turns_of
from ig4.core.engine.reporting.cards import numbers
from ig4.core.texts import sanitize
from ig4.storage import pins, samples, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.browsing.browsed import BrowsedSelection
    from ig4.storage.samples import SampleRow

NEIGHBOURS = 8
_CARD_TEXT = 300
_LONGEST_SHOWN = 200_000
_BLOCK = 65_536


def sample_cards(browsed: BrowsedSelection, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Return what a gallery says of samples, given as rows of the view."""
    view = browsed.view
    ids = view.sample_ids[np.asarray(rows, dtype=np.int64)].tolist()
    with browsed.session.store.reading() as connection:
        stored = samples.by_id(connection, ids, view.dataset.id)
    return [
        {
            **_numbers(browsed, row),
            "id": sanitize(one.external_id),
            "turns": [[turn.role, sanitize(turn.text)[:_CARD_TEXT]] for turn in turns_of(one)[-2:]],
            "image": _pictures(one),
            "problem": one.problem,
        }
        for row, one in zip(rows, stored, strict=True)
    ]


def _pictures(stored: SampleRow) -> list[int]:
    """Return the numbers of a sample's images, -1 for one that could not be read."""
    return [-1 if image.sha256 is None else n for n, image in enumerate(stored.images)]


def _numbers(browsed: BrowsedSelection, row: int) -> dict[str, Any]:
    view = browsed.view
    sample = int(view.sample_ids[row])
    return {
        "row": row,
        "rank": int(view.rank[row]),
        "fate": int(view.fate[row]),
        "final": numbers(view.final[[row]])[0],
        "group": -1 if view.groups is None else int(view.groups.labels[row]),
        "cluster": -1 if view.clusters is None else int(view.clusters[row]),
        "raw": [numbers(column.raw[[row]])[0] for column in view.columns],
        "percent": [numbers(column.percent[[row]])[0] for column in view.columns],
        "note": view.stage_reasons.get(sample),
    }


def sample_detail(browsed: BrowsedSelection, row: int) -> dict[str, Any]:
    """Return all that is known of a sample: whole texts, images, errors, place, neighbours."""
    view = browsed.view
    sample = int(view.sample_ids[row])
    with browsed.session.store.reading() as connection:
        (stored,) = samples.by_id(connection, [sample], view.dataset.id)
        errors = {
            column.name: reason
            for column in view.columns
            if np.isnan(column.raw[row])
            and (reason := scores.error_of(connection, column.component_id, stored.content_id))
        }
    texts = [[turn.role, sanitize(turn.text)] for turn in turns_of(stored)]
    cut = sum(max(0, len(text) - _LONGEST_SHOWN) for _, text in texts)
    return {
        **_numbers(browsed, row),
        "id": sanitize(stored.external_id),
        "turns": [[role, text[:_LONGEST_SHOWN]] for role, text in texts],
        "cut": cut,
        "image": _pictures(stored),
        "images": [
            {"name": sanitize(image.name), "problem": image.problem, "width": image.width,
             "height": image.height}
            for image in stored.images
        ],
        "problem": stored.problem,
        "errors": errors,
        "pin": _pin(browsed, sample),
        **_place(browsed, row),
        "neighbours": _neighbours(browsed, row),
    }  # fmt: skip


def _pin(browsed: BrowsedSelection, sample: int) -> dict[str, Any] | None:
    """Return what was said of a sample: whether it is kept, and the note."""
    with browsed.session.store.reading() as connection:
        for one in pins.list_all(connection, browsed.view.dataset.id):
            if one.sample_id == sample:
                return {"pin": "keep" if one.keep else "drop", "note": one.note}
    return None


def _place(browsed: BrowsedSelection, row: int) -> dict[str, Any]:
    """Return the place of a sample in its contest, and who stands just above and below it."""
    view = browsed.view
    if view.peers[row] < 0 or not view.ranks_by_final or np.isnan(view.final[row]):
        return {"place": None}
    members = np.flatnonzero((view.peers == view.peers[row]) & ~np.isnan(view.final))
    order = members[np.argsort(-view.final[members], kind="stable")]
    at = int(np.flatnonzero(order == row)[0])
    taken = view.final[members[view.rank[members] > 0]]
    around = order[max(0, at - 2) : at + 3].tolist()
    return {
        "place": at + 1,
        "members": len(members),
        "taken": len(taken),
        "line": float(taken.min()) if len(taken) else None,
        "around": sample_cards(browsed, around),
    }


def _neighbours(browsed: BrowsedSelection, row: int) -> list[dict[str, Any]]:
    """Return the samples whose vectors are nearest to that of a row, in the space of the map."""
    view, space = browsed.view, browsed.vectors
    if space is None or space.row_of[row] < 0:
        return []
    nearness = _cosines(space.vectors, int(space.row_of[row]))
    own = np.full(len(view), -np.inf, dtype=np.float32)
    known = space.row_of >= 0
    own[known] = nearness[space.row_of[known]]
    own[row] = -np.inf
    count = min(NEIGHBOURS, int(known.sum()) - 1)
    if count < 1:
        return []
    best = np.argpartition(-own, count - 1)[:count]
    best = best[np.lexsort((best, -own[best]))]
    cards = sample_cards(browsed, best.tolist())
    return [
        {**card, "similarity": float(f"{own[near]:.4g}")}
        for card, near in zip(cards, best.tolist(), strict=True)
    ]


def _cosines(vectors: NDArray[np.float32], row: int) -> NDArray[np.float32]:
    """Return the cosine (m,) of each vector (m, d) with one of them, block by block."""
    own = np.asarray(vectors[row], dtype=np.float32)
    own = own / max(float(np.linalg.norm(own)), 1e-12)
    found = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[start : start + _BLOCK])
        lengths = np.maximum(np.linalg.norm(block, axis=1), 1e-12)
        found[start : start + _BLOCK] = block @ own / lengths
    return found
