"""negCLIPLoss against its formula, in one batch and in several."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.errors import UsageError
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool import negclip
from ig4.plugins.scorers.pool.negclip import NegClipLoss, NegClipLossOptions


def vectors(n, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def score(images, texts, **options):
    scorer = NegClipLoss(NegClipLossOptions(**options))
    data = ArrayPoolData(len(images), spaces={"clip": images, "clip-answer": texts})
    return scorer.score_pool(make_pool(data, scorer.needs()))


def naive(images, texts, temperature):
    """The formula of the paper, as it is written, in float64."""
    images, texts = (
        x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
        for x in (images, texts)
    )
    cosines = images @ texts.T
    values = []
    for i in range(len(images)):
        of_image = sum(np.exp(cosines[i, j] / temperature) for j in range(len(images)))
        of_text = sum(np.exp(cosines[j, i] / temperature) for j in range(len(images)))
        values.append(cosines[i, i] - temperature / 2 * (np.log(of_image) + np.log(of_text)))
    return np.array(values)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.sampled_from([0.01, 0.07, 1.0]), st.integers(0, 99))
def test_a_pool_that_is_one_batch_has_the_values_of_the_formula(n, temperature, seed):
    images, texts = vectors(n, seed=seed), vectors(n, seed=seed + 100)
    images[n // 2] = images[0]
    texts[n // 2] = texts[0]
    found = score(images, texts, temperature=temperature)
    assert found == pytest.approx(naive(images, texts, temperature), abs=1e-5)


def test_blocks_give_what_one_block_gives(monkeypatch):
    images, texts = vectors(23), vectors(23, seed=1)
    monkeypatch.setattr(negclip, "_BLOCK", 23 * 4)
    assert score(images, texts) == pytest.approx(naive(images, texts, 0.01), abs=1e-5)


def test_what_fits_everything_is_worth_less_than_what_fits_its_own():
    images = np.eye(4, dtype=np.float32)
    texts = images.copy()
    texts[0] = 1.0  # a text that fits every image, "a photo"
    values = score(images, texts)
    assert values[0] < values[1:].min()


def test_values_are_never_above_0_and_one_sample_has_0():
    assert score(vectors(1), vectors(1, seed=1)) == pytest.approx([0.0], abs=1e-6)
    assert (score(vectors(40), vectors(40)) <= 0).all()


def test_in_batches_the_value_is_the_mean_over_ways_of_dealing():
    images, texts = vectors(9), vectors(9, seed=1)
    found = score(images, texts, batch=3, shuffles=200, temperature=0.5)
    # Against all subsets of two others that a pair can meet.
    expected = np.zeros(9)
    for i in range(9):
        others = [j for j in range(9) if j != i]
        pairs = [(i, a, b) for n, a in enumerate(others) for b in others[n + 1 :]]
        expected[i] = np.mean(
            [naive(images[list(p)], texts[list(p)], 0.5)[0] for p in pairs]
        )  # fmt: skip
    assert found == pytest.approx(expected, abs=0.06)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_batches_do_not_depend_on_the_order_of_the_rows(seed):
    images, texts = vectors(30), vectors(30, seed=1)
    images[29], texts[29] = images[4], texts[4]
    order = np.random.default_rng(seed).permutation(30)
    options = {"batch": 7, "shuffles": 3}
    values = score(images, texts, **options)
    assert np.array_equal(score(images[order], texts[order], **options), values[order])
    assert values[29] == values[4]


def test_another_seed_deals_other_batches():
    images, texts = vectors(30), vectors(30, seed=1)
    first, second = (score(images, texts, batch=7, shuffles=1, seed=seed) for seed in (0, 1))
    assert not np.allclose(first, second)


def test_spaces_of_two_models_are_refused():
    with pytest.raises(UsageError, match="choose two spaces of one CLIP model"):
        score(vectors(3, 4), vectors(3, 5))


def test_percent_is_100_for_a_pair_that_nothing_else_fits():
    scorer = NegClipLoss(NegClipLossOptions())
    assert scorer.to_percent(np.array([0.0, -0.25, -1.5])).tolist() == [100, 75, 0]
