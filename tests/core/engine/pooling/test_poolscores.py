"""Pool scorers through the engine: computed of all samples together, stored with their pool."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.engine.pooling.poolscores import POOL, is_stale
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.events import Notice
from ig4.core.records import Choice
from ig4.storage import samples, scorecolumns, scores

from ...conftest import record

AGAIN = Choice("scorer", "given-again")
DENSE = Choice("scorer", "density", {"space": "text", "k": 3})


def values(session, dataset, name):
    """Return the values of a column by external id."""
    with session.store.reading() as connection:
        (column,) = [
            row for row in scorecolumns.list_all(connection, dataset.id) if row.name == name
        ]
        ids, contents = samples.ordered_ids(connection, dataset.id)
        found = scores.values(connection, column.component_id, contents)
        names = samples.external_ids(connection, ids.tolist())
    return {names[id_]: value for id_, value in zip(ids.tolist(), found.tolist(), strict=True)}


def column_of(session, dataset, name):
    with session.store.reading() as connection:
        rows = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    return rows[name]


LONG = "a red bus waits by the river under a tree in the evening light"
RECORDS = [
    record("a", LONG), record("b", LONG + "!"), record("c", "yes"), record("d", "yes."),
    record("e", "a plate of soup on a wooden table near the market"),
]  # fmt: skip


@pytest.fixture
def dataset(folder, read):
    folder.write(*RECORDS)
    return read().dataset


def test_a_pool_scorer_rates_all_samples_together(session, dataset):
    done = score(session, dataset, ScoreRequest((AGAIN,)))
    assert done.done == {"given-again": 5}
    found = values(session, dataset, "given-again")
    assert found["a"] == found["b"] > 0.4
    assert found["c"] == found["d"] == found["e"] == 0


def test_nothing_is_computed_twice(session, dataset):
    score(session, dataset, ScoreRequest((AGAIN,)))
    assert score(session, dataset, ScoreRequest((AGAIN,))).done == {"given-again": 0}


def test_the_vectors_that_it_reads_are_made_first(session, dataset):
    done = score(session, dataset, ScoreRequest((DENSE,)))
    assert done.done == {"density": 5}
    assert all(np.isfinite(one) for one in values(session, dataset, "density").values())


def test_a_changed_pool_makes_values_stale_and_that_is_told(session, dataset, folder, read):
    score(session, dataset, ScoreRequest((AGAIN,)))
    column = column_of(session, dataset, "given-again")
    assert column.identity[POOL]
    assert not is_stale(session, dataset, column, PoolSettings())
    folder.write(*RECORDS, record("f", "something else entirely, for once"))
    read()
    assert is_stale(session, dataset, column, PoolSettings())
    heard = []
    session.listeners = [*session.listeners, heard.append]
    select(
        session,
        dataset,
        SelectionRequest(size=2, scorers=("given-again",), selector=Choice("selector", "topk")),
    )
    told = [event.text for event in heard if isinstance(event, Notice)]
    assert any("given-again was computed of a pool that has changed since" in one for one in told)


def test_values_of_an_older_pool_are_replaced_and_deleted(session, dataset, folder, read):
    score(session, dataset, ScoreRequest((AGAIN,)))
    old = column_of(session, dataset, "given-again")
    folder.write(*RECORDS, record("f", "no"))
    read()
    assert score(session, dataset, ScoreRequest((AGAIN,))).done == {"given-again": 6}
    new = column_of(session, dataset, "given-again")
    assert new.component_id != old.component_id
    assert not is_stale(session, dataset, new, PoolSettings())
    with session.store.reading() as connection:
        assert len(scores.scored_ids(connection, old.component_id)) == 0


def test_vectors_that_it_reads_and_are_not_there_are_named(session, dataset, tmp_path):
    checkpoint = tmp_path / "network.safetensors"
    checkpoint.write_bytes(b"")
    choice = Choice("scorer", "authors-selector", {"checkpoint": str(checkpoint)})
    with pytest.raises(UsageError, match=r"`ig4 import-vectors FILE --as authors-image`"):
        score(session, dataset, ScoreRequest((choice,)))


def test_without_any_image_a_space_of_images_leaves_all_samples_without_a_value(
    session, folder, read
):
    folder.write(*[{**one, "image": None} for one in RECORDS])
    texts = {"clip-answer": Choice("embedder", "text", {}, "clip-answer")}
    request = ScoreRequest((Choice("scorer", "own-picture"),), pool=PoolSettings(embedders=texts))
    done = score(session, read().dataset, request)
    assert done.failed["own-picture"] == 5
