"""Percents are on the scale of the scorer and the options that the scores were made with."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain_last
from ig4.core.engine.selecting.select import select
from ig4.core.errors import PluginError, UsageError
from ig4.core.records import Choice

from ...conftest import record

ALL = {"fraction": 1.0, "clustering": "none"}


@pytest.fixture
def dataset(folder, read):
    """Answers of 10 and of 20 words."""
    folder.write(record("ten", "word " * 10), record("twenty", "word " * 20))
    return read().dataset


@pytest.fixture
def rate(session, dataset):
    def _rate(label="ratio", **options):
        score(session, dataset, ScoreRequest([Choice("scorer", "ratio", options, label)]))

    return _rate


def finals(session, dataset, *names, **request):
    weights = dict.fromkeys(names or ("ratio",), 1.0)
    made = select(session, dataset, SelectionRequest(weights=weights, **ALL | request))
    return {one.external_id: one.final_score for one in made}


def change(session, sql):
    with session.store.writing() as connection:
        connection.execute(text(sql))


def test_the_options_of_the_scores_are_those_of_the_scale(session, dataset, rate):
    rate(maximum=1000)
    assert finals(session, dataset) == {"ten": 1.0, "twenty": 2.0}
    told = explain_last(session, dataset, SelectionRequest(size=1), "twenty")
    assert told.scores["ratio"]["percent"] == 2.0


def test_options_that_change_no_score_change_the_scale_without_scoring_again(
    session, dataset, rate
):
    rate(maximum=1000)
    rate(maximum=50)
    assert finals(session, dataset) == {"ten": 20.0, "twenty": 40.0}


def test_a_selection_is_explained_on_the_scale_that_it_was_made_on(session, dataset, rate):
    rate(maximum=1000)
    finals(session, dataset)
    rate(maximum=50)
    told = explain_last(session, dataset, SelectionRequest(size=1), "twenty")
    assert told.scores["ratio"]["percent"] == 2.0


def test_several_columns_of_one_scorer_have_a_scale_each(session, dataset, rate):
    rate("wide", maximum=1000)
    rate("tight", maximum=20)
    assert finals(session, dataset, "wide") == {"ten": 1.0, "twenty": 2.0}
    assert finals(session, dataset, "tight") == {"ten": 50.0, "twenty": 100.0}
    assert finals(session, dataset, "wide", "tight") == {"ten": 51.0, "twenty": 102.0}


def test_a_plugin_that_is_gone_is_an_error_that_says_what_helps(session, dataset, rate):
    rate()
    change(session, "UPDATE components SET distribution = 'gone' WHERE name = 'ratio'")
    with pytest.raises(UsageError, match=r"ratio cannot be .* gone/ratio, version 1: .*Install"):
        finals(session, dataset)
    assert set(finals(session, dataset, scale="percentile").values()) == {25.0, 75.0}


def test_so_are_options_that_it_does_not_take_any_more(session, dataset, rate):
    rate()
    change(
        session, """UPDATE dataset_scorers SET options = '{"values": {"top": 9}, "hidden": []}'"""
    )
    with pytest.raises(UsageError, match=r"ratio\.top: unknown option"):
        finals(session, dataset)


def test_another_version_is_told(session, dataset, rate, notices):
    rate()
    change(session, "UPDATE components SET version = '0' WHERE name = 'ratio'")
    finals(session, dataset)
    assert any("computed by version 0 of counting/ratio" in text for text in notices())


def test_options_that_an_earlier_ig4_did_not_record_are_told(session, dataset, rate, notices):
    rate(maximum=1000)
    change(session, "UPDATE dataset_scorers SET options = NULL")
    finals(session, dataset)
    assert any("ratio: the options maximum, base_url" in text for text in notices())


def test_an_identity_of_all_options_is_as_good_as_a_record(session, dataset, rate, notices):
    rate()
    change(session, "UPDATE dataset_scorers SET options = NULL")
    identity = '{"maximum": 1000.0, "base_url": null, "access_token": null}'
    change(session, f"UPDATE components SET options = '{identity}' WHERE name = 'ratio'")
    before = len(notices())
    assert finals(session, dataset) == {"ten": 1.0, "twenty": 2.0}
    assert not any("recorded" in text for text in notices()[before:])


def test_a_scale_that_fails_names_its_scorer(session, dataset, rate):
    rate(maximum=13)
    with pytest.raises(PluginError, match=r"to_percent of scorer ratio failed .*13 is unlucky"):
        finals(session, dataset)
    rate(maximum=1e-320)
    with pytest.raises(PluginError, match="ratio must return 2 finite percents"):
        finals(session, dataset)


@pytest.mark.parametrize("scale", ["paper", "percentile", "minmax", "zscore"])
def test_more_is_better_on_every_scale(session, folder, read, scale):
    folder.write(
        record("plain", "A red boat lies on the shore of a lake."),
        record("again", "A red boat. " * 12),
        record("third", "Two dogs run over the grass, and a child looks on."),
    )
    dataset = read().dataset
    score(session, dataset, ScoreRequest([Choice("scorer", "repetition")]))
    final = finals(session, dataset, "repetition", scale=scale)
    assert min(final, key=final.get) == "again"
