"""Which selection is the last one: never a subset that weights are learned from."""

from __future__ import annotations

from ig4.storage import datasets, runs, selections
from ig4.storage.selections import OWN, SUBSETS


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
