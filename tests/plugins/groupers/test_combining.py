"""Groups by clusters, and by several groupings at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ig4.core.contracts import Groups
from ig4.core.contracts.pool import normalised
from ig4.core.testing import grouper_checks
from ig4.plugins.groupers.clusters import ClustersGrouper
from ig4.plugins.groupers.joining import joined
from ig4.plugins.groupers.kmeans import kmeans
from ig4.plugins.groupers.product import ProductGrouper

from .pools import group, names_of, sizes


def clusters(**options):
    return ClustersGrouper(ClustersGrouper.Options(**options))


@pytest.mark.parametrize("check", grouper_checks(lambda: clusters(space="text", k=5)))
def test_clusters_of_a_space(check):
    check()


def test_the_clusters_that_the_user_made_keep_their_numbers():
    labels = np.array([3, -1, 0, 3])
    groups = group(clusters(), meta=[{}] * 4, labels=labels)
    assert names_of(groups) == ["cluster 3", None, "cluster 0", "cluster 3"]


def test_kmeans_finds_directions_that_are_apart_and_numbers_them_by_size():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [100, 60, 30])
    points = np.eye(8, dtype=np.float32)[truth] + rng.normal(0, 0.05, (190, 8)).astype(np.float32)
    assert kmeans(normalised(points), 3, 0).tolist() == truth.tolist()


def test_kmeans_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(1)
    points = normalised(rng.normal(size=(300, 6)).astype(np.float32))
    order = rng.permutation(300)
    assert kmeans(points, 7, 0)[order].tolist() == kmeans(points[order], 7, 0).tolist()


def test_kmeans_makes_no_more_clusters_than_there_are_different_rows():
    points = normalised(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32))
    labels = kmeans(points, 5, 0)
    assert labels.tolist() == [0, 0, 1]
    assert kmeans(points[:0], 5, 0).tolist() == []


def product(*groupings, names=("a", "b"), **options):
    grouper = ProductGrouper(ProductGrouper.Options(of=names, **options))
    return group(
        grouper,
        meta=[{}] * len(groupings[0].labels),
        groupings=dict(zip(names, groupings, strict=True)),
    )


def test_combinations_are_named_and_small_ones_joined():
    first = Groups(("x", "y"), np.array([0] * 5 + [1] * 4))
    second = Groups(("p", "q"), np.array([0, 0, 0, 1, 1, 0, 0, 1, -1]))
    assert sizes(product(first, second, min_size=2)) == {
        "x · p": 3, "x · q": 2, "y · p": 2, "y, others": 2,
    }  # fmt: skip
    assert sizes(product(first, second, min_size=1))["y · no b"] == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2)), max_size=40))
def test_without_joining_combinations_are_pairs(pairs):
    one, other = (np.array([p[n] for p in pairs], dtype=np.int64) for n in (0, 1))
    groups = product(Groups(("0", "1", "2", "3"), one), Groups(("0", "1", "2"), other), min_size=1)
    named = [
        " · ".join(str(n) if n >= 0 else f"no {of}" for n, of in zip(pair, "ab", strict=True))
        for pair in pairs
    ]
    assert names_of(groups) == named


def test_a_product_is_of_different_groupings():
    with pytest.raises(ValidationError, match="different groupings"):
        ProductGrouper.Options(of=("form", "form"))
    assert ProductGrouper.Options(of="source, form").of == ("source", "form")


chains = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy")).map(
        lambda pair: (f"{pair[1]} {pair[0]}", pair[1])
    ),
    st.integers(1, 12),
)


@given(chains, st.integers(1, 15))
def test_joined_groups_are_large_enough_or_the_rest(counts, least):
    final = joined(counts, least)
    assert set(final) == set(counts)
    total: dict[str, int] = {}
    for chain, name in final.items():
        total[name] = total.get(name, 0) + counts[chain]
        assert name.startswith((*chain, "rest"))
    assert all(n >= least or name.startswith("rest") for name, n in total.items())
    assert sum(total.values()) == sum(counts.values())
