"""Selecting from stored scores: sizes, weights, scales, gaps, and why a sample was (not) taken."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from ig4.core.engine.checkups.check import check
from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.scoring.columns import drop_column
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain, explain_last
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.select import select
from ig4.core.errors import DatasetError, MissingScoreError, UsageError
from ig4.core.records import Choice

from ...conftest import record

TOP = Choice("selector", "topk")
N = 12


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """s00 to s11: `gpt` 0, 5, … 55; `mine` falling from 11 to 0, none for s11; clusters of 8, 4."""
    folder.write(*(record(f"s{n:02d}", f"answer {n}") for n in range(N)))
    dataset = read().dataset
    rows = [{"id": f"s{n:02d}", "gpt": 5 * n, "mine": N - 1 - n} for n in range(N)]
    rows[-1]["mine"] = None
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    for name in ("gpt", "mine"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", name, name))
    parts = {"4": [f"s{n:02d}" for n in range(8)], "7": [f"s{n:02d}" for n in range(8, N)]}
    (tmp_path / "clusters.json").write_text(json.dumps(parts))
    import_clusters(session, dataset, tmp_path / "clusters.json", "given")
    return dataset


def ids(result):
    return [one.external_id for one in result]


def test_exactly_as_many_as_wished_and_each_cluster_its_share(session, dataset):
    result = select(session, dataset, SelectionRequest(size=6, scorers=("gpt",)))
    assert len(result) == 6
    assert ids(result) == ["s11", "s10", "s07", "s06", "s05", "s04"]
    assert [one.cluster for one in result] == [7, 7, 4, 4, 4, 4]
    assert [one.rank for one in result] == [1, 2, 3, 4, 5, 6]


def choosing(name, **options):
    return {"selector": Choice("selector", name, options)}


@pytest.mark.parametrize(
    "reading",
    [
        {"scorers": ("odd-characters",)},
        {"scorers": ("gpt",), **choosing("ccs", score="odd-characters")},
        {"scorers": ("gpt",), "stages": (Stage("reject", tails={"odd-characters": (25, 100)}),)},
        {
            "scorers": ("gpt",),
            "stages": (Stage("take", selector=choosing("ccs", score="odd-characters")["selector"],
                             size=8),),
        },
    ],
    ids=["counting", "of the selector", "of a tail", "of a stage's selector"],
)  # fmt: skip
def test_a_score_that_is_noise_is_told_wherever_it_is_read(session, dataset, notices, reading):
    score(session, dataset, ScoreRequest((Choice("scorer", "odd-characters"),)))
    check(session, dataset, CheckRequest(["odd-characters"]))
    select(session, dataset, SelectionRequest(size=3, **reading))
    (told,) = [text for text in notices() if "decides nothing" in text]
    assert told.startswith("odd-characters is the same for every sample of set")


def test_a_floor_that_every_sample_passes_is_no_noise(session, dataset, notices):
    score(session, dataset, ScoreRequest((Choice("scorer", "odd-characters"),)))
    check(session, dataset, CheckRequest(["odd-characters"]))
    balanced = choosing("balanced", groups="form", floors={"odd-characters": 50.0})
    with_text = PoolSettings(embedders={"clip": Choice("embedder", "text", {}, "clip")})
    select(session, dataset, SelectionRequest(size=3, scorers=("gpt",), pool=with_text, **balanced))
    assert [text for text in notices() if "decides nothing" in text] == []


@pytest.mark.slow
@pytest.mark.parametrize(("fraction", "size"), [(0.5, 6), (1.0, 12), (0.0001, 1)])
def test_a_fraction_is_of_the_candidates(session, dataset, fraction, size):
    request = SelectionRequest(fraction=fraction, scorers=("gpt",), selector=TOP)
    assert len(select(session, dataset, request)) == size


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (SelectionRequest(), "--size 200 or --fraction"),
        (SelectionRequest(size=3, fraction=0.5), "--size 3 and --fraction 0.5 are both given"),
        (SelectionRequest(size=0), "at least one"),
        (SelectionRequest(size=13, scorers=("gpt",)), "cannot select 13 samples: only 12"),
        (SelectionRequest(fraction=1.5), "not between 0 and 1"),
        (SelectionRequest(size=1, scorers=("gtp",)), r"no scores called 'gtp'; did you mean gpt\?"),
        (SelectionRequest(size=1, scorers=("gpt", "gpt")), "'gpt' is named twice"),
        (SelectionRequest(size=1, scale="papers"), r"unknown scale 'papers'; did you mean paper\?"),
        (SelectionRequest(size=1, weights={"gtp": 1.0}), r"for 'gtp', .*; did you mean gpt\?$"),
        (SelectionRequest(size=1, weights={"gpt": float("nan")}), "weight of gpt is nan"),
        (SelectionRequest(size=1, clustering="other"), "no clustering called 'other'"),
        (SelectionRequest(size=1, selector=Choice("selector", "topp")), r"did you mean topk\?"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_the_reason(session, dataset, wrong, message):
    with pytest.raises(UsageError, match=message):
        select(session, dataset, wrong)


@pytest.mark.parametrize("selector", ["quota", "topk"])
def test_where_nothing_can_be_compared_that_is_said(session, folder, read, tmp_path, selector):
    folder.write(record("a", "one"), record("b", "two"))
    dataset = read().dataset
    (tmp_path / "scores.csv").write_text("id,one,other\na,1,\nb,,2\n")
    for name in ("one", "other"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.csv", name, name))
    (tmp_path / "clusters.json").write_text('{"0": ["a", "b"]}')
    import_clusters(session, dataset, tmp_path / "clusters.json", "given")
    request = SelectionRequest(fraction=0.5, selector=Choice("selector", selector))
    with pytest.raises(UsageError, match="only 0 have all"):
        select(session, dataset, request)


def test_a_sample_that_lacks_a_score_is_left_out_and_counted(session, dataset, notices):
    result = select(session, dataset, SelectionRequest(fraction=1.0, selector=TOP))
    assert len(result) == 11
    assert result.config["left_out"] == {"no mine score": 1}
    assert any("1 sample is left out: 1 with no mine score" in text for text in notices())


@pytest.fixture
def impostor(session, folder, read):
    """A data set of which s1 shows an HTML page, and s2 an image that is missing."""
    folder.picture("0.png", "red")
    (folder.path.parent / "1.png").write_bytes(b"<html><body>Not found</body></html>")
    folder.write(*(record(f"s{n}", "long " * n, f"{n}.png") for n in (3, 2, 1, 0)))
    folder.picture("3.png", "blue")
    dataset = read().dataset
    score(session, dataset, ScoreRequest([Choice("scorer", "length")]))
    return dataset


def test_a_sample_whose_image_file_holds_no_image_is_never_selected(session, impostor, notices):
    result = select(session, impostor, SelectionRequest(fraction=1.0, selector=TOP))
    assert ids(result) == ["s3", "s2"]
    assert result.config["left_out"] == {
        "no length score": 1,
        "an image file that holds no image": 1,
    }
    assert any("1 with an image file that holds no image" in text for text in notices())
    told = explain(session, impostor, SelectionRequest(size=1, selector=TOP), "s1")
    assert told.reason == "left out: it has an image file that holds no image"
    with pytest.raises(MissingScoreError, match="1 has an image file that holds no image"):
        select(session, impostor, SelectionRequest(size=1, selector=TOP, missing="error"))


def test_or_is_an_error_if_so_wished(session, dataset):
    with pytest.raises(MissingScoreError, match="1 has no mine score"):
        select(session, dataset, SelectionRequest(size=1, missing="error"))


def test_a_scorer_without_a_known_weight_gets_an_equal_share_and_that_is_said(
    session, dataset, notices
):
    result = select(session, dataset, SelectionRequest(size=1))
    assert result.config["weights"] == {"gpt": 0.27, "mine": 0.5}
    assert any("no weight is known for mine" in text for text in notices())


def test_scorers_without_a_known_weight_are_told_in_one_sentence(
    session, dataset, notices, tmp_path
):
    for name in ("other", "third"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", name, "gpt"))
    select(session, dataset, SelectionRequest(size=1))
    (told,) = [text for text in notices() if "no weight is known" in text]
    assert told.startswith(
        "no weight is known for mine, other, third: each gets an equal share, 0.25"
    )


def test_scorers_are_spoken_of_only_where_scores_are_what_lacks(session, impostor):
    drawn = Choice("selector", "random")
    with pytest.raises(UsageError, match="that holds no image") as caught:
        select(session, impostor, SelectionRequest(size=4, selector=drawn))
    assert "--scorers" not in str(caught.value)


def test_the_weight_of_a_scorer_that_does_not_count_is_no_error(session, dataset, notices):
    request = SelectionRequest(
        size=1, scorers=("gpt",), weights={"gpt": 1.0, "clip": 0.5, "mine": 0.1}
    )
    assert select(session, dataset, request).config["weights"] == {"gpt": 1.0}
    assert any("the weights of clip, mine count for nothing" in text for text in notices())


def test_weights_decide(session, dataset):
    first = {"gpt": 0.0, "mine": 1.0}
    assert ids(select(session, dataset, SelectionRequest(size=2, selector=TOP, weights=first))) == [
        "s00",
        "s01",
    ]
    other = {"gpt": 1.0, "mine": 0.0}
    assert ids(select(session, dataset, SelectionRequest(size=2, selector=TOP, weights=other))) == [
        "s10",
        "s09",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "best"), [("paper", 55), ("minmax", 100), ("percentile", 100 * 11.5 / 12)]
)
def test_the_scale_brings_scores_to_percent(session, dataset, scale, best):
    request = SelectionRequest(
        size=1, scorers=("gpt",), weights={"gpt": 1.0}, selector=TOP, scale=scale
    )
    assert select(session, dataset, request).chosen[0].final_score == pytest.approx(best)


def test_random_is_random_by_its_seed_only(session, dataset):
    def draw(seed):
        chosen = Choice("selector", "random")
        return ids(select(session, dataset, SelectionRequest(size=5, selector=chosen, seed=seed)))

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(5)}) > 1


def test_the_same_wish_prints_the_same_bytes_and_is_stored_once(session, dataset):
    first, again = (select(session, dataset, SelectionRequest(size=5)).to_dict() for _ in range(2))
    assert json.dumps(first) == json.dumps(again)
    assert select(session, dataset, SelectionRequest(size=4)).id != first["selection"]


def test_a_selected_sample_is_explained_by_its_numbers(session, dataset):
    told = explain(session, dataset, SelectionRequest(size=6, scorers=("gpt",)), "s04")
    assert (told.selected, told.rank, told.cluster, told.members) == (True, 6, 4, 8)
    assert (told.quota, told.place, told.distance) == (4, 4, 0.0)
    assert told.scores["gpt"] == pytest.approx(
        {"value": 20, "percent": 20, "weight": 0.27, "points": 5.4}
    )


def test_one_that_missed_is_told_by_how_much(session, dataset):
    told = explain(session, dataset, SelectionRequest(size=6, scorers=("gpt",)), "s03")
    assert (told.selected, told.rank, told.place) == (False, None, 5)
    assert told.distance == pytest.approx(-5 * 0.27)


def test_one_that_was_no_candidate_is_told_why(session, dataset):
    told = explain(session, dataset, SelectionRequest(size=6), "s11")
    assert told.reason == "left out: it has no mine score"
    assert told.scores["gpt"]["value"] == 55


def test_one_that_is_not_there_is_named(session, dataset):
    with pytest.raises(DatasetError, match="holds no sample 's99'"):
        explain(session, dataset, SelectionRequest(size=6), "s99")


def test_different_scores_of_samples_that_say_the_same_are_told(
    session, folder, read, notices, tmp_path
):
    folder.write(*(record(name, "the same") for name in "abc"), record("d", "another"))
    dataset = read().dataset
    file = tmp_path / "scores.csv"
    file.write_text("id,score\na,1\nb,1\nc,1\nd,9\n")
    import_scores(session, dataset, ScoreColumn(file, "mine", "score"))
    assert notices() == []
    file.write_text("id,score\na,1\nb,2\nc,3\nd,9\n")
    import_scores(session, dataset, ScoreColumn(file, "mine", "score", replace=True))
    assert "scores.csv: 1; all of a group take its last score" in notices()[0]
    with session.store.reading() as connection:
        wide = connection.execute(text("SELECT external_id, mine FROM scores_wide")).all()
    assert sorted(wide) == [("a", 3), ("b", 3), ("c", 3), ("d", 9)]


# Which columns count, and by which weights


@pytest.fixture
def few(session, dataset, tmp_path):
    """A column that 3 of the 12 samples have."""
    (tmp_path / "few.csv").write_text("id,x\ns00,1\ns01,2\ns02,3\n")
    import_scores(session, dataset, ScoreColumn(tmp_path / "few.csv", "few", "x"))
    return dataset


def test_a_column_that_few_samples_have_does_not_count_unasked_and_that_is_said(
    session, few, notices
):
    result = select(session, few, SelectionRequest(size=6))
    assert set(result.config["weights"]) == {"gpt", "mine"}
    told = next(text for text in notices() if text.startswith("few (3)"))
    assert "fewer than half of the 12 samples of set" in told
    assert "--scorers few,gpt,mine" in told


def test_it_counts_where_it_is_named_for_those_that_have_it(session, few):
    assert len(select(session, few, SelectionRequest(size=3, scorers=("few", "gpt")))) == 3
    assert len(select(session, few, SelectionRequest(size=3, weights={"few": 1.0}))) == 3
    with pytest.raises(UsageError, match=r"only 3 .*9 have no few score\); --scorers names"):
        select(session, few, SelectionRequest(size=6, scorers=("few", "gpt")))


def test_where_all_columns_are_of_few_samples_all_count(session, few):
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM dataset_scorers WHERE name <> 'few'"))
    assert len(select(session, few, SelectionRequest(size=3))) == 3


def test_the_scorers_that_weights_name_are_all(session, dataset, notices):
    result = select(session, dataset, SelectionRequest(fraction=1.0, weights={"gpt": 1.0}))
    assert result.config["weights"] == {"gpt": 1.0}
    assert len(result) == N  # the sample without the other score is a candidate, too
    assert any("mine: no weight is given, so it does not count" in text for text in notices())
    both = SelectionRequest(size=1, scorers=("gpt", "mine"), weights={"mine": 1.0})
    assert select(session, dataset, both).config["weights"] == {"mine": 1.0}


def test_no_clusters_are_one_cluster_for_the_paper_s_selector(session, dataset):
    plain = SelectionRequest(size=6, scorers=("gpt",), clustering="none")
    result = select(session, dataset, plain)
    assert ids(result) == ["s11", "s10", "s09", "s08", "s07", "s06"]
    assert {one.cluster for one in result} == {0}
    assert result.config["clustering"] is None


# The last selection, explained


def test_the_last_selection_is_explained_by_its_own_settings(session, dataset):
    request = SelectionRequest(
        size=5, weights={"gpt": 0.2, "mine": 1.0}, scale="minmax", clustering="none"
    )
    made = select(session, dataset, request)
    told = explain_last(session, dataset, SelectionRequest(fraction=0.06), made.ids[2])
    assert (told.selection, told.selected, told.rank) == (made.id, True, 3)
    assert told.final_score == made.chosen[2].final_score
    assert (told.quota, told.cluster) == (5, None)
    assert {name: row["weight"] for name, row in told.scores.items()} == {"gpt": 0.2, "mine": 1.0}
    assert told.settings["scale"] == "minmax"


def test_one_that_the_last_selection_left_out_is_told_why(session, dataset):
    made = select(session, dataset, SelectionRequest(size=5))
    told = explain_last(session, dataset, SelectionRequest(size=1), "s11")
    assert (told.selection, told.selected) == (made.id, False)
    assert told.reason == "left out: it has no mine score"


def test_a_selection_is_explained_by_the_scores_that_it_was_made_by(
    session, dataset, tmp_path, notices
):
    made = select(session, dataset, SelectionRequest(size=2, weights={"gpt": 1.0}))
    (tmp_path / "new.csv").write_text("id,x\n" + "".join(f"s{n:02d},1\n" for n in range(N)))
    column = ScoreColumn(tmp_path / "new.csv", "gpt", "x", replace=True)
    import_scores(session, dataset, column)
    told = explain_last(session, dataset, SelectionRequest(size=1), made.ids[0])
    assert told.scores["gpt"]["value"] == 55
    assert not any("have changed" in text for text in notices())


def test_what_changed_since_is_told_and_membership_is_as_it_was(
    session, folder, read, dataset, notices
):
    made = select(session, dataset, SelectionRequest(size=2, weights={"gpt": 1.0}))
    folder.write(*(record(f"s{n:02d}", f"answer {n}") for n in range(N - 1)))
    assert made.ids == ["s11", "s07"]
    told = explain_last(session, read().dataset, SelectionRequest(size=1), "s07")
    assert (told.selected, told.rank) == (True, 2)
    assert any("have changed since selection" in text for text in notices())


def test_without_a_selection_the_default_one_is_explained_and_that_is_said(
    session, dataset, notices
):
    told = explain_last(session, dataset, SelectionRequest(size=6, scorers=("gpt",)), "s04")
    assert (told.selection, told.selected, told.rank) == (None, True, 6)
    assert any("no selection yet" in text for text in notices())


def test_a_selection_whose_scores_or_clusters_are_gone_says_so(session, dataset):
    select(session, dataset, SelectionRequest(size=2))
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM clusterings"))
    with pytest.raises(DatasetError, match=r"the clusters of selection 1 \(given\) are no longer"):
        explain_last(session, dataset, SelectionRequest(size=1), "s04")
    select(session, dataset, SelectionRequest(size=2, clustering="none"))
    drop_column(session, dataset, "gpt")
    with pytest.raises(DatasetError, match="the gpt scores that selection 2 was made by"):
        explain_last(session, dataset, SelectionRequest(size=1), "s04")
