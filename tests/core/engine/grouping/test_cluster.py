"""Clustering: distinct images are grouped, samples follow, and nothing is grouped twice."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.errors import UsageError
from ig4.core.records import Choice

from ...conftest import record

pytest.importorskip("sklearn")

KMEANS = Choice("clusterer", "kmeans")
COLOUR = Choice("embedder", "colour")


def labels(session):
    sql = (
        "SELECT s.external_id, l.label FROM cluster_labels l JOIN samples s ON s.id = l.sample_id "
        "WHERE l.clustering_id = (SELECT max(id) FROM clusterings)"
    )
    with session.store.reading() as connection:
        return dict(connection.execute(text(sql)).all())


def group(session, dataset, **options):
    return cluster(
        session, dataset, ClusterRequest(KMEANS, COLOUR, **{"k": 2, "seed": 1} | options)
    )


@pytest.fixture
def dataset(folder, read):
    for n in range(4):
        folder.picture(f"dark{n}.png", (n, 0, 0))
        folder.picture(f"light{n}.png", (250 - n, 250, 250))
    folder.write(
        *(record(f"d{n}", f"dark {n}", f"dark{n}.png") for n in range(4)),
        *(record(f"l{n}", f"light {n}", f"light{n}.png") for n in range(4)),
        record("d0 again", "another answer", "dark0.png"),
    )
    return read().dataset


def test_images_of_a_kind_share_a_cluster(session, dataset):
    done = group(session, dataset)
    found = labels(session)
    assert len({found[f"d{n}"] for n in range(4)}) == 1
    assert len({found[f"l{n}"] for n in range(4)}) == 1
    assert sorted(done.sizes.values()) == [4, 5]


def test_samples_that_share_an_image_share_its_cluster(session, dataset):
    group(session, dataset, k=8)
    found = labels(session)
    assert found["d0 again"] == found["d0"]


def test_the_same_input_is_not_clustered_twice(session, dataset):
    first = group(session, dataset)
    again = group(session, dataset)
    assert (first.reused, again.reused) == (False, True)
    assert again.id == first.id
    assert not group(session, dataset, seed=2).reused


def test_text_only_samples_form_a_cluster_of_their_own(session, folder, read):
    folder.picture("a.png", "red")
    folder.picture("b.png", "blue")
    folder.write(
        record("a", "one", "a.png"), record("b", "two", "b.png"),
        record("t1", "three"), record("t2", "four"),
    )  # fmt: skip
    done = group(session, read().dataset)
    found = labels(session)
    assert found["t1"] == found["t2"] == 2
    assert done.text_only == 2


def test_a_sample_whose_image_cannot_be_read_has_no_cluster(session, folder, read):
    folder.picture("a.png", "red")
    folder.picture("b.png", "blue")
    folder.write(
        record("a", "one", "a.png"), record("b", "two", "b.png"), record("c", "three", "none.png")
    )
    done = group(session, read().dataset)
    assert set(labels(session)) == {"a", "b"}
    assert done.left_out == 1


@pytest.mark.slow
@pytest.mark.parametrize("k", [0, -1, 9, 1000])
def test_more_clusters_than_images_cannot_be_formed(session, dataset, k):
    with pytest.raises(UsageError, match=f"cannot form {k:,} clusters"):
        group(session, dataset, k=k)


def test_an_image_that_can_be_embedded_at_last_is_clustered_with_the_others(
    session, folder, read, monkeypatch
):
    from ig4.core.engine.scoring.plan import ScoreRequest
    from ig4.core.engine.scoring.score import score

    folder.picture("odd.png", (1, 1, 1), size=(13, 13))  # the embedder will not take it
    for n in range(3):
        folder.picture(f"{n}.png", (n * 80, 0, 0))
    folder.write(*(record(n, f"answer {n}", f"{n}.png") for n in ("odd", "0", "1", "2")))
    dataset = read().dataset
    assert group(session, dataset).left_out == 1
    assert group(session, dataset).reused
    colour = type(session.host.build(COLOUR))
    monkeypatch.setattr(colour, "prepare", lambda self, image: np.zeros(3, dtype=np.float32))
    score(session, dataset, ScoreRequest((), embedders=[COLOUR], retry_failed=True))
    again = group(session, dataset)
    assert (again.reused, again.left_out) == (False, 0)


def test_more_clusters_than_images_are_refused_before_any_is_embedded(session, dataset):
    with pytest.raises(UsageError, match="cannot form 9 clusters of 8 distinct images: lower --k"):
        group(session, dataset, k=9)
    with session.store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM embeddings")) == 0


LETTERS = Choice("embedder", "letters")
GAPS = Choice("clusterer", "gaps")


@pytest.fixture
def texts(folder, read):
    said = ["aa", "aab", "b", "cb", "aaaa", "", "aa"]
    folder.write(*(record(f"s{n}", f"answer {n}", instruction=one) for n, one in enumerate(said)))
    return read().dataset


def in_space(session, dataset, clusterer=KMEANS, **options):
    request = ClusterRequest(clusterer, COLOUR, **{"k": 2, "seed": 1, "space": "letters"} | options)
    return cluster(session, dataset, request)


def test_texts_are_clustered_in_their_space(session, texts):
    done = in_space(session, texts)
    found = labels(session)
    assert found["s0"] == found["s1"] == found["s4"] == found["s6"] != found["s2"] == found["s3"]
    assert (done.left_out, done.noise, done.space) == (1, 0, "letters")  # an empty text has none
    assert in_space(session, texts).reused


def test_a_clusterer_may_find_the_number_itself_and_leave_noise(session, texts):
    done = in_space(session, texts, GAPS, k=1000)
    found = labels(session)
    assert found["s0"] == found["s1"] == found["s6"] != found["s2"] == found["s3"] >= 0
    assert found["s4"] == -1
    assert "s5" not in found
    assert (done.k, done.noise, done.left_out) == (2, 1, 2)
    again = in_space(session, texts, GAPS, k=1000)
    assert (again.reused, again.k, again.noise, again.left_out) == (True, 2, 1, 2)


def test_a_clusterer_that_wants_neighbours_gets_those_of_the_index(session, texts, tmp_path):
    logged = tmp_path / "log"

    def chained(index=None):
        chain = Choice("clusterer", "chain", {"log": str(logged)})
        return in_space(session, texts, chain, index=index)

    chained()
    found = labels(session)
    # Each vector goes with its nearest: "aa" with "aab", "b" with "cb".
    assert found["s0"] == found["s1"] == found["s4"] != found["s2"] == found["s3"]
    assert logged.read_text().split() == ["5x1"]
    assert chained().reused
    again = chained(Choice("index", "faiss", {"exact_below": 9}))
    assert not again.reused  # another index may find others


def test_a_space_of_images_is_the_embedder_of_its_name(session, dataset):
    first = group(session, dataset)
    assert in_space(session, dataset, space="colour").id == first.id


def test_joined_spaces_are_clustered_too(session, dataset):
    done = in_space(session, dataset, space="letters=0.1,colour=0.9")
    found = labels(session)
    assert len({found[f"l{n}"] for n in range(4)}) == 1
    assert done.space == "letters=0.1,colour=0.9"


def test_an_unknown_space_is_told_with_what_makes_one(session, texts):
    with pytest.raises(UsageError, match="import-vectors FILE --as mine"):
        in_space(session, texts, space="mine")
    with pytest.raises(UsageError, match="import-vectors FILE --as mine"):
        in_space(session, texts, space="letters,mine")


def test_more_clusters_than_vectors_cannot_be_formed(session, texts):
    with pytest.raises(UsageError, match="cannot form 6 clusters of 5 distinct vectors"):
        in_space(session, texts, k=6)
