"""Trainings and their loss curves."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text

from ig4.storage import runs, trainings
from ig4.storage.schema import Dataset

STEPS = [(1, 0.5, 6.0, 1e-3, None, 0.1), (2, 1.0, 5.0, 9e-4, 0.7, 0.1), (3, 1.5, 4.0, 8e-4, 1, 0.1)]


@pytest.fixture
def begin(store):
    """Begin a training, in `out` unless something else is said; gives its id."""
    with store.writing() as connection:
        values = {"name": "pets", "format": "llava", "path": "/pets", "options": {},
                  "created_at": runs.now()}  # fmt: skip
        columns = {column.name for column in Dataset.__table__.columns}
        kept = {name: value for name, value in values.items() if name in columns}
        dataset = connection.scalar(insert(Dataset).values(kept).returning(Dataset.id))
        row = runs.ComponentRow(
            kind="trainer", name="hf", distribution="ig4", version="1", options={"model": "m"},
            fingerprint="f",
        )  # fmt: skip
        component = runs.component_id(connection, row)

    def _begin(**values):
        given = {"dataset_id": dataset, "selection_id": None, "component_id": component,
                 "inputs": "i", "samples": 4, "seed": 42, "output": "out", "run_id": None,
                 **values}  # fmt: skip
        with store.writing() as connection:
            return trainings.begin(connection, **given)

    return _begin


def row_of(store, number):
    with store.reading() as connection:
        (row,) = trainings.list_all(connection, number)
        return row, trainings.steps(connection, number)


def test_a_training_is_told_with_its_newest_step(store, begin):
    number = begin()
    with store.writing() as connection:
        trainings.begin_steps(connection, number, 5, 0)
        trainings.put_steps(connection, number, STEPS)
    row, steps = row_of(store, number)
    assert (row.trainer, row.dataset, row.options) == ("hf", "pets", {"model": "m"})
    assert (row.status, row.steps, row.done) == ("running", 5, 3)
    assert steps == STEPS


def test_what_goes_on_in_the_same_folder_keeps_its_number(store, begin):
    number = begin()
    with store.writing() as connection:
        trainings.finish(connection, number, "failed", error="memory ran out")
    assert begin() == number
    row, _ = row_of(store, number)
    assert (row.status, row.error, row.finished_at) == ("running", None, None)


@pytest.mark.parametrize("change", [{"inputs": "j"}, {"output": "elsewhere"}])
def test_another_training_has_another_number(begin, change):
    assert begin() != begin(**change)


def test_a_finished_training_is_not_taken_up_again(store, begin):
    number = begin()
    with store.writing() as connection:
        trainings.finish(connection, number, "done", metrics={"loss": 4.0})
    assert begin() != number
    row, _ = row_of(store, number)
    assert (row.status, row.metrics, row.finished_at is None) == ("done", {"loss": 4.0}, False)


def test_steps_after_the_saved_state_are_made_anew(store, begin):
    number = begin()
    with store.writing() as connection:
        trainings.put_steps(connection, number, STEPS)
        trainings.begin_steps(connection, number, 5, 1)
    assert row_of(store, number)[1] == STEPS[:1]


def test_a_step_told_twice_is_kept_once_as_last_told(store, begin):
    number = begin()
    with store.writing() as connection:
        trainings.put_steps(connection, number, STEPS)
        trainings.put_steps(connection, number, [(2, 1.0, 9.0, 9e-4, 0.7, 0.1)])
    assert [loss for _, _, loss, *_ in row_of(store, number)[1]] == [6.0, 9.0, 4.0]


def test_trainings_and_steps_go_with_their_data_set(store, begin):
    number = begin()
    with store.writing() as connection:
        trainings.put_steps(connection, number, STEPS)
        connection.execute(text("DELETE FROM datasets"))
        assert trainings.list_all(connection) == []
        assert trainings.steps(connection, number) == []
