"""How many answers of each group do not fit their own pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.contracts import Groups
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.reports.ownpictures import own_picture_shares
from ig4.core.engine.selecting.select import select
from ig4.core.events import Notice
from ig4.core.records import Choice

from ....conftest import record


def groups(labels, *names):
    return Groups(names, np.array(labels, dtype=np.int64))


def test_an_answer_fits_if_it_is_better_than_80_percent_of_the_others():
    (one,) = own_picture_shares(groups([0, 0, 0, 0], "a"), np.array([79.9, 80.0, 100.0, 10.0]))
    assert (one.members, one.share, one.pool_share) == (4, 0.5, 0.5)


def test_the_worst_group_stands_first_and_only_scored_samples_count():
    found = own_picture_shares(
        groups([0, 0, 1, 1, 1, -1, 2], "a", "b", "c"),
        np.array([90.0, 10.0, 10.0, 10.0, np.nan, 10.0, np.nan]),
    )
    assert [(one.group, one.members, one.share) for one in found] == [("b", 2, 1.0), ("a", 2, 0.5)]
    assert {one.pool_share for one in found} == {0.8}
    assert own_picture_shares(groups([0], "a"), np.array([np.nan])) == ()


def test_a_group_stands_out_by_20_points_if_it_has_20_members():
    percent = np.repeat([10.0, 90.0], [30, 100])
    labels = np.repeat([0, 1], [30, 100])
    bad, good = own_picture_shares(groups(labels, "bad", "good"), percent)
    assert bad.stands_out
    assert not good.stands_out
    few = own_picture_shares(groups(np.repeat([0, 1], [19, 111]), "few", "good"), percent)
    assert not few[0].stands_out


@pytest.fixture
def half_wrong(session, folder, read, tmp_path):
    """40 questions about colors whose answers fit their pictures, and 40 about counts, not."""
    records, rows = [], []
    for n in range(40):
        records.append(record(f"c{n:02d}", f"It is shade {n}.", instruction="What color is it?"))
        records.append(record(f"h{n:02d}", f"{n}", instruction="How many dogs are there?"))
        rows += [{"id": f"c{n:02d}", "fits": 0.95}, {"id": f"h{n:02d}", "fits": n / 100}]
    folder.write(*records)
    dataset = read().dataset
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", "own-picture", "fits"))
    return dataset


@pytest.mark.parametrize("selector", ["random", "balanced", "topk"])
def test_every_selection_tells_a_group_whose_answers_do_not_fit(session, half_wrong, selector):
    heard = []
    session.listeners = [*session.listeners, heard.append]
    request = SelectionRequest(size=10, selector=Choice("selector", selector))
    result = select(session, half_wrong, request)
    first, second = result.report["own_pictures"]
    assert "how many" in first["group"]
    assert (first["share"], second["share"], first["pool_share"]) == (1.0, 0.0, 0.5)
    told = [event.text for event in heard if isinstance(event, Notice)]
    (said,) = [text for text in told if "own pictures" in text]
    assert "how many" in said
    assert "100%" in said
    assert "of all samples 50%" in said


def test_without_the_score_nothing_is_told(session, folder, read):
    folder.write(*[record(f"c{n:02d}", f"It is shade {n}.") for n in range(40)])
    request = SelectionRequest(size=10, selector=Choice("selector", "random"))
    assert select(session, read().dataset, request).report["own_pictures"] == []
