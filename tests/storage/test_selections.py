"""Which selection is the last one, what they are called, and what refers to them."""

from __future__ import annotations

import pytest

from ig4.storage import ablations, datasets, runs, selectionnames, selections, trainings
from ig4.storage.errors import StorageError
from ig4.storage.subsets import OWN, SUBSETS


def put(connection, dataset, selector, digest, distribution=OWN):
    row = runs.ComponentRow(
        "selector", selector, distribution, "1", {}, f"{distribution}{selector}"
    )
    return selections.put(
        connection, dataset_id=dataset, component_id=runs.component_id(connection, row),
        clustering_id=None, config={}, digest=digest, run_id=None, items=[],
    )  # fmt: skip


def test_the_last_selection_is_one_that_somebody_made(store):
    with store.writing() as connection:
        dataset = datasets.put(
            connection, "cats", path="/c", format="jsonl", options={}, image_root=None, header=None
        ).id
        subset = put(connection, dataset, SUBSETS, "s")
        assert selections.last(connection, dataset) is None
        mine = put(connection, dataset, "topk", "m")
        again = put(connection, dataset, SUBSETS, "t")
        assert selections.last(connection).id == mine
        assert selections.last(connection, dataset, "s").id == subset
        assert selections.last(connection, dataset, "t").id == again
        assert selections.find(connection, again).id == again
        other = put(connection, dataset, SUBSETS, "o", "somebody-else")
        assert selections.last(connection, dataset).id == other


@pytest.fixture
def dataset(store):
    with store.writing() as connection:
        return new_dataset(connection, "cats")


def new_dataset(connection, name):
    return datasets.put(
        connection, name, path="/c", format="jsonl", options={}, image_root=None, header=None
    ).id


def test_a_selection_has_one_name_that_no_other_of_its_data_set_has(store, dataset):
    with store.writing() as connection:
        first, second = (put(connection, dataset, "topk", digest) for digest in "ab")
        elsewhere = put(connection, new_dataset(connection, "dogs"), "topk", "c")
        selectionnames.put(connection, first, "draft", "to look at")
        selectionnames.put(connection, first, "best", None)
        selectionnames.put(connection, elsewhere, "best", "of dogs")
    with store.reading() as connection:
        assert selectionnames.all_names(connection, dataset) == ["best"]
        assert selectionnames.find(connection, "best", dataset) == [first]
        assert selectionnames.find(connection, "best") == [first, elsewhere]
        assert selectionnames.find(connection, "draft") == []
        found = selections.find(connection, elsewhere)
        assert (found.name, found.note) == ("best", "of dogs")
        assert selections.find(connection, second).name is None
    with pytest.raises(StorageError, match=r"(?i)unique"), store.writing() as connection:
        selectionnames.put(connection, second, "best", None)
    with store.writing() as connection:
        selectionnames.remove(connection, first)
        selectionnames.put(connection, second, "best", None)
        assert selectionnames.find(connection, "best", dataset) == [second]


def test_selections_are_listed_newest_first_and_subsets_only_if_asked_for(store, dataset):
    with store.writing() as connection:
        mine = put(connection, dataset, "topk", "a")
        subset = put(connection, dataset, SUBSETS, "s")
        other = put(connection, new_dataset(connection, "dogs"), "topk", "c")
        selections.put_report(connection, other, "balanced", {})
        selectionnames.put(connection, mine, "best", None)
        listed = selections.list_all(connection)
        assert [(one.row.id, one.row.name, one.label) for one in listed] == [
            (other, None, "balanced"), (mine, "best", None),
        ]  # fmt: skip
        listed = selections.list_all(connection, dataset, subsets=True)
        assert [(one.row.id, one.is_subset) for one in listed] == [(subset, True), (mine, False)]


def test_what_refers_to_a_selection_is_named(store, dataset):
    with store.writing() as connection:
        mine, other = (put(connection, dataset, "topk", digest) for digest in "ab")
        training = trainings.begin(
            connection, dataset_id=dataset, selection_id=mine, component_id=1, inputs="i",
            samples=3, seed=1, output="/out", run_id=None,
        )  # fmt: skip
        number = ablations.begin(connection, dataset_id=dataset, inputs="i", config={}, run_id=None)
        cell = ablations.CellRow("ig4", 7, "done", 3, mine, training, {})
        ablations.put(connection, number, cell)
        assert selections.references(connection, mine) == ([training], [f"{number}: ig4/7"])
        assert selections.references(connection, other) == ([], [])
        selectionnames.put(connection, other, "best", None)
        selections.remove(connection, other)
        assert selections.find(connection, other) is None
        assert selectionnames.all_names(connection) == []
