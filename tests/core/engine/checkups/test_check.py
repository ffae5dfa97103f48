"""A check-up: scorers rate samples with others' answers, nothing of it is kept as a score."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from ig4.core.calls.settings import CallSettings
from ig4.core.engine.checkups import rerating
from ig4.core.engine.checkups.check import check, check_notices
from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.scoring.columns import rename_column
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import UsageError
from ig4.core.records import Choice

from ...conftest import record

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
COUNT = 60


def colourful(folder, count=COUNT, answers=None):
    """Write samples whose answer names the colour of their image, each image another one."""
    rows = []
    for n in range(count):
        name = list(COLOURS)[n % 3]
        shade = tuple(max(0, part - n) for part in COLOURS[name])
        folder.picture(f"{n}.png", shade)
        answer = answers(n, name) if answers else f"{name} " + "thing " * (1 + n % 7) + str(n)
        rows.append(record(f"s{n}", answer, f"{n}.png"))
    folder.write(*rows)


def choice(name, **options):
    return Choice("scorer", name, options)


@pytest.fixture
def scored(session, folder, read):
    """A data set of sixty pictures, scored as a test asks for."""

    def _scored(*scorers, **options):
        if not folder.path.exists():
            colourful(folder)
        dataset = read().dataset
        score(session, dataset, ScoreRequest(list(scorers), **options))
        return dataset

    return _scored


def found(session, dataset, name, **options):
    return check(session, dataset, CheckRequest(**options)).of(name)


def table(session, sql="SELECT component_id, content_id, value, error FROM scores ORDER BY 1, 2"):
    with session.store.reading() as connection:
        return connection.execute(text(sql)).all()


def test_a_scorer_that_sees_whether_an_answer_fits_is_trusted(session, scored):
    told = found(session, scored(choice("fitting")), "fitting")
    pairs = told.separation
    assert (told.verdict, pairs.sees, pairs.pairs, pairs.same_image) == ("trust", "pair", COUNT, 0)
    assert pairs.same_question == COUNT
    # Two of three answers name another colour, which the image has not.
    assert 0.75 < pairs.area < 0.95
    assert pairs.low < pairs.area < pairs.high
    assert "tells a sample's own answer" in told.reasons[0]


def test_one_whose_numbers_mean_nothing_is_noise(session, scored):
    told = found(session, scored(choice("dice")), "dice")
    assert told.verdict == "noise"
    assert told.separation.low < 0.5 < told.separation.high
    assert told.reasons[0].startswith("it cannot tell a sample's own answer from another's: area")


def test_one_whose_low_values_are_good_is_reversed_and_no_noise(session, scored):
    dataset = scored(choice("lost"), choice("fitting"))
    told, good = found(session, dataset, "lost"), found(session, dataset, "fitting")
    assert told.verdict == "careful"
    assert told.separation.area == pytest.approx(1 - good.separation.area)
    assert told.reasons[0].startswith("it is reversed: it prefers the answers of other samples")
    assert "give it a negative weight" in told.reasons[0]
    assert told.stability == good.stability  # of the better end


def test_one_whose_percents_turn_low_values_into_high_ones_is_not_reversed(session, scored):
    dataset = scored(choice("lost", falls=True), choice("fitting"))
    told, good = found(session, dataset, "lost"), found(session, dataset, "fitting")
    assert (told.falls, good.falls) == (True, False)
    assert not any("reversed" in reason for reason in told.reasons)
    assert told.separation.area == pytest.approx(good.separation.area)
    assert told.stability == good.stability


def test_a_reversed_one_is_told_where_its_weight_prefers_its_bad_end(session, scored):
    dataset = scored(choice("lost"), check=CheckRequest())
    (told,) = check_notices(session, dataset, ["lost"], {"lost": 0.5})
    assert told.startswith("lost is reversed on set (it prefers the answers of other samples: area")
    assert "leave it out" not in told
    assert check_notices(session, dataset, ["lost"], {"lost": -0.5}) == []
    assert check_notices(session, dataset, ["lost"]) == []


@pytest.mark.parametrize(
    ("name", "sees", "reason"),
    [
        ("counted", "answer", "an answer has the same value beside another image"),
        ("bright", "context", "another answer has the same value"),
    ],
)
def test_one_that_looks_at_one_side_alone_is_said_to_and_not_called_noise(
    session, scored, name, sees, reason
):
    told = found(session, scored(choice(name)), name)
    assert (told.verdict, told.separation.sees) == ("careful", sees)
    assert reason in told.reasons[0]


def test_no_value_is_stored_as_a_score(session, scored):
    dataset = scored(choice("fitting"), choice("counted"))
    before = table(session)
    check(session, dataset, CheckRequest())
    assert table(session) == before


def test_what_is_known_is_not_measured_again_until_a_value_changes(
    session, scored, folder, tmp_path
):
    log = tmp_path / "log"
    dataset = scored(choice("fitting", log=str(log)))
    log.unlink()
    assert check(session, dataset, CheckRequest()).fresh == ("fitting",)
    batches = len(log.read_text().split())
    assert batches == COUNT / 4
    again = check(session, dataset, CheckRequest())
    assert (again.fresh, len(log.read_text().split())) == ((), batches)
    assert check(session, dataset, CheckRequest(pairs=10)).columns == again.columns
    check(session, dataset, CheckRequest(reuse=False))
    assert len(log.read_text().split()) == 2 * batches
    colourful(folder, COUNT + 6)
    dataset = scored(choice("fitting", log=str(log)))
    assert check(session, dataset, CheckRequest()).fresh == ("fitting",)


def test_equal_seeds_give_equal_findings_and_fewer_pairs_are_a_part_of_more(session, scored):
    dataset = scored(choice("dice"))
    first = found(session, dataset, "dice", pairs=30)
    assert found(session, dataset, "dice", pairs=30, reuse=False) == first
    other = found(session, dataset, "dice", pairs=30, seed=7)
    assert other.separation != first.separation
    assert first.separation.pairs == 30


def test_the_end_of_scoring_finds_the_same_with_the_scorers_that_are_open(
    session, scored, tmp_path
):
    log = tmp_path / "log"
    colour = choice("fitting", log=str(log))
    dataset = scored(colour, choice("counted"), check=CheckRequest())
    rated = len(log.read_text().split())
    at_once = check(session, dataset, CheckRequest())
    assert at_once.fresh == ()  # all of it is stored
    assert len(log.read_text().split()) == rated
    anew = check(session, dataset, CheckRequest(reuse=False))
    for one, other in zip(anew.columns, at_once.columns, strict=True):
        assert replace(one, wanted=0) == replace(other, wanted=0)
    assert {one.name: one.verdict for one in anew.columns} == {
        "counted": "careful", "fitting": "trust",
    }  # fmt: skip


def test_outputs_are_rated_with_their_scorer_and_once_for_all(session, scored, tmp_path):
    log = tmp_path / "log"
    dataset = scored(choice("graded", log=str(log)))
    before = len(log.read_text().split())
    done = check(session, dataset, CheckRequest())
    assert len(log.read_text().split()) == before + COUNT
    assert [one.name for one in done.columns] == ["graded", "graded.letters", "graded.words"]
    for column in done.columns:
        assert column.separation.pairs == COUNT
        assert column.separation.sees == "answer"  # of whichever image
        assert not any("not rated again" in reason for reason in column.reasons)


def test_outputs_are_checked_at_the_end_of_scoring_too(session, scored, tmp_path):
    log = tmp_path / "log"
    dataset = scored(choice("graded", log=str(log)), check=CheckRequest())
    assert len(log.read_text().split()) == 2 * COUNT
    at_once = check(session, dataset, CheckRequest())
    assert at_once.fresh == ()
    assert len(at_once.columns) == 3
    assert len(log.read_text().split()) == 2 * COUNT


def test_what_could_not_be_rated_is_tried_again_when_it_can(session, scored, tmp_path):
    dataset = scored(choice("counted", weights="here"))
    switch = "UPDATE dataset_scorers SET options = :o"
    made = '{"values": {"weights": "%s", "batch": 4}, "hidden": []}'
    for weights, pairs in (("missing", 0), ("here", COUNT)):
        with session.store.writing() as connection:
            connection.execute(text(switch), {"o": made % weights})
        assert found(session, dataset, "counted").separation.pairs == pairs


def test_outputs_of_a_service_are_asked_for_once(session, scored, monkeypatch):
    dataset = scored(choice("asking-grades"))
    asking = []
    ask = rerating.ask
    monkeypatch.setattr(rerating, "ask", lambda *given: asking.append(1) or ask(*given))
    done = check(session, dataset, CheckRequest(paid=True))
    assert len(asking) == 1
    assert {one.separation.pairs for one in done.columns} == {COUNT}
    assert len(done.columns) > 1


def test_scores_of_the_pool_are_checked_at_the_end_of_scoring_in_all_other_ways(session, scored):
    dataset = scored(choice("counted"), choice("density", space="letters"), check=CheckRequest())
    stored = table(session, "SELECT name FROM checkups ORDER BY 1")
    assert [name for (name,) in stored] == ["counted", "density"]
    told = found(session, dataset, "density")
    assert told.separation.why == "its values depend on all samples of the pool"
    assert set(told.agreement) == {"counted"}


def test_scoring_checks_nothing_where_nothing_was_computed(session, scored, read):
    dataset = scored(choice("fitting"))
    done = score(session, dataset, ScoreRequest([choice("fitting")], check=CheckRequest()))
    assert done.checked is None
    assert table(session, "SELECT name FROM checkups") == []


def test_a_scorer_that_breaks_in_the_check_keeps_its_scores(session, scored, monkeypatch):
    dataset = scored(choice("counted", weights="here"))
    with session.store.writing() as connection:
        connection.execute(text("UPDATE dataset_scorers SET options = :o"), {
            "o": '{"values": {"weights": "missing", "batch": 4}, "hidden": []}'
        })  # fmt: skip
    told = found(session, dataset, "counted")
    assert told.verdict == "careful"
    assert told.reasons[0] == "not rated again with other answers: the weights are missing"
    assert told.values == COUNT


def test_a_scorer_of_another_version_is_not_asked_for_what_it_did_not_give(session, scored):
    dataset = scored(choice("counted"))
    session.host.load("scorer", "counted").version = "2"
    told = found(session, dataset, "counted")
    assert "`ig4 score --scorers counted` computes them anew" in told.separation.why


def test_imported_values_are_checked_in_all_other_ways(session, scored, tmp_path):
    dataset = scored(choice("counted"))
    file = tmp_path / "mine.csv"
    file.write_text("id,x\n" + "".join(f"s{n},{n % 7 + 1}\n" for n in range(COUNT)))
    import_scores(session, dataset, ScoreColumn(file, "mine", "x"))
    told = found(session, dataset, "mine")
    assert told.separation.why == "its values were imported"
    assert told.agreement["counted"] == pytest.approx(1.0)
    assert any("it orders samples as counted does" in reason for reason in told.reasons)
    assert told.saturation.distinct == 7


def test_failures_are_counted_on_both_sides(session, folder, scored):
    def answers(n, name):
        return f"{name} fail {n}" if n % 10 == 0 else f"{name} {n}"

    colourful(folder, answers=answers)
    told = found(session, scored(choice("fitting")), "fitting")
    assert (told.values, told.failures) == (54, 6)
    assert told.separation.pairs == 54
    assert any("6 of 60 samples failed" in reason for reason in told.reasons)


def test_too_few_pairs_say_nothing(session, folder, scored):
    colourful(folder, 12)
    told = found(session, scored(choice("fitting")), "fitting")
    assert told.separation.why == "12 pairs of different answers are too few (at least 20)"
    assert told.verdict == "careful"


def test_equal_answers_are_no_pairs(session, folder, scored):
    colourful(folder, answers=lambda n, _: "red thing")
    told = found(session, scored(choice("fitting")), "fitting")
    assert told.separation.why.startswith("0 pairs")


def test_a_service_is_asked_only_if_it_may_be_paid(session, scored):
    dataset = scored(choice("asking"))
    told = found(session, dataset, "asking")
    assert told.separation.why == "its service is paid, and asked only with --paid"
    paid = found(session, dataset, "asking", paid=True)
    assert (paid.separation.sees, paid.separation.pairs) == ("answer", COUNT)
    # What was paid is not asked for less.
    assert found(session, dataset, "asking") == paid


def test_a_budget_that_is_reached_leaves_what_was_rated(session, scored):
    dataset = scored(choice("asking"))
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM llm_calls"))
    settings = CallSettings(max_calls=30, concurrency=1)
    told = found(session, dataset, "asking", paid=True, call_settings=settings)
    assert told.separation.pairs == 30
    few = CallSettings(max_calls=5, concurrency=1)
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM llm_calls"))
    told = found(session, dataset, "asking", paid=True, call_settings=few, reuse=False)
    assert "5" in told.separation.why


def test_a_name_that_is_not_there_is_an_error_that_suggests_one(session, scored):
    dataset = scored(choice("counted"))
    with pytest.raises(UsageError, match="no scores called 'conted'; did you mean counted"):
        check(session, dataset, CheckRequest(["conted"]))
    with pytest.raises(UsageError, match="--pairs 0"):
        check(session, dataset, CheckRequest(pairs=0))


def test_without_scores_there_is_nothing_to_check(session, folder, read):
    folder.write(record("a", "one two"))
    with pytest.raises(UsageError, match="run `ig4 score"):
        check(session, read().dataset, CheckRequest())


def test_noise_that_counts_is_told_until_its_values_change(session, scored, folder):
    dataset = scored(choice("dice"), choice("fitting"), check=CheckRequest())
    (told,) = check_notices(session, dataset, ["dice", "fitting", "other"])
    assert told.startswith("dice is noise on set (it cannot tell")
    assert "`ig4 check dice`" in told
    assert check_notices(session, dataset, ["fitting"]) == []
    rename_column(session, dataset, "dice", "thrown")
    assert len(check_notices(session, dataset, ["thrown"])) == 1
    colourful(folder, COUNT + 6)
    dataset = scored(Choice("scorer", "dice", {}, "thrown"))
    assert check_notices(session, dataset, ["thrown"]) == []


def test_groups_that_are_given_are_measured_and_their_forms_trade_answers(session, scored):
    dataset = scored(choice("fitting"))

    def colours(_session, _dataset, rows):
        import numpy as np

        return {"form": np.array([list(COLOURS).index(r.answer.split()[0]) for r in rows])}

    told = check(session, dataset, CheckRequest(), groups_of=colours).of("fitting")
    assert told.groups["form"].groups == 3
    assert told.separation.sees == "context"  # the colour named is that of the image again
