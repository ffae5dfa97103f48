"""A selection in Python and in a notebook: what it was made of, read from its database again."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.records import Choice
from ig4.storage.errors import DatabaseMissingError

from ...conftest import record

TOP = Choice("selector", "topk")


@pytest.fixture
def made(session, folder, read, tmp_path):
    """The best two of three samples by `gpt`; two have images, one of which is gone."""
    folder.picture("red.png", (250, 0, 0))
    folder.write(
        record("a", "one", "red.png"), record("b", "two <b>", "gone.png"), record("c", "3")
    )
    dataset = read().dataset
    rows = [{"id": name, "x": value} for name, value in (("a", 90), ("b", 80), ("c", 10))]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    import_scores(session, dataset, ScoreColumn(tmp_path / "x.json", "gpt", "x"))
    return select(session, dataset, SelectionRequest(size=2, selector=TOP, weights={"gpt": 0.5}))


def test_a_line_says_what_it_is(made):
    assert repr(made) == "<SelectionResult 1: 2 of 3 samples of set>"
    assert str([made]) == "[<SelectionResult 1: 2 of 3 samples of set>]"


def test_a_named_one_is_called_so(session, made):
    dataset = session.dataset()
    request = SelectionRequest(size=2, selector=TOP, weights={"gpt": 0.5})
    named = select(session, dataset, request, name="best")
    assert repr(named) == '<SelectionResult 1 "best": 2 of 3 samples of set>'


def test_a_frame_has_scores_percents_texts_and_paths(made):
    frame = (pytest.importorskip("pandas") and made).to_pandas()
    assert frame.columns.tolist() == [
        "id", "rank", "cluster", "final_score", "quota", "gpt", "gpt_percent", "instruction",
        "answer", "image_path", "image_paths",
    ]  # fmt: skip
    first, second = frame.to_dict("records")
    assert (first["id"], first["gpt"], first["gpt_percent"]) == ("a", 90, 90)
    assert (first["final_score"], first["answer"]) == (45, "one")
    assert first["image_path"].endswith("red.png")
    assert second["image_paths"][0].endswith("gone.png")


def test_it_works_when_the_session_is_over_and_keeps_nothing_open(session, made, folder):
    pytest.importorskip("pandas")
    session.store.close()
    assert made.to_pandas()["answer"].tolist() == ["one", "two <b>"]
    assert session.store.engine.pool.checkedout() == 0


def test_scores_are_those_it_was_selected_by_and_changed_texts_are_told(
    session, made, folder, read, tmp_path
):
    pytest.importorskip("pandas")
    (tmp_path / "y.csv").write_text("id,y\na,1\nb,2\nc,3\n")
    import_scores(
        session, session.dataset(), ScoreColumn(tmp_path / "y.csv", "gpt", "y", replace=True)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made.to_pandas()["gpt"].tolist() == [90, 80]
    folder.write(record("a", "new", "red.png"), record("b", "two <b>", "gone.png"))
    read()
    with pytest.warns(UserWarning, match="1 sample of selection 1 has changed since"):
        assert made.to_pandas()["answer"].tolist() == ["new", "two <b>"]


def test_a_notebook_sees_pictures_and_escaped_texts(made):
    shown = made._repr_html_()
    assert shown.count("data:image/webp;base64,") == 1
    assert "two &lt;b&gt;" in shown
    assert "<script" not in shown
    assert "SelectionResult 1: 2 of 3 samples of set" in shown


def test_without_its_database_a_frame_is_refused_and_a_view_has_what_is_known(made, session):
    pytest.importorskip("pandas")
    session.store.close()
    Path(session.store.engine.url.database).unlink()
    with pytest.raises(DatabaseMissingError):
        made.to_pandas()
    assert "data:image" not in made._repr_html_()
    assert "45" in made._repr_html_()


def test_secrets_of_the_database_are_not_shown(made):
    hidden = replace(made, database=make_url("postgresql+psycopg://me:hunter2@nowhere.invalid/x"))
    assert "hunter2" not in repr(hidden)
    assert "hunter2" not in repr(hidden.database)
    assert "hunter2" not in json.dumps(hidden.to_dict())
