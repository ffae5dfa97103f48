"""What if: equal to `ig4 select` with the same settings, and what enters and leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ig4.core.engine.browsing.library import Library
from ig4.core.engine.browsing.whatif import WhatIfRequest
from ig4.core.engine.scoring.columns import drop_column
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.draft import draft_selection
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.records import Choice

from ....harbour import BALANCED, QUOTA, RANDOM, REQUESTS, TOPK, N

CASES = {
    QUOTA: [
        {"weights": {"gpt": 0.1, "look": 0.9}}, {"size": 30}, {"scale": "percentile"},
        {"weights": {"gpt": -1.0}, "size": 7, "scale": "minmax"}, {"weights": {"look": 0.0}},
    ],
    TOPK: [{"size": 25}, {"size": 1, "scale": "zscore"}],
    BALANCED: [{"size": 20}, {"weights": {"gpt": 0.5}}, {"size": 5, "scale": "minmax"}],
    RANDOM: [{"size": 11}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "changes"), [(number, one) for number, many in CASES.items() for one in many]
)
def test_it_is_what_select_would_take(opened, moored, number, changes):
    browsed = opened(number)
    request = replace(REQUESTS[number], **{k: v for k, v in changes.items() if k != "weights"})
    own = {one.name: one.weight for one in browsed.view.counting}
    asked = replace(request, weights=own | changes.get("weights", {}))
    draft = draft_selection(moored, browsed.view.dataset, asked)
    result = browsed.whatif.select(WhatIfRequest(**changes))
    np.testing.assert_array_equal(
        browsed.view.sample_ids[result.rows], draft.table.sample_ids[draft.rows]
    )
    np.testing.assert_allclose(result.final, draft.table.final[draft.rows])


@pytest.mark.parametrize("scale", ["percentile", "minmax"])
def test_percents_within_groups_are_those_of_all_samples(docked, scale):
    dataset = docked.dataset("harbour")
    request = SelectionRequest(size=9, scorers=("look",), within="auto", scale=scale,
                               selector=Choice("selector", "topk"))  # fmt: skip
    made = select(docked, dataset, request)
    browsed = Library(docked, made.id).get()
    result = browsed.whatif.select(WhatIfRequest(scale="zscore", size=20))
    draft = draft_selection(docked, dataset, replace(request, scale="zscore", size=20))
    np.testing.assert_allclose(result.final, draft.table.final[draft.rows])


@pytest.mark.parametrize("number", [QUOTA, TOPK, RANDOM, BALANCED])
def test_without_a_change_nothing_enters_and_nothing_leaves(opened, number):
    browsed = opened(number)
    result = browsed.whatif.select(WhatIfRequest())
    assert result.rows.tolist() == browsed.view.selected.tolist()
    assert len(result.entered) == len(result.left) == 0


def test_what_enters_and_leaves_is_the_difference(opened):
    browsed = opened(QUOTA)
    result = browsed.whatif.select(WhatIfRequest(weights={"gpt": 0.0, "look": 1.0}, size=15))
    now, then = set(browsed.view.selected.tolist()), set(result.rows.tolist())
    assert set(result.entered.tolist()) == then - now
    assert set(result.left.tolist()) == now - then
    assert len(now) - len(result.left) + len(result.entered) == 15


def test_the_scores_and_the_lines_are_those_of_the_new_selection(opened):
    browsed = opened(QUOTA)
    result = browsed.whatif.select(WhatIfRequest(weights={"gpt": 0.2, "look": 0.8}, size=15))
    np.testing.assert_array_equal(result.scores[result.rows], result.final)
    peers = browsed.view.peers
    for contest, line in result.lines.items():
        taken = [row for row in result.rows.tolist() if peers[row] == contest]
        assert line == min(result.scores[row] for row in taken)
    for row in result.left.tolist():
        assert result.scores[row] <= result.lines[int(peers[row])]
    assert len(result.left) > 0
    assert result.ranks[int(result.rows[4])] == 5


def test_without_a_change_the_lines_are_those_of_the_selection(opened):
    for number in (QUOTA, TOPK):
        browsed = opened(number)
        assert browsed.whatif.select(WhatIfRequest()).lines == browsed.view.lines
    assert opened(RANDOM).whatif.select(WhatIfRequest()).lines == {}


def test_an_indicator_that_did_not_count_can(opened):
    browsed = opened(QUOTA)
    result = browsed.whatif.select(WhatIfRequest(weights={"length": 5.0}))
    assert len(result.rows) == 12
    assert len(result.entered) > 0
    length = next(one for one in browsed.view.columns if one.name == "length")
    assert length.raw[result.rows].mean() > length.raw[browsed.view.selected].mean()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "from 1 to 63 can be selected"),
        ({"size": N}, "from 1 to 63 can be selected"),
        ({"weights": {"gtp": 1.0}}, "no scores called 'gtp'"),
        ({"scale": "metres"}, "metres"),
        ({"weights": {"gpt": 1e308, "look": 1e308}}, "larger than any number"),
    ],
)
def test_what_cannot_be_selected_is_refused(opened, changes, message):
    with pytest.raises(UsageError, match=message):
        opened(QUOTA).whatif.select(WhatIfRequest(**changes))


def test_an_indicator_that_samples_lack_cannot_count(opened):
    with pytest.raises(UsageError, match="look cannot count here"):
        opened(TOPK).whatif.select(WhatIfRequest(weights={"look": 1.0}))


def test_a_selection_that_cannot_be_made_again_says_why(docked, dataset_of):
    drop_column(docked, dataset_of("harbour"), "look")
    browsed = Library(docked, QUOTA).get()
    with pytest.raises(UsageError, match=r"cannot be made again: .*look"):
        browsed.whatif.select(WhatIfRequest())


@pytest.fixture
def dataset_of(docked):
    return docked.dataset
