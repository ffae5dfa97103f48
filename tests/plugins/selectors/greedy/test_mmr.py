"""MMR weighs quality against the greatest cosine to what is taken."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.plugins.selectors.greedy.mmr import maximal_marginal_relevance

from .points import greedy_faults, points_and_size, same_rows


@given(given_=points_and_size(), relevance=st.floats(0, 1), seed=st.integers(0, 99))
def test_each_row_is_the_one_of_greatest_marginal_relevance(given_, relevance, seed):
    vectors, size = given_
    unit = normalised(vectors)
    quality = np.random.default_rng(seed).integers(0, 4, len(unit)) / 3
    picks = maximal_marginal_relevance(unit, quality, size, relevance)
    cosines = unit.astype(np.float64) @ unit.T.astype(np.float64)

    def worth(taken):
        alike = cosines[:, taken].max(axis=1) if len(taken) else np.zeros(len(unit))
        return relevance * quality - (1 - relevance) * alike

    assert greedy_faults(picks.rows, worth, same_rows(vectors, quality)) == []


def test_with_relevance_alone_the_best_come_first():
    unit = normalised(np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32))
    quality = np.random.default_rng(1).random(30)
    picks = maximal_marginal_relevance(unit, quality, 30, 1.0)
    assert picks.rows.tolist() == np.argsort(-quality, kind="stable").tolist()
