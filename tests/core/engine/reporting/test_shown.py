"""Which samples a page shows: all of a few, and else the selected and a seeded draw."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.engine.reporting import shown
from ig4.core.engine.reporting.galleries import galleries
from ig4.core.engine.reporting.shown import shown_samples
from ig4.core.engine.reporting.view import selection_view

from ....harbour import QUOTA, N


@pytest.fixture
def view(docked, dataset):
    return selection_view(docked, dataset, QUOTA)


def test_a_small_data_set_is_shown_whole(view):
    found = shown_samples(view, [])
    assert found.rows.tolist() == list(range(N))
    assert found.told == f"all {N} samples"
    assert found.drawn == 0
    assert sorted(found.first.tolist()) == list(range(N))
    assert found.first[:12].tolist() == view.selected.tolist()


def test_of_a_large_one_all_selected_and_all_of_the_galleries(docked, view, monkeypatch):
    monkeypatch.setattr(shown, "LEAST", 5)
    lists = [one for one in galleries(docked, view) if one.key == "edge"]
    found = shown_samples(view, lists, 10)
    named = {*view.selected.tolist(), *lists[0].rows}
    assert named <= set(found.rows.tolist())
    assert len(found.rows) == len(named) + 5
    assert found.drawn == 5
    assert f"5 of the other {N - len(named)}" in found.told
    assert found.rows.tolist() == sorted(found.rows.tolist())
    assert sorted(found.first.tolist()) == found.rows.tolist()


def test_what_is_drawn_depends_on_the_seed_alone(view, monkeypatch):
    monkeypatch.setattr(shown, "LEAST", 5)
    np.testing.assert_array_equal(
        shown_samples(view, [], 10).rows, shown_samples(view, [], 10).rows
    )
    other = view.selection.config | {"seed": 6}
    changed = shown_samples(_with_config(view, other), [], 10)
    assert changed.rows.tolist() != shown_samples(view, [], 10).rows.tolist()


def _with_config(view, config):
    from dataclasses import replace

    return replace(view, selection=replace(view.selection, config=config))
