"""Evaluations and their answers, in both databases."""

from __future__ import annotations

import pytest

from ig4.storage import evaluations, runs
from ig4.storage.evaluations import PredictionRow


@pytest.fixture
def begin(store):
    with store.writing() as connection:
        row = runs.ComponentRow("benchmark", "vqa", "ig4", "1", {"rule": "strict"}, "00")
        component = runs.component_id(connection, row)

    def _begin(inputs="in", **values):
        given = {
            "component_id": component, "name": "mine", "label": "a model", "source": "/a",
            "training_id": None, "inputs": inputs, "seed": 7, "decoding": {"temperature": 0.0},
            "items": 2, "run_id": None,
        }  # fmt: skip
        with store.writing() as connection:
            return component, evaluations.begin(connection, **{**given, **values})

    return _begin


def row(at, answer=None, error=None, content=None):
    return PredictionRow(at, f"q{at}", "", content, answer, error)


def test_an_evaluation_is_found_by_benchmark_and_inputs_the_newest_first(store, begin):
    component, first = begin()
    _, second = begin()
    begin("other")
    with store.reading() as connection:
        found = evaluations.find(connection, component, "in")
        assert found is not None
        assert (found.id, found.benchmark, found.options) == (second, "vqa", {"rule": "strict"})
        assert (found.seed, found.decoding, found.status) == (7, {"temperature": 0.0}, "running")
        assert evaluations.find(connection, component, "none") is None
        assert evaluations.find(connection, component + 1, "in") is None
        assert [one.id for one in evaluations.list_all(connection)][:2] == [first, second]


def test_answers_are_stored_once_and_counted(store, begin):
    component, number = begin()
    with store.writing() as connection:
        evaluations.put(connection, number, [row(1, error="no image"), row(0, "old")])
        evaluations.put(connection, number, [row(0, "a\N{PILE OF POO}")])
        evaluations.put_values(connection, number, [0.5, None])
        found = evaluations.find(connection, component, "in")
        assert found is not None
        assert (found.answered, found.failed) == (1, 0)
    with store.reading() as connection:
        stored = evaluations.predictions(connection, number)
    assert [(one.item_id, one.answer, one.error, one.value) for one in stored] == [
        ("q0", "a\N{PILE OF POO}", None, 0.5), ("q1", None, "no image", None),
    ]  # fmt: skip


def test_failures_can_be_forgotten_and_answers_stay(store, begin):
    _, number = begin()
    with store.writing() as connection:
        evaluations.put(connection, number, [row(0, ""), row(1, error="no image")])
        evaluations.delete_failures(connection, number)
        assert [one.ordinal for one in evaluations.predictions(connection, number)] == [0]


def test_answers_are_known_by_their_content_in_any_evaluation(store, begin):
    _, first = begin()
    begin("other")
    with store.writing() as connection:
        evaluations.put(
            connection, first,
            [row(0, "yes", content="c0"), row(1, error="e", content="c1"), row(2, "no")],
        )  # fmt: skip
        many = ["c0", "c1", *(f"x{n}" for n in range(5000))]
        assert evaluations.known_answers(connection, many) == {"c0": "yes"}
        assert evaluations.known_answers(connection, []) == {}


def test_how_it_ended_and_who_answered_are_kept(store, begin):
    component, number = begin()
    with store.writing() as connection:
        evaluations.finish(
            connection, number, "done", failed=1, headline="accuracy", value=0.5,
            metrics={"all": {"accuracy": 0.5}},
        )  # fmt: skip
        evaluations.set_model(connection, number, label="another name", training_id=None)
    with store.reading() as connection:
        found = evaluations.find(connection, component, "in")
    assert found is not None
    assert (found.status, found.failed, found.value, found.label) == (
        "done", 1, 0.5, "another name",
    )  # fmt: skip
    assert found.metrics == {"all": {"accuracy": 0.5}}
    assert found.finished_at is not None


def test_evaluations_on_a_benchmark_are_told_with_the_command_that_made_them(store, begin):
    with store.writing() as connection:
        run = runs.start(connection, "eval", config={}, versions={}, seed=None, process=None)
    _, alone = begin()
    _, asked = begin("other", run_id=run)
    with store.reading() as connection:
        assert evaluations.made_on(connection, "00") == [(alone, None), (asked, "eval")]
        assert evaluations.made_on(connection, "01") == []
