"""The own picture: against counting by hand, and what makes it comparable between kinds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.errors import UsageError
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool import ownpicture
from ig4.plugins.scorers.pool.ownpicture import OwnPicture, OwnPictureOptions


def vectors(n, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def score(images, texts, **options):
    scorer = OwnPicture(OwnPictureOptions(**options))
    data = ArrayPoolData(len(images), spaces={"clip": images, "clip-answer": texts})
    return scorer.score_pool(make_pool(data, scorer.needs()))


def naive(images, texts):
    """Count, for each row, the other distinct pictures that fit worse; equal ones half."""
    images = images.astype(np.float64) / np.linalg.norm(images, axis=1, keepdims=True)
    texts = texts.astype(np.float64) / np.linalg.norm(texts, axis=1, keepdims=True)
    pictures = np.unique(images.round(9), axis=0)
    found = []
    for image, text in zip(images.round(9), texts, strict=True):
        fits = [float(other @ text) for other in pictures if not np.array_equal(other, image)]
        mine = float(image @ text)
        worse = sum(f < mine - 1e-6 for f in fits) + sum(abs(f - mine) <= 1e-6 for f in fits) / 2
        found.append(worse / len(fits) if fits else np.nan)
    return np.array(found)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 15), st.integers(0, 99))
def test_it_is_the_share_of_other_pictures_that_fit_worse(n, seed):
    images, texts = vectors(n, seed=seed), vectors(n, seed=seed + 100)
    images[n // 2] = images[0]  # one picture, asked about twice
    assert score(images, texts) == pytest.approx(naive(images, texts), abs=1e-9, nan_ok=True)


def test_blocks_give_what_one_block_gives(monkeypatch):
    images, texts = vectors(23), vectors(23, seed=1)
    whole = score(images, texts)
    monkeypatch.setattr(ownpicture, "_BLOCK", 23 * 4)
    assert score(images, texts) == pytest.approx(whole, abs=1e-12)


def test_an_answer_of_its_picture_has_all_and_an_answer_of_another_half_on_average():
    images = vectors(400, d=64)
    own = score(images, images + 0.5 * vectors(400, d=64, seed=1))
    other = score(images, np.roll(images, 1, axis=0))
    assert own.mean() > 0.99
    assert other.mean() == pytest.approx(0.5, abs=0.04)


def test_a_text_that_fits_everything_well_is_worth_no_more_than_one_that_fits_everything_badly():
    """Cosines of the two differ by 0.5; the shares do not, as each is its own measure."""
    images = np.column_stack([np.ones(200), vectors(200, d=5)]).astype(np.float32)
    liked, disliked = np.zeros((2, 6), dtype=np.float32)
    liked[0], disliked[0] = 1, -1
    texts = images.copy()
    texts[:100] += 3 * liked
    texts[100:] += 3 * disliked
    shares = score(images, texts)
    assert shares[:100].mean() == pytest.approx(shares[100:].mean(), abs=0.1)


def test_of_many_pictures_a_draw_is_enough_and_does_not_depend_on_the_order():
    images = vectors(500, d=16)
    texts = images + 2 * vectors(500, d=16, seed=1)
    drawn, whole = score(images, texts, pictures=100), score(images, texts)
    assert np.abs(drawn - whole).mean() < 0.04
    assert not np.array_equal(drawn, whole)
    order = np.random.default_rng(2).permutation(500)
    assert np.array_equal(score(images[order], texts[order], pictures=100), drawn[order])


def test_one_picture_alone_tells_nothing():
    image = vectors(1).repeat(3, axis=0)
    assert np.isnan(score(image, vectors(3, seed=1))).all()


def test_two_models_are_refused():
    with pytest.raises(UsageError, match="choose two spaces of one CLIP model"):
        score(vectors(3), vectors(3, d=7))
