"""The order of samples: a function of the seed, nothing left out that should not be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.training.order import batch_order, epoch_order, seeded_rng

sizes = st.integers(1, 40)


@given(sizes, st.integers(1, 12), st.integers(1, 30), st.integers(0, 99))
def test_endless_batches_are_of_distinct_samples_and_passes_are_fair(n, batch, steps, seed):
    rows = batch_order(n, batch, steps, seed)
    assert rows.shape == (steps, batch)
    assert np.array_equal(rows, batch_order(n, batch, steps, seed))
    if n < batch:
        return
    assert all(len(set(row)) == batch for row in rows.tolist())
    each = n // batch
    for begin in range(0, steps - each + 1, each):
        seen = rows[begin : begin + each].ravel()
        assert len(set(seen.tolist())) == each * batch  # no sample twice within a pass


@given(sizes, st.integers(1, 4), st.integers(0, 99))
def test_passes_leave_nothing_out(n, count, seed):
    rows = epoch_order(n, count, seed)
    for number in range(count):
        assert sorted(rows[number * n : (number + 1) * n].tolist()) == list(range(n))


def test_a_longer_training_begins_as_a_shorter_one():
    assert np.array_equal(batch_order(20, 4, 3, 1), batch_order(20, 4, 50, 1)[:3])
    assert np.array_equal(epoch_order(20, 1, 1), epoch_order(20, 3, 1)[:20])


def test_the_seed_and_the_purpose_decide():
    assert not np.array_equal(epoch_order(50, 1, 1), epoch_order(50, 1, 2))
    assert seeded_rng(1, "crop", 5).random() != seeded_rng(1, "prompt", 5).random()
    assert seeded_rng(1, "crop", 5).random() == seeded_rng(1, "crop", 5).random()
