"""Every result says itself in a line, shows itself in a notebook, and becomes a DataFrame."""

from __future__ import annotations

import json

import pytest

import ig4


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each verb returns, by its name."""
    folder = tmp_path_factory.mktemp("results")
    rows = [{"id": f"s{n}", "instruction": "What <b>?", "answer": "word " * n} for n in range(1, 7)]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    db = folder / "ig4.db"
    made = {
        "IngestResult": ig4.ingest(data, db=db),
        "ScoreResult": ig4.score(db, scorers=["length"], check=False),
        "CheckResult": ig4.check(db, scorers=["length"], pairs=4),
        "GroupsResult": ig4.groups(db),
        "ScoreSpace": ig4.score(db, spaces=["text"]),
        "ClusterResult": ig4.cluster(db, clusterer="kmeans", k=2, space="text"),
        "SelectionResult": ig4.select(db, size=2, selector="topk", name="best"),
        "Explanation": ig4.explain("s1", db, selection="best"),
        "ExportResult": ig4.export(folder / "best.jsonl", db=db, selection="best"),
        "RunResult": ig4.run(
            data, db=db, scorers=["length"], size=3, cluster={"clusterer": "none"},
            export={"path": folder / "run.jsonl"},
        ),
    }  # fmt: skip
    del made["ScoreSpace"]
    return made


LINES = {
    "IngestResult": "<IngestResult rows: 6 samples (read as jsonl)>",
    "ScoreResult": "<ScoreResult rows: length 6 computed>",
    "GroupsResult": "<GroupsResult auto: 1 group of rows>",
    "ClusterResult": "<ClusterResult kmeans: 2 clusters of rows>",
    "SelectionResult": '<SelectionResult 1 "best": 2 of 6 samples of rows>',
    "Explanation": "<Explanation s1: not selected, place 6 of 6>",
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_says_what_it_is(results, name):
    assert repr(results[name]) == LINES[name]


NAMES = [*LINES, "CheckResult", "ExportResult", "RunResult"]


@pytest.mark.parametrize("name", NAMES)
def test_every_result_has_a_line_a_view_and_a_frame(results, name):
    result = results[name]
    assert repr(result).startswith(f"<{name} ")
    assert "\n" not in repr(result)
    shown = result._repr_html_()
    assert "<table" in shown
    assert "<b>?" not in shown
    assert "<script" not in shown
    pandas = pytest.importorskip("pandas")
    frame = result.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) > 0


def test_a_run_tells_of_each_stage(results):
    rows = pytest.importorskip("pandas") and results["RunResult"].to_pandas()
    assert rows["stage"].tolist() == ["ingest", "score", "select", "export"]
    assert rows["result"][2] == "2: 3 of 6 samples of rows"
