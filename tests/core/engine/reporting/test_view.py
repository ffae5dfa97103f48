"""The view of a selection: what every sample scored, and what became of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from ig4.core.contracts import Groups
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.reporting.pagedata import PageRequest
from ig4.core.engine.reporting.report import write_report
from ig4.core.engine.reporting.view import rows_of, selection_view
from ig4.core.engine.scoring.columns import drop_column
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.engine.selecting.select import select
from ig4.core.errors import PluginError
from ig4.core.records import Choice
from ig4.plugins.selectors.balanced import Balanced
from ig4.storage import samples

from ....harbour import (
    BALANCED,
    NO_GPT,
    QUOTA,
    RANDOM,
    REQUESTS,
    TEXT_ONLY,
    TOPK,
    N,
    gpt_score,
    look_score,
    write_data,
)
from ...conftest import record

TOP = Choice("selector", "topk")


def final_score(n):
    """What the selection by quotas ranks by; None where a score is missing."""
    if n in NO_GPT or n in TEXT_ONLY:
        return None
    return 0.7 * gpt_score(n) + 0.3 * look_score(n)


def cluster_of(n):
    return 3 if n < 40 else 5 if n < 65 else 9


def chosen_by_quota(size=12):
    """The rows that a naive reading of the paper's algorithm takes, with their final scores."""
    members = {label: [] for label in (3, 5, 9)}
    for n in range(N):
        if final_score(n) is not None:
            members[cluster_of(n)].append(n)
    total = sum(map(len, members.values()))
    exact = {label: size * len(rows) / total for label, rows in members.items()}
    quotas = {label: int(share) for label, share in exact.items()}
    by_rest = sorted(exact, key=lambda label: (quotas[label] - exact[label], label))
    for label in by_rest[: size - sum(quotas.values())]:
        quotas[label] += 1
    best = {
        label: sorted(rows, key=lambda n: (-final_score(n), n))[: quotas[label]]
        for label, rows in members.items()
    }
    return {n for rows in best.values() for n in rows}


def test_fates_ranks_and_contests_are_those_of_the_algorithm(docked, dataset):
    view = selection_view(docked, dataset, QUOTA)
    chosen = chosen_by_quota()
    for n in range(N):
        fate = view.fates[view.fate[n]]
        if n in chosen:
            assert fate == "selected"
        elif n in TEXT_ONLY:
            assert fate in ("no look score", "no gpt score")
            assert (fate == "no gpt score") <= (n in NO_GPT)
        else:
            assert fate == ("no gpt score" if n in NO_GPT else "not taken")
        assert (view.rank[n] > 0) == (n in chosen)
        known = final_score(n)
        assert view.peers[n] == (-1 if known is None else cluster_of(n))
        assert np.isnan(view.final[n]) if known is None else view.final[n] == pytest.approx(known)
    assert sorted(view.rank[view.rank > 0].tolist()) == list(range(1, 13))
    assert view.rank[view.selected].tolist() == list(range(1, 13))
    assert view.ranks_by_final
    assert not view.changed
    assert view.gone == 0


def test_columns_that_count_come_first_and_the_others_have_their_own_percent(docked, dataset):
    view = selection_view(docked, dataset, QUOTA)
    assert [(one.name, one.weight) for one in view.columns] == [
        ("gpt", 0.7), ("look", 0.3), ("length", None),
    ]  # fmt: skip
    gpt, look, length = view.columns
    for n in range(N):
        assert gpt.raw[n] == gpt_score(n) or (n in NO_GPT and np.isnan(gpt.raw[n]))
        assert look.raw[n] == look_score(n) or (n in TEXT_ONLY and np.isnan(look.raw[n]))
    assert not np.isnan(length.raw).any()
    assert length.percent.max() == pytest.approx(100)
    known = ~np.isnan(view.final)
    np.testing.assert_allclose((gpt.points + look.points)[known], view.final[known])


def test_stages_say_of_each_sample_why_they_left_it_out(docked, dataset):
    view = selection_view(docked, dataset, TOPK)
    assert view.fates[3:] == ("stage 1 (reject)", "stage 2 (dedup)")
    left_out = np.flatnonzero(view.fate >= 3)
    assert len(left_out) == 9
    assert set(view.stage_reasons) == set(view.sample_ids[left_out].tolist())
    repeated = int(np.flatnonzero(view.fate == 4)[0])
    assert repeated == 65
    assert "harbour-060" in view.stage_reasons[int(view.sample_ids[65])]
    assert set(view.peers.tolist()) == {-1, 0}
    assert (view.peers[left_out] == -1).all()


def test_a_selector_that_rejects_by_rules_names_them(docked, dataset):
    view = selection_view(docked, dataset, BALANCED)
    assert "gpt low for its group" in view.fates
    assert "repeats another sample" in view.fates
    assert not view.ranks_by_final
    low = view.fate == view.fates.index("gpt low for its group")
    taken = view.rank > 0
    gpt = view.columns[0].raw
    assert low.any()
    assert np.nanmean(gpt[low]) < np.nanmean(gpt[taken])


def test_a_selection_without_scores_has_no_final_score_and_no_line(docked, dataset):
    view = selection_view(docked, dataset, RANDOM)
    assert np.isnan(view.final).all()
    assert not view.ranks_by_final
    assert view.fates == ("selected", "not taken")
    assert {one.weight for one in view.columns} == {None}
    assert not view.changed


def test_where_scores_are_gone_what_was_chosen_stays_and_why_is_unknown(docked, dataset):
    before = selection_view(docked, dataset, QUOTA)
    drop_column(docked, dataset, "look")
    view = selection_view(docked, dataset, QUOTA)
    assert view.prepared is None
    assert "look" in (view.why_not or "")
    assert view.fates == ("selected", "not selected")
    np.testing.assert_array_equal(view.rank, before.rank)
    taken = view.rank > 0
    np.testing.assert_array_equal(view.final[taken], before.final[taken])
    assert np.isnan(view.final[~taken]).all()
    assert not view.ranks_by_final
    assert (view.peers == -1).all()
    assert {one.name: one.weight for one in view.columns} == {"gpt": 0.7, "length": None}


def test_where_clusters_are_gone_the_numbers_stay(docked, dataset):
    with docked.store.writing() as connection:
        for table in ("cluster_labels", "clusterings"):
            connection.execute(text(f"DELETE FROM {table}"))
    view = selection_view(docked, dataset, TOPK)
    assert view.clusters is None
    assert view.clustering is None
    assert (view.rank > 0).sum() == 10


def test_a_selector_that_is_not_installed_any_more_is_said(docked, dataset):
    with docked.store.writing() as connection:
        connection.execute(
            text("UPDATE selections SET config = replace(config, '\"topk\"', '\"topmost\"')")
        )
    view = selection_view(docked, dataset, TOPK)
    assert view.prepared is None
    assert "topmost" in (view.why_not or "")
    assert view.fates == ("selected", "not selected")


def test_a_record_of_an_older_ig4_is_shown_as_far_as_it_goes(docked, dataset):
    with docked.store.writing() as connection:
        connection.execute(
            text("""UPDATE selections SET config = '{"selector": {"use": "quota"}}'""")
        )
    view = selection_view(docked, dataset, QUOTA)
    assert view.why_not == "its record is not whole"
    assert (view.rank > 0).sum() == 12


def test_scores_that_are_others_today_are_told(docked, dataset):
    with docked.store.writing() as connection:
        connection.execute(text("UPDATE scores SET value = value + 1 WHERE value > 80"))
    view = selection_view(docked, dataset, TOPK)
    assert view.changed
    assert (view.rank > 0).sum() == 10


def test_scores_that_were_put_in_the_place_of_others_leave_the_view_as_it_was(
    docked, dataset, tmp_path
):
    before = selection_view(docked, dataset, TOPK)
    rows = [{"id": f"harbour-{n:03d}", "gpt": 100 - (gpt_score(n) or 0)} for n in range(N)]
    (tmp_path / "new.json").write_text(json.dumps(rows), encoding="utf-8")
    column = ScoreColumn(tmp_path / "new.json", "gpt", "gpt", replace=True)
    import_scores(docked, dataset, column)
    view = selection_view(docked, dataset, TOPK)
    assert not view.changed
    np.testing.assert_array_equal(view.final, before.final)


def test_selected_samples_that_the_data_set_lost_are_counted(docked, tmp_path):
    path = write_data(tmp_path / "data")
    chosen = sorted(chosen_by_quota())
    records = json.loads(path.read_text(encoding="utf-8"))
    kept = [one for n, one in enumerate(records) if n not in chosen[:2]]
    path.write_text(json.dumps(kept), encoding="utf-8")
    ingest(docked, DatasetSource(path, name="harbour", replace=True))
    view = selection_view(docked, docked.dataset("harbour"), QUOTA)
    assert view.gone == 2
    assert view.changed
    assert len(view) == N - 2
    assert (view.rank > 0).sum() == 10


@pytest.fixture
def scored(session, folder, read, tmp_path):
    """Ingest samples with given scores `gpt`, and return their data set."""

    def _scored(*values):
        folder.write(*(record(f"s{n}", f"answer {n}") for n in range(len(values))))
        dataset = read().dataset
        rows = [{"id": f"s{n}", "gpt": value} for n, value in enumerate(values)]
        (tmp_path / "scores.json").write_text(json.dumps(rows), encoding="utf-8")
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", "gpt", "gpt"))
        return dataset

    return _scored


@pytest.mark.parametrize(
    ("values", "size", "taken"),
    [((4.0,), 1, [0]), ((50.0,) * 5, 2, [0, 1]), ((0.0, 9.0, 9.0), 3, [1, 2, 0])],
    ids=["one sample", "all equal", "all taken"],
)
def test_the_smallest_data_sets_have_views(session, scored, values, size, taken):
    dataset = scored(*values)
    made = select(session, dataset, SelectionRequest(size=size, scorers=("gpt",), selector=TOP))
    view = selection_view(session, dataset, made.id)
    assert view.selected.tolist() == taken
    assert len(view) == len(values)


@given(st.lists(st.integers(0, 60), unique=True), st.lists(st.integers(0, 60)))
def test_rows_of_ids_are_where_they_stand(known, asked):
    found = rows_of(np.array(known, dtype=np.int64), np.array(asked, dtype=np.int64))
    assert found.tolist() == [known.index(one) if one in known else -1 for one in asked]


def pinned_low(docked, dataset, selector):
    """Select with the sample of the lowest final score among those that are kept."""
    view = selection_view(docked, dataset, QUOTA)
    row = int(np.nanargmin(view.final))
    with docked.store.reading() as connection:
        sample = int(view.sample_ids[row])
        name = samples.external_ids(connection, [sample], dataset.id)[sample]
    kept = PinRequest(keep=(PinSource(ids=(name,)),))
    request = replace(REQUESTS[QUOTA], pins=kept, selector=Choice("selector", selector))
    return row, selection_view(docked, dataset, select(docked, dataset, request).id)


@pytest.mark.parametrize("selector", ["quota", "topk"])
def test_a_sample_that_is_kept_by_name_is_no_line(docked, dataset, selector):
    row, view = pinned_low(docked, dataset, selector)
    assert view.rank[row] == 1
    assert view.deals_by_cluster == (selector == "quota")
    for contest, line in view.lines.items():
        own = (view.peers == contest) & (view.rank > 0)
        assert line == view.final[own].min() > view.final[row]
    assert (view.line is None) == view.deals_by_cluster


def test_a_selector_whose_rejections_do_not_fit_its_pool_is_named(docked, dataset, monkeypatch):
    monkeypatch.setattr(Balanced, "rejections", lambda *_: Groups(("x",), np.zeros(3, dtype=int)))
    with pytest.raises(PluginError, match=r"rejections\(\) must have a label for each of"):
        selection_view(docked, dataset, BALANCED)


def test_nothing_is_told_twice_or_taken_for_told_by_looking(docked, dataset):
    before = set(docked.told)
    selection_view(docked, dataset, BALANCED)
    assert docked.told == before
    assert docked.quiet().told is not docked.told


def test_a_page_can_be_made_of_scores_that_are_all_but_infinite(
    session, folder, read, tmp_path, no_charts
):
    folder.write(*(record(f"s{n}", "word " * (n + 1)) for n in range(9)))
    dataset = read().dataset
    rows = [{"id": f"s{n}", "huge": (n - 4) * 3e307, "tiny": n * 1e-300} for n in range(9)]
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    for name in ("huge", "tiny"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", name, name))
    topk = Choice("selector", "topk")
    request = SelectionRequest(size=3, scorers=("huge", "tiny"), selector=topk)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        made = select(session, dataset, request)
    worth = made.report["effective_weights"]
    assert [worth[name]["share"] for name in ("huge", "tiny")] == [1.0, 0.0]
    assert worth["huge"]["correlation"] == pytest.approx(1.0)
    result = write_report(session, dataset, made.id, tmp_path / "page.html", PageRequest())
    assert result.path.stat().st_size > 10_000
