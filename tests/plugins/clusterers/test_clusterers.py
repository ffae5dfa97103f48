"""k-means and spectral clustering: deterministic, canonical, and right on clear cases."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.plugins.clusterers.eigenvectors import cut_vectors
from ig4.plugins.clusterers.labels import by_first_member
from ig4.plugins.clusterers.neighbourgraph import neighbour_graph

pytest.importorskip("sklearn")
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score

WAYS = [
    ("kmeans", {}),
    ("kmeans", {"minibatch_above": 0}),
    ("spectral", {}),
    ("spectral", {"lanczos_above": 50}),
]


def cluster(name, vectors, k, seed=0, **options):
    clusterer = Host.discover().build(Choice("clusterer", name, options))
    return clusterer.fit_predict(vectors, k, seed)


def groups(n=300, k=5, d=24, apart=1.5, seed=0):
    """Vectors (n, d) in overlapping groups, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.integers(k, size=n)
    centres = apart * rng.normal(size=(k, d))
    return (centres[group] + rng.normal(size=(n, d))).astype(np.float32), group


@pytest.mark.parametrize(("name", "options"), WAYS)
def test_groups_that_are_there_are_found(name, options):
    vectors, group = groups()
    assert adjusted_rand_score(group, cluster(name, vectors, 5, **options)) > 0.9


@pytest.mark.parametrize(("name", "options"), WAYS)
def test_the_same_seed_gives_the_same_labels(name, options):
    vectors, _ = groups(apart=0.3)
    first = cluster(name, vectors, 7, seed=3, **options)
    assert np.array_equal(first, cluster(name, vectors, 7, seed=3, **options))
    assert first.dtype == np.int64


@pytest.mark.parametrize(("name", "options"), WAYS)
def test_labels_are_numbered_by_their_first_member(name, options):
    labels = cluster(name, groups()[0], 5, **options)
    _, first = np.unique(labels, return_index=True)
    assert first.tolist() == sorted(first)


@pytest.mark.parametrize("name", ["kmeans", "spectral"])
@pytest.mark.parametrize("k", [0, 7])
def test_clusters_that_cannot_be_are_refused_with_both_numbers(name, k):
    with pytest.raises(UsageError, match=f"{k} clusters of 6 images"):
        cluster(name, groups(n=6)[0], k)


@pytest.mark.parametrize(("name", "options"), WAYS)
@pytest.mark.filterwarnings("error")
def test_many_equal_vectors_are_no_obstacle_and_warn_of_nothing(name, options):
    vectors = groups(n=8)[0].repeat(20, axis=0)
    labels = cluster(name, vectors, 5, **options)
    assert labels.shape == (160,)
    assert labels.max() < 5


def test_kmeans_is_scikit_learns_from_ten_starts():
    vectors, _ = groups(apart=0.3)
    theirs = KMeans(6, init="k-means++", n_init=10, random_state=9).fit_predict(vectors)
    assert np.array_equal(cluster("kmeans", vectors, 6, seed=9), by_first_member(theirs))


def test_spectral_is_scikit_learns_on_ten_neighbours():
    vectors, _ = groups(apart=0.5)
    theirs = SpectralClustering(
        6, affinity="nearest_neighbors", n_neighbors=10, random_state=9, eigen_solver="arpack"
    ).fit_predict(vectors)
    assert np.array_equal(cluster("spectral", vectors, 6, seed=9), by_first_member(theirs))


def test_spectral_finds_the_same_clusters_with_and_without_factoring():
    vectors, _ = groups(n=600, k=8, apart=0.9)
    factored = cluster("spectral", vectors, 8)
    assert adjusted_rand_score(factored, cluster("spectral", vectors, 8, lanczos_above=50)) > 0.98


@pytest.mark.parametrize(("islands", "k"), [(1, 6), (4, 4), (4, 9), (7, 8)])
def test_spectral_finds_exact_eigenvectors_of_graphs_in_several_parts(islands, k):
    within, _ = groups(n=900, k=8, apart=0.9)
    apart = np.zeros((900, islands), dtype=np.float32)
    apart[np.arange(900), np.random.default_rng(1).integers(islands, size=900)] = 40
    vectors = normalised(np.hstack([within, apart]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = cluster("spectral", vectors, k)
    assert adjusted_rand_score(exact, cluster("spectral", vectors, k, lanczos_above=50)) > 0.99


def test_the_eigenvectors_are_those_of_the_graph():
    vectors = normalised(groups(n=400, k=3, apart=0.8)[0])
    graph = neighbour_graph(exact_neighbours(vectors, 9).indices)
    dense = graph.adjacency.toarray()
    assert np.array_equal(dense, dense.T)
    assert set(np.unique(dense)) == {0, 0.5, 1}
    assert not dense.diagonal().any()
    walk = dense / dense.sum(axis=1, keepdims=True)
    found = cut_vectors(graph, 5, np.random.RandomState(0))
    largest = np.sort(np.linalg.eigvals(walk).real)[::-1][:5]
    images = walk @ found
    rayleigh = (found * images).sum(axis=0) / (found**2).sum(axis=0)
    assert np.allclose(np.sort(rayleigh)[::-1], largest, atol=1e-9)
    assert np.allclose(images, found * rayleigh, atol=1e-9)


def test_small_parts_of_a_graph_join_the_nearest_cluster_and_that_is_told(caplog):
    rng = np.random.default_rng(0)
    large = np.repeat(np.eye(3, 12, dtype=np.float32), 200, axis=0)
    small = np.repeat(np.eye(3, 12, dtype=np.float32), 12, axis=0) * 0.8
    small[np.arange(36), 3 + np.arange(36) // 12] = 0.6
    vectors = np.vstack([large, small]) + 0.01 * rng.normal(size=(636, 12))
    labels = cluster("spectral", vectors.astype(np.float32), 3, lanczos_above=50)
    assert labels.tolist() == np.repeat([0, 1, 2, 0, 1, 2], [200] * 3 + [12] * 3).tolist()
    assert "6 parts" in caplog.text
    assert "36 images of small parts go to the nearest cluster" in caplog.text


@pytest.mark.parametrize("k", [3, 20, 30])
def test_a_graph_of_small_parts_alone_has_the_largest_as_clusters(k):
    middles = np.eye(40, dtype=np.float32)
    vectors = np.repeat(middles, 12, axis=0)
    vectors += 0.01 * np.random.default_rng(0).normal(size=vectors.shape).astype(np.float32)
    labels = cluster("spectral", vectors, k, lanczos_above=50)
    assert np.unique(labels).size == k
    assert all(len(set(part)) == 1 for part in labels.reshape(40, 12).tolist())


def test_spectral_takes_fewer_images_than_neighbours():
    labels = cluster("spectral", groups(n=6, k=2, apart=9.0)[0], 2, n_neighbors=10)
    assert labels.shape == (6,)
    assert labels.max() == 1


@pytest.mark.filterwarnings("error")
def test_groups_with_nothing_between_them_are_clusters_of_their_own():
    vectors, group = groups(k=4, apart=500.0)
    assert adjusted_rand_score(group, cluster("spectral", vectors, 4)) == 1


def test_spectral_refuses_what_would_not_fit_and_says_what_to_do():
    with pytest.raises(UsageError, match="--clusterer kmeans, or raise its option max_images"):
        cluster("spectral", groups(n=20)[0], 2, max_images=10)


@given(st.lists(st.integers(0, 5), min_size=1), st.permutations(range(6)))
def test_equal_partitions_get_equal_labels(labels, renamed):
    one = np.array(labels, dtype=np.int64)
    other = np.array(renamed, dtype=np.int64)[one]
    assert np.array_equal(by_first_member(one), by_first_member(other))
