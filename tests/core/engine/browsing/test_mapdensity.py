"""What is drawn of a map: points when few are in sight, else how many lie where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ig4.core.engine.browsing.mapdensity import (
    CELLS,
    MapBox,
    MapDensity,
    MapPoints,
    map_part,
    normalised_places,
)

PLACES = hnp.arrays(np.float32, st.tuples(st.integers(0, 60), st.just(2)),
                    elements=st.floats(-5, 5, width=32) | st.just(np.nan))  # fmt: skip
BOXES = st.builds(
    lambda a, b, w, h: MapBox(a, b, a + w, b + h),
    st.floats(-0.2, 1), st.floats(-0.2, 1), st.floats(0.01, 1), st.floats(0.01, 1),
)  # fmt: skip


@given(PLACES, BOXES, st.integers(0, 10), st.randoms(use_true_random=False))
def test_every_sample_in_the_box_is_counted_once(coordinates, box, points, random):
    places = normalised_places(coordinates)
    n = len(places)
    mask = np.array([random.random() < 0.8 for _ in range(n)], dtype=bool)
    chosen = np.array([random.random() < 0.3 for _ in range(n)], dtype=bool)
    inside = [
        row
        for row in range(n)
        if mask[row]
        and box.left <= places[row][0] <= box.right
        and box.bottom <= places[row][1] <= box.top
    ]
    part = map_part(places, mask, chosen, box, points)
    if len(inside) <= points:
        assert isinstance(part, MapPoints)
        assert part.rows.tolist() == inside
        assert part.selected.tolist() == [chosen[row] for row in inside]
    else:
        assert isinstance(part, MapDensity)
        assert part.everyone.shape == (CELLS, CELLS)
        assert part.everyone.sum() == len(inside)
        assert part.selected.sum() == sum(chosen[row] for row in inside)
        assert (part.selected <= part.everyone).all()


@given(PLACES)
def test_places_are_between_0_and_1_in_the_same_order(coordinates):
    found = normalised_places(coordinates)
    known = ~np.isnan(coordinates).any(axis=1)
    assert np.isnan(found[~known]).all()
    assert ((found[known] >= 0) & (found[known] <= 1)).all()
    for axis in (0, 1):
        order = np.argsort(coordinates[known, axis], kind="stable")
        assert (np.diff(found[known, axis][order]) >= 0).all()


def test_places_that_are_all_equal_are_in_the_middle():
    assert normalised_places(np.full((3, 2), 7, dtype=np.float32)).tolist() == [[0.5, 0.5]] * 3


@pytest.mark.parametrize(
    ("place", "cell"), [((0, 0), (0, 0)), ((1, 1), (255, 255)), ((0.5, 0), (0, 128))]
)
def test_cells_begin_at_the_bottom_left(place, cell):
    places = np.array([place], dtype=np.float32)
    yes = np.ones(1, dtype=bool)
    part = map_part(places, yes, yes, MapBox(), points=0)
    assert np.argwhere(part.everyone).tolist() == [list(cell)]
