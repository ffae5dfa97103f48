"""The plan of what is missing is arrays: some bytes a sample, whatever is done."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ig4.core.engine.scoring.batches import BatchSource, BatchTable
from ig4.core.engine.scoring.plan import ScoreRequest, make_plan
from ig4.core.engine.scoring.score import score
from ig4.core.records import Choice

from ...conftest import record

SAMPLES = 20_000


@pytest.fixture
def dataset(folder, read):
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(SAMPLES)))
    return read().dataset


def peak(make):
    """Return what a function returns, and the bytes a sample that it took at most."""
    make()  # what is loaded and compiled once is not counted
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[1] / SAMPLES
    finally:
        tracemalloc.stop()


def test_a_plan_takes_under_a_hundred_bytes_a_sample(session, dataset):
    request = ScoreRequest([Choice("scorer", "length"), Choice("scorer", "repetition")])
    plan, missing = peak(lambda: make_plan(session, dataset, request))
    assert plan.calls == {"length": SAMPLES, "repetition": SAMPLES}
    assert missing < 100
    score(session, dataset, request)
    plan, done = peak(lambda: make_plan(session, dataset, request))
    assert plan.calls == {"length": 0, "repetition": 0}
    assert done < 100


def test_batches_take_some_bytes_each(session, dataset):
    plan = make_plan(session, dataset, ScoreRequest([Choice("scorer", "length")]))
    table, size = peak(lambda: BatchTable([BatchSource("length", plan.scorers["length"], 1)]))
    assert len(table) == SAMPLES
    assert size < 120
    assert table[7].units.tolist() == [7]
    assert np.array_equal(table.ends - table.starts, np.ones(SAMPLES))
