"""What every selection is told with: its mix, effective weights, duplicates, and notices."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.vectors import VectorSource, import_vectors
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain, explain_last
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.events import Notice
from ig4.core.records import Choice
from ig4.storage import selections

from ....conftest import record

TOP = Choice("selector", "topk")
RANDOM = Choice("selector", "random")
BALANCED = Choice("selector", "balanced")


@pytest.fixture
def mixed(session, folder, read, tmp_path):
    """60 questions about colors, scored 0 to 59, and 60 about counts, scored 40 to 99."""
    records, rows = [], []
    for n in range(60):
        records.append(record(f"c{n:02d}", f"It is shade {n}.", instruction="What color is it?"))
        records.append(record(f"h{n:02d}", f"{n}", instruction="How many dogs are there?"))
        rows += [{"id": f"c{n:02d}", "gpt": n, "flat": 50 + n % 2},
                 {"id": f"h{n:02d}", "gpt": 40 + n, "flat": 50 + n % 2}]  # fmt: skip
    folder.write(*records)
    dataset = read().dataset
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    for name in ("gpt", "flat"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", name, name))
    return dataset


@pytest.fixture
def told(session):
    """The notices of the session, as they come."""
    heard = []
    session.listeners = [*session.listeners, heard.append]
    return lambda: [event.text for event in heard if isinstance(event, Notice)]


def request(**more):
    return SelectionRequest(**{"size": 20, "scorers": ("gpt",), "selector": TOP, **more})


def test_the_mix_of_a_selection_stands_beside_that_of_its_pool(session, mixed, told):
    result = select(session, mixed, request())
    mix = result.report["composition"]
    assert mix["tv"] == pytest.approx(0.5)
    assert {one["name"].split(" ·")[0]: one["selected"] for one in mix["groups"]}
    assert sorted(one["selected"] for one in mix["groups"]) == [0, 20]
    assert [one["pool_share"] for one in mix["groups"]] == [0.5, 0.5]
    (warning,) = [text for text in told() if "leaves the mix" in text]
    assert "50%" in warning
    assert "none at all of" in warning
    assert "--recipe balanced" in warning


def test_balanced_keeps_the_mix_and_is_not_sent_to_itself(session, mixed, told):
    result = select(session, mixed, request(selector=BALANCED))
    assert result.report["composition"]["tv"] == 0
    assert not [text for text in told() if "--recipe balanced" in text]


def test_a_selector_without_scores_is_told_of_like_any_other(session, mixed):
    result = select(session, mixed, request(selector=RANDOM, scorers=None))
    assert {one.final_score for one in result} == {None}
    assert result.report["composition"]["tv"] < 0.3
    assert result.report["effective_weights"] == {}
    assert result.report["duplicates"]["same"] == 0


def test_a_data_set_without_scores_can_be_selected_from(session, folder, read):
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(10)))
    result = select(session, read().dataset, request(size=3, selector=RANDOM, scorers=None))
    assert len(result) == 3


def test_a_weight_that_decides_less_than_it_says_is_told(session, mixed, told):
    weights = {"gpt": 0.2, "flat": 0.8}
    result = select(session, mixed, request(scorers=("gpt", "flat"), weights=weights))
    worth = result.report["effective_weights"]
    assert worth["gpt"]["share"] > 0.9
    assert worth["gpt"]["correlation"] > 0.99
    assert worth["flat"]["weight"] == 0.8
    (notice,) = [text for text in told() if "the weights are not what decides" in text]
    assert "gpt 0.2 is worth 9" in notice


def test_where_scores_only_reject_weights_are_not_spoken_of(session, mixed, told):
    weights = {"gpt": 0.2, "flat": 0.8}
    select(
        session,
        mixed,
        request(scorers=("gpt", "flat"), weights=weights, selector=BALANCED),
    )
    assert not [text for text in told() if "what decides" in text]


def test_repeated_samples_are_counted(session, folder, read, tmp_path, told):
    folder.write(
        record("a", "The same."), record("b", "The same."), record("c", "The same, too."),
        record("d", "Another one entirely, with more words."),
    )  # fmt: skip
    dataset = read().dataset
    result = select(session, dataset, request(size=4, selector=RANDOM, scorers=None))
    found = result.report["duplicates"]
    assert found["same"] == 1
    assert {"a", "b"} in [set(pair) for pair in found["pairs"]]
    assert any("repeats another one of the selection" in text for text in told())


def test_a_group_that_is_low_throughout_is_told(session, mixed, told):
    result = select(session, mixed, request(selector=BALANCED))
    low = [level for level in result.report["levels"] if level["deviations"] < 0]
    assert low == []  # 0.7 standard deviations apart
    assert not [text for text in told() if "whole groups stand out" in text]


def test_a_kind_that_is_broken_is_told_by_columns_that_do_not_count(session, mixed, told, tmp_path):
    rows = [{"id": f"{kind}{n:02d}", "whole": 0 if kind == "h" and n < 48 else 1}
            for kind in "ch" for n in range(60)]  # fmt: skip
    (tmp_path / "whole.json").write_text(json.dumps(rows))
    import_scores(session, mixed, ScoreColumn(tmp_path / "whole.json", "ending", "whole"))
    result = select(session, mixed, request(selector=BALANCED))
    (low,) = result.report["levels"]
    assert (low["group"], low["scorer"], low["mean"]) == ("how many", "ending", 20)
    assert any("how many: ending 20.0 beside 60.0" in text for text in told())


def test_samples_without_an_image_stay_where_a_selector_compares_within_kinds(
    session, folder, read, tmp_path, told
):
    seen = [record(f"i{n:02d}", f"Shade {n}.", "a.png", instruction="What color?")
            for n in range(30)]  # fmt: skip
    unseen = [record(f"t{n:02d}", f"{n}", instruction="How many?") for n in range(30)]
    folder.write(*seen, *unseen)
    dataset = read().dataset
    rows = [{"id": f"{kind}{n:02d}", "gpt": n, **({"clip": n / 100} if kind == "i" else {})}
            for kind in "it" for n in range(30)]  # fmt: skip
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    for name in ("gpt", "clip"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", name, name))
    both = ("clip", "gpt")
    result = select(session, dataset, request(selector=BALANCED, scorers=both))
    without = {one.external_id: one.final_score for one in result.chosen if one.final_score is None}
    assert len(without) == 10  # the mix is kept
    assert all(name.startswith("t") for name in without)
    assert all(int(name[1:]) >= 7 for name in without)  # of the tails of gpt there is none
    assert any("30 samples without an image have no clip score" in text for text in told())
    explained = explain(session, dataset, request(selector=BALANCED, scorers=both), min(without))
    assert explained.scores["clip"]["percent"] is None
    top = select(session, dataset, request(scorers=both))  # what ranks has to compare
    assert all(one.external_id.startswith("i") for one in top.chosen)


def test_scaling_within_groups_hides_no_group(session, mixed, tmp_path):
    rows = [{"id": f"{kind}{n:02d}", "steep": n / 60 + (90 if kind == "c" and n < 30 else 0)}
            for kind in "ch" for n in range(60)]  # fmt: skip
    (tmp_path / "steep.json").write_text(json.dumps(rows))
    import_scores(session, mixed, ScoreColumn(tmp_path / "steep.json", "steep", "steep"))
    apart = [select(session, mixed, request(scorers=("steep",), **more)).report["levels"]
             for more in ({}, {"within": "form"})]  # fmt: skip
    assert apart[0] == apart[1]


def test_the_report_is_stored_with_the_selection(session, mixed):
    result = select(session, mixed, request(name="best"))
    with session.store.reading() as connection:
        name, report = selections.report(connection, result.id)
    assert name == "best"
    assert report == json.loads(json.dumps(dict(result.report)))


def test_the_same_selection_keeps_its_name(session, mixed):
    first = select(session, mixed, request(name="best"))
    again = select(session, mixed, request())
    assert again.id == first.id
    with session.store.reading() as connection:
        assert selections.report(connection, first.id)[0] == "best"


def test_a_funnel_leaves_out_takes_and_says_so(session, mixed, told):
    stages = (
        Stage("reject", {"gpt": (50.0, 100.0)}, within="form"),
        Stage("take", selector=TOP, size=40),
    )
    result = select(session, mixed, request(selector=RANDOM, stages=stages))
    assert [(one["before"], one["after"]) for one in result.report["stages"]] == [
        (120, 60), (60, 40),
    ]  # fmt: skip
    assert result.config["stages"][0]["within"] == "form"
    assert "stage 1 (reject) left out 60 samples of 120" in told()
    assert {int(one.external_id[1:]) >= 30 for one in result} == {True}


def test_it_is_told_which_stage_left_a_sample_out(session, mixed):
    stages = (Stage("dedup"), Stage("reject", {"gpt": (50.0, 100.0)}, within="form"))
    asked = request(selector=TOP, stages=stages)
    why = explain(session, mixed, asked, "c03")
    assert not why.selected
    assert why.reason.startswith("stage 2 (reject): gpt is below percentile 50 of its group")
    select(session, mixed, asked)
    assert explain_last(session, mixed, request(), "c03").reason == why.reason


def test_stages_that_leave_too_few_are_refused(session, mixed):
    stages = (Stage("reject", {"gpt": (90.0, 100.0)}),)
    with pytest.raises(UsageError, match=r"the stages of the selection leave 1. of 120"):
        select(session, mixed, request(stages=stages))


def test_scores_can_be_scaled_within_groups(session, mixed):
    result = select(session, mixed, request(scale="percentile", within="form"))
    assert result.report["composition"]["tv"] == 0
    assert result.config["within"] == "form"


def test_scores_can_be_combined_otherwise(session, mixed):
    weights = {"gpt": 1.0, "flat": 1.0}
    result = select(
        session, mixed, request(scorers=("gpt", "flat"), weights=weights, combine="min")
    )
    assert max(one.final_score for one in result) <= 51
    assert result.config["combine"] == "min"


def test_a_grouper_that_is_unknown_is_refused(session, mixed):
    with pytest.raises(UsageError, match=r"unknown grouper 'forms'; did you mean form\?"):
        select(session, mixed, request(groups="forms"))
    with session.store.reading() as connection:
        assert selections.last(connection, mixed.id) is None


def test_the_mix_is_that_of_the_data_set_though_some_samples_cannot_be_compared(
    session, mixed, tmp_path, told
):
    """Of the 60 questions about counts 50 have no score: the selection has none of them."""
    rows = [{"id": f"c{n:02d}", "some": 100 + n} for n in range(60)]
    rows += [{"id": f"h{n:02d}", "some": n} for n in range(10)]
    (tmp_path / "some.json").write_text(json.dumps(rows))
    import_scores(session, mixed, ScoreColumn(tmp_path / "some.json", "some", "some"))
    result = select(session, mixed, request(scorers=("some",)))
    counts = {one["name"]: one for one in result.report["composition"]["groups"]}
    assert sorted((one["pool"], one["candidates"]) for one in counts.values()) == [
        (60, 10), (60, 60),
    ]  # fmt: skip
    assert result.report["composition"]["tv"] == pytest.approx(0.5)
    assert any("leaves the mix" in text for text in told())


def test_a_recipe_is_not_made_of_other_scores_than_its_own(session, mixed):
    asked = request(name="deita", requires=("deita.quality", "gpt"))
    with pytest.raises(
        UsageError, match=r"selects by deita\.quality.*`ig4 run --dataset set --recipe deita`"
    ):
        select(session, mixed, asked)


def test_balanced_explains_itself(session, mixed):
    select(session, mixed, request(selector=BALANCED))
    why = explain_last(session, mixed, request(), "c03")
    assert why.details["rejected_by"] == [
        "gpt is below percentile 25 of its group (5.8)",
    ]
    assert why.place is None
    assert why.details["quota"] == 10


def test_the_record_tells_selections_apart_that_other_vectors_made(session, folder, read, tmp_path):
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(10)))
    dataset = read().dataset
    asked = request(
        size=3, selector=Choice("selector", "k-center", {"space": "mine"}), scorers=None
    )

    def chosen_by(vectors):
        np.save(tmp_path / "x.npy", vectors)
        import_vectors(session, dataset, VectorSource(tmp_path / "x.npy", "mine", replace=True))
        return select(session, dataset, asked)

    vectors = np.eye(10, dtype=np.float32)
    first, again = chosen_by(vectors), chosen_by(vectors)
    other = chosen_by(vectors * 2)  # which has the same directions
    assert first.id == again.id
    assert other.ids == first.ids
    assert other.id != first.id
    (one,), (two,) = (
        done.config["reads"]["spaces_read"].values() for done in (first, other)
    )  # digests
    assert one != two


def test_the_record_has_the_options_of_groupers(session, mixed):
    by_source = Choice("grouper", "source", {"key": "$.id", "min_size": 1}, "mine")
    pool = PoolSettings(groupers={"mine": by_source})
    result = select(
        session,
        mixed,
        request(groups="mine", within="form", scale="percentile", pool=pool),
    )
    assert result.report["grouper"].items() >= {"use": "source", "key": "$.id"}.items()
    assert len(result.report["grouper"]["digest"]) == 32
    (form,) = result.config["reads"]["groups_read"].values()
    assert form["use"] == "form"
    assert form["digest"] != result.report["grouper"]["digest"]
    json.dumps(result.to_dict())
