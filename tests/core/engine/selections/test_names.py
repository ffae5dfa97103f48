"""Names of selections: unique in a data set, never a number, found with a suggestion."""

from __future__ import annotations

import pytest

from ig4.core.engine.exporting.export import find_selection as find_id
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.select import select
from ig4.core.engine.selections.editing import delete_selection, rename_selection
from ig4.core.engine.selections.finding import find_selection
from ig4.core.engine.selections.listing import list_selections, show_selection
from ig4.core.engine.selections.names import checked_name, refuse_taken
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import ablations, selections, trainings

from ...conftest import record

RANDOM = Choice("selector", "random")


@pytest.fixture
def dataset(read, folder):
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(8)))
    return read().dataset


def choose(session, dataset, size, seed=42, **named):
    return select(
        session, dataset, SelectionRequest(size=size, selector=RANDOM, seed=seed), **named
    )


@pytest.mark.parametrize(
    "name", ["", "  ", "last", "all", "7", "٣", "a\nb", "x\u202ey", "-f", "x" * 101]
)
def test_names_that_would_be_taken_for_something_else_are_refused(name):
    with pytest.raises(UsageError):
        checked_name(name)


@pytest.mark.parametrize("name", ["best", " best ", "7 best", "Größte", "v1.2/x", "LAST"])
def test_other_names_are_fine(name):
    assert checked_name(name) == name.strip()


def test_a_selection_is_found_by_its_name(session, dataset):
    best = choose(session, dataset, 2, name=" best ", note="for the paper")
    assert (best.name, best.note, best.label) == ("best", "for the paper", None)
    choose(session, dataset, 3)
    for which in ("best", str(best.id)):
        found = find_selection(session, dataset, which)
        assert (found.id, found.name, found.note) == (best.id, "best", "for the paper")
    assert find_id(session, None, "best") == best.id
    with pytest.raises(UsageError, match="did you mean best"):
        find_selection(session, dataset, "bset")


def test_the_same_selection_gets_the_name_that_it_is_asked_for_with(session, dataset, notices):
    first = choose(session, dataset, 2)
    named = choose(session, dataset, 2, name="best")
    assert (named.id, named.name) == (first.id, "best")
    assert choose(session, dataset, 2).name == "best"
    again = choose(session, dataset, 2, name="better")
    assert (again.id, again.name) == (first.id, "better")
    assert f"selection {first.id} was called best, and is called better now" in notices()


def test_a_named_selection_with_stages_may_be_made_again(session, dataset):
    stages = (Stage("dedup"), Stage("take", selector=RANDOM, size=4))
    request = SelectionRequest(size=2, selector=RANDOM, stages=stages)
    first = select(session, dataset, request, name="best")
    assert select(session, dataset, request, name="best").id == first.id
    recorded = tuple(stage.to_dict() for stage in stages)  # the database has a list of them
    refuse_taken(session, dataset, "best", {"stages": recorded, "seed": 42})
    with pytest.raises(UsageError, match="is called 'best' already"):
        refuse_taken(session, dataset, "best", {"stages": recorded[:1], "seed": 42})


def test_the_name_of_an_older_selection_that_is_the_same_goes_to_the_new_one(
    session, dataset, notices
):
    old = choose(session, dataset, 2, name="best", note="fine")
    choose(session, dataset, 3)
    new = choose(session, dataset, 2, name="best")
    assert new.id > old.id
    assert (new.name, new.note) == ("best", "fine")
    assert (new.same_as, old.same_as) == (old.id, None)
    assert choose(session, dataset, 2).same_as is None  # the newest is the same: nothing is stored
    assert find_selection(session, dataset, "best").id == new.id
    told = f"selection {old.id}, which is the same and older, was called best"
    assert any(told in text for text in notices())


def test_a_note_may_not_fill_the_screen(session, dataset):
    with pytest.raises(UsageError, match="the note has 1,001 characters: 1,000 are the most"):
        choose(session, dataset, 2, name="best", note="x" * 1001)
    made = choose(session, dataset, 2, name="best", note="x" * 1000)
    with pytest.raises(UsageError, match="the note has 20,000 characters"):
        rename_selection(session, find_selection(session, dataset, "best"), "best", "y" * 20_000)
    assert find_selection(session, dataset, "best").note == made.note == "x" * 1000


def test_a_name_that_nobody_has_is_told_with_what_is_possible(session, dataset):
    choose(session, dataset, 2, name="balanced")
    with pytest.raises(UsageError) as told:
        find_selection(session, dataset, "balance")
    assert str(told.value) == (
        f"there is no selection of {dataset.name} called 'balance' (`ig4 selections` lists them): "
        "give a number, a name, or `last`; did you mean balanced?"
    )
    with pytest.raises(UsageError, match="`all` is no selection, but all samples"):
        find_selection(session, dataset, "all")


def test_a_name_that_is_taken_is_refused_with_what_frees_it(session, dataset):
    first = choose(session, dataset, 2, name="best")
    with pytest.raises(UsageError, match=f"ig4 selections rename {first.id}"):
        choose(session, dataset, 3, name="best")
    assert len(list_selections(session, dataset)) == 1  # refused before anything was stored
    second = choose(session, dataset, 3)
    with pytest.raises(UsageError, match=f"ig4 selections delete {first.id}"):
        rename_selection(session, find_selection(session, dataset, str(second.id)), "best")
    with pytest.raises(UsageError, match="a note goes with a name"):
        choose(session, dataset, 2, note="for nothing")


def test_two_data_sets_may_have_a_selection_of_one_name_each(session, dataset, folder, tmp_path):
    first = choose(session, dataset, 2, name="best")
    folder.write(*(record(f"t{n}", f"other {n}") for n in range(4)))
    other = ingest(session, DatasetSource(folder.path, name="other")).dataset
    second = choose(session, other, 2, name="best")
    assert find_selection(session, dataset, "best").id == first.id
    assert find_selection(session, other, "best").id == second.id
    with pytest.raises(UsageError, match=f"selections of {dataset.name}, other are called 'best'"):
        find_selection(session, None, "best")


def test_a_selection_is_renamed_and_keeps_its_note_unless_another_is_given(session, dataset):
    made = choose(session, dataset, 2, name="draft", note="fine")

    def renamed(name, note=None):
        rename_selection(session, find_selection(session, dataset, str(made.id)), name, note)
        found = find_selection(session, dataset, name)
        return found.id, found.note

    assert renamed("best") == (made.id, "fine")
    assert renamed("best", "better") == (made.id, "better")
    assert renamed("best", "") == (made.id, None)
    with pytest.raises(UsageError, match="draft"):
        find_selection(session, dataset, "draft")


def test_selections_are_listed_and_shown_with_what_they_were_made_by(session, dataset):
    first = choose(session, dataset, 2, name="best")
    second = choose(session, dataset, 3, seed=7)
    listed = list_selections(session)
    assert [(one.id, one.name, one.size, one.candidates, one.selector) for one in listed] == [
        (second.id, None, 3, 8, "random"), (first.id, "best", 2, 8, "random"),
    ]  # fmt: skip
    assert listed[0].created_at.tzinfo is not None
    details = show_selection(session, find_selection(session, dataset, "last")).to_dict()
    assert details["config"]["seed"] == 7
    assert details["command"] == "select"
    assert details["report"]["duplicates"]["same"] == 0
    assert details["trainings"] == details["ablation_cells"] == []


def test_a_deleted_selection_is_gone_with_all_that_belongs_to_it(session, dataset):
    kept = choose(session, dataset, 2)
    delete_selection(session, find_selection(session, dataset, str(choose(session, dataset, 3).id)))
    assert [one.id for one in list_selections(session)] == [kept.id]
    with session.store.reading() as connection:
        assert len(selections.samples(connection, kept.id)) == 2


def test_a_selection_that_something_was_trained_on_is_not_deleted(session, dataset):
    made = choose(session, dataset, 2, name="best")
    with session.store.writing() as connection:
        training = trainings.begin(
            connection, dataset_id=dataset.id, selection_id=made.id, component_id=1, inputs="i",
            samples=2, seed=1, output="/out", run_id=None,
        )  # fmt: skip
        number = ablations.begin(
            connection, dataset_id=dataset.id, inputs="i", config={}, run_id=None
        )
        ablations.put(
            connection, number, ablations.CellRow("ig4", 1, "done", 2, made.id, training, {})
        )
    with pytest.raises(UsageError, match=f"training {training} and 1 cell of ablations"):
        delete_selection(session, find_selection(session, dataset, "best"))
    assert show_selection(session, find_selection(session, dataset, "best")).cells == ["1: ig4/1"]
