"""The library does what the commands do and gives objects that become pandas and numpy."""

from __future__ import annotations

import json
import os

import pytest
from sqlalchemy import text

import ig4

ROWS = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(5)]
PLAIN = {"scorers": ["length"], "cluster": {"clusterer": "none"}}


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def run(data, **more):
    return ig4.run(data, **{"select": {"selector": "topk"}, "size": 2} | PLAIN | more)


def test_a_run_ingests_scores_selects_and_exports(data, tmp_path):
    result = run(data, export={"path": "best.jsonl"})
    assert result.scored.done == {"length": 5}
    assert result.selection.ids == ["s4", "s3"]
    written = (tmp_path / "best.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == [ROWS[4], ROWS[3]]
    assert run(data).scored.done == {"length": 0}


def test_options_and_tables_reach_their_components(data):
    assert run(data, options={"length": {"unit": "words"}}).selection is not None
    with ig4.open("ig4.db") as store, store.reading() as connection:
        sql = "SELECT length FROM scores_wide ORDER BY external_id"
        assert connection.scalars(text(sql)).all() == [1, 2, 3, 4, 5]


def test_what_a_table_says_is_not_undone_by_what_was_left_unsaid(data):
    tables = {"run": {"scorers": ["length"]}, "cluster": {"clusterer": "none"}}
    chosen = {"size": 3, "selector": "topk"}
    result = ig4.run({"path": data, "name": "mine"}, select=chosen, **tables)
    assert (result.dataset.name, len(result.selection)) == ("mine", 3)
    assert list(result.scored.done) == ["length"]


def test_a_misspelled_keyword_is_refused(data):
    with pytest.raises(ig4.Ig4Error, match=r"unknown key exprt; did you mean export\?"):
        run(data, exprt={})


def test_a_selection_becomes_pandas_numpy_and_a_dict(data):
    run(data)
    result = ig4.select(size=3, selector="topk", weights={"length": 1.0})
    array = result.to_numpy()
    assert array["id"].tolist() == result.ids == ["s4", "s3", "s2"]
    assert array["final_score"].tolist() == [one.final_score for one in result]
    assert result.to_dict()["selected"][0]["id"] == "s4"
    frame = pytest.importorskip("pandas") and result.to_pandas()
    assert frame["id"].tolist() == result.ids
    assert frame.columns.tolist()[:5] == ["id", "rank", "cluster", "final_score", "quota"]


def test_selecting_takes_recipes_options_and_tables(data):
    run(data)
    drawn = ig4.select(size=2, recipe="random")
    assert (drawn.label, drawn.config["selector"]["use"]) == ("random", "random")
    space = ig4.select(size=2, selector="k-center", options={"space": "text"})
    assert space.config["selector"]["space"] == "text"
    stages = [{"do": "reject", "tails": {"length": [0, 50]}}]
    few = ig4.select(size=2, selector="topk", select={"stages": stages})
    assert few.ids == ["s2", "s1"]
    assert few.report["stages"][0]["after"] == 3


def test_how_many_has_to_be_said(data):
    run(data)
    with pytest.raises(ig4.Ig4Error, match="say how many samples"):
        ig4.select(selector="topk")


def test_an_open_store_is_used_and_stays_open(data):
    with ig4.open("mine.db") as store:
        run(data, db=store)
        assert ig4.select(store, size=1, selector="topk").ids == ["s4"]
        with store.reading() as connection:
            assert connection.scalar(text("SELECT count(*) FROM scores")) == 5
    assert not os.path.exists("ig4.db")  # noqa: PTH110


def test_selecting_from_a_database_that_is_not_there_makes_none(data):
    with pytest.raises(ig4.Ig4Error, match="no score database"):
        ig4.select("typo.db", size=1)
    assert not os.path.exists("typo.db")  # noqa: PTH110


def test_events_reach_listeners(data):
    told = []
    run(data, listeners=[told.append])
    assert [type(event).__name__ for event in (told[0], told[-1])] == ["RunStarted", "RunFinished"]


def test_columns_of_scores_are_listed_renamed_and_dropped(data):
    run(data)
    assert [column.name for column in ig4.scores()] == ["length"]
    ig4.rename_scores("length", "longest")
    assert ig4.scores()[0].origin["component"] == "ig4/length"
    assert ig4.drop_scores("longest").deleted == 5
    assert ig4.scores() == []
