"""Hashed TF-IDF with an SVD: near texts are near, in any order, on any machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts import Needs, Pool
from ig4.core.records import Sample
from ig4.core.testing import ArrayPoolData
from ig4.plugins.embedders.text import Text, TextOptions
from ig4.plugins.embedders.tfidf.model import _times, fit
from ig4.plugins.embedders.tfidf.terms import TermCounter


def embedded(texts, **options):
    samples = [Sample(str(n), text, "") for n, text in enumerate(texts)]
    data = ArrayPoolData(len(texts), samples=samples)
    pool = Pool(data, size=len(texts), seed=0, needs=Needs(samples=True))
    return Text(TextOptions(reads="instruction", **options)).embed_pool(pool)


def cosines(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    return unit @ unit.T


KINDS = ["how many {} are there", "what color is the {}", "where is the {} in this picture"]
THINGS = ["cat", "dog", "bus", "boat", "cup", "tree", "man", "sign"]


def test_questions_of_a_kind_are_nearer_to_each_other_than_to_others():
    texts = [kind.format(thing) for kind in KINDS for thing in THINGS]
    near = cosines(embedded(texts, dims=3))
    kind = np.repeat(np.arange(3), len(THINGS))
    same = kind[:, None] == kind[None, :]
    assert near[same].min() > near[~same].max()


def test_equal_texts_have_equal_vectors_and_empty_ones_none():
    vectors = embedded(["a b", "c", "a b", "", " \n"])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert np.isnan(vectors[3:]).all()
    assert not np.isnan(vectors[:3]).any()


def test_all_cosines_are_those_of_the_weighted_terms_where_no_dimension_is_lost():
    texts = ["red bus", "red red boat", "green boat house", "green bus", "a house"]
    n = len(texts)
    vocabulary = sorted({word for text in texts for word in text.split()})
    counts = np.array([[text.split().count(word) for word in vocabulary] for text in texts])
    idf = 1 + np.log((1 + n) / (1 + (counts > 0).sum(axis=0)))
    weighted = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
    found = cosines(embedded(texts, ngrams=1, dims=64))
    np.testing.assert_allclose(found, cosines(weighted), atol=1e-5)


def test_directions_are_the_strongest_singular_vectors_with_fixed_signs():
    rng = np.random.default_rng(1)
    words = [f"w{n}" for n in range(40)]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(200)]
    terms = TermCounter(1 << 12, 1).count(texts)
    model = fit(terms, 1 << 12, 5)
    dense = np.zeros((200, len(model.idf)))
    dense[terms.rows, model.column_of[terms.features]] = (1 + np.log(terms.counts)) * model.idf[
        model.column_of[terms.features]
    ]
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    exact = np.linalg.svd(dense, compute_uv=False)[:5]
    found = np.linalg.norm(dense @ model.directions, axis=0)
    np.testing.assert_allclose(found, exact, rtol=2e-2)
    np.testing.assert_allclose(model.directions.T @ model.directions, np.eye(5), atol=1e-4)
    assert (model.directions[np.abs(model.directions).argmax(axis=0), range(5)] > 0).all()


def test_the_hashes_of_terms_are_the_same_everywhere():
    terms = TermCounter(1 << 16, 2).count(["What is this?", "他在河边"])
    assert terms.features.tolist() == [
        5335,
        7686,
        10299,
        14055,
        62931,
        9322,
        28316,
        39864,
        40116,
        57487,
        57695,
        61140,
    ]


def test_marks_and_case_do_not_count():
    near = cosines(embedded(["A red bus!", "a RED bus", "green boats"]))
    assert near[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_what_is_learned_does_not_depend_on_the_order_or_on_repetition():
    texts = [kind.format(thing) for kind in KINDS for thing in THINGS]
    order = np.random.default_rng(0).permutation(len(texts))
    once = embedded(texts, dims=4)
    np.testing.assert_array_equal(embedded([texts[n] for n in order], dims=4), once[order])
    np.testing.assert_array_equal(embedded(texts * 3, dims=4)[: len(texts)], once)


def test_only_so_many_texts_are_learned_from():
    texts = [f"word{n} and word{n + 1}" for n in range(100)]
    vectors = embedded(texts, fit_texts=10)
    assert vectors.shape[1] <= 10
    assert np.isfinite(vectors).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 20), st.integers(0, 400))
def test_a_sparse_product_is_the_dense_one(seed, rows, width, entries):
    rng = np.random.default_rng(seed)
    row = np.sort(rng.integers(0, rows, entries))
    if entries:
        row[: entries // 2] = row[0]  # one long row
        row.sort()
    columns = rng.integers(0, width, entries)
    weights = rng.normal(size=entries).astype(np.float32)
    dense = rng.normal(size=(width, 3)).astype(np.float32)
    matrix = np.zeros((rows, width))
    np.add.at(matrix, (row, columns), weights)
    starts = np.searchsorted(row, np.arange(rows + 1))
    np.testing.assert_allclose(
        _times(starts, columns, weights, dense), matrix @ dense, rtol=1e-4, atol=1e-4
    )
