"""D2 pruning passes messages as the paper writes them, and takes the greatest each time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.plugins.selectors.greedy.messages import gathered_scores, message_passing

from .points import points_and_size


def graph(vectors, k):
    found = exact_neighbours(normalised(vectors), min(k, len(vectors) - 1))
    apart = np.sqrt(np.maximum(2 - 2 * found.similarity.astype(np.float64), 0))
    return found.indices, apart


def naive(scores, indices, apart, size, forward, reverse):
    """Loops over rows, and an argmax over all at each step."""
    u = scores.copy()
    for i in range(len(scores)):
        sent = [np.exp(-forward * apart[i, m]) * max(scores[j], 1e-7)
                for m, j in enumerate(indices[i])]  # fmt: skip
        u[i] = scores[i] + np.array(sent).sum()
    rows = []
    for _ in range(size):
        left = [i for i in range(len(scores)) if i not in rows]
        row = max(left, key=lambda i: (u[i], -i))
        rows.append(row)
        for m, j in enumerate(indices[row]):
            if j not in rows:
                u[j] -= np.exp(-reverse * apart[row, m]) * u[row]
    return rows


@given(
    given_=points_and_size(),
    k=st.integers(1, 4),
    gammas=st.tuples(st.floats(0, 3), st.floats(0, 3)),
    seed=st.integers(0, 99),
)
def test_it_takes_what_the_loops_take(given_, k, gammas, seed):
    vectors, size = given_
    indices, apart = graph(vectors, k)
    scores = np.random.default_rng(seed).integers(0, 5, len(vectors)).astype(np.float64)
    picks = message_passing(scores, indices, apart, size, *gammas)
    assert picks.rows.tolist() == naive(scores, indices, apart, size, *gammas)


def test_without_messages_back_the_greatest_gathered_scores_are_taken():
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    indices, apart = graph(vectors, 5)
    scores = np.random.default_rng(1).random(40)
    picks = message_passing(scores, indices, apart, 40, 1.0, 1e9)
    gathered = gathered_scores(scores, indices, apart, 1.0)
    assert picks.rows.tolist() == np.argsort(-gathered, kind="stable").tolist()


def test_the_second_of_two_equal_rows_is_pushed_down_by_the_first():
    vectors = np.array([[1, 0], [1, 0], [0.6, 0.8]], dtype=np.float32)
    indices, apart = graph(vectors, 1)
    picks = message_passing(np.array([5.0, 5.0, 1.0]), indices, apart, 3, 1.0, 1.0)
    assert picks.rows.tolist() == [0, 2, 1]
