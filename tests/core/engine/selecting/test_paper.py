"""The authors' own figures for all their samples, selected from as the paper says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

pytestmark = pytest.mark.shared

WEIGHTS = {"clip": 0.53, "length": 0.10, "reward": 0.10, "gpt": 0.27}


@pytest.fixture(scope="module")
def published(shared):
    """The authors' files as they are: scores by id, and the spectral cluster of each id."""
    folder = shared / "data" / "instructiongpt4"
    scores = json.loads((folder / "full_score_data.json").read_text(encoding="utf-8"))
    gpt = json.loads((folder / "gpt_final_score.json").read_text(encoding="gb18030"))
    clusters = json.loads((folder / "spectral_clusters.json").read_text(encoding="utf-8"))
    return folder, scores["annotations"], gpt["annotations"], clusters


@pytest.fixture(scope="module")
def session(published, tmp_path_factory):
    _, scores, _, _ = published
    here = tmp_path_factory.mktemp("cc")
    captions = [{"image_id": a["image_id"], "caption": a["caption"]} for a in scores]
    (here / "filter_cap.json").write_text(json.dumps({"annotations": captions}), encoding="utf-8")
    yield from scored(published, here, here / "ig4.db")


@pytest.fixture(scope="module")
def with_images(published, shared, tmp_path_factory):
    folder = shared / "data" / "cc_sbu_align"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    yield from scored(published, folder, tmp_path_factory.mktemp("images") / "ig4.db")


def scored(published, source, database):
    """Ingest the captions in a folder, and import the authors' scores and clusters."""
    folder, scores, _, _ = published
    with Store.open(database) as store:
        session = Session(store, Host.discover())
        dataset = ingest(session, DatasetSource(source)).dataset
        file = folder / "full_score_data.json"
        for column in (
            ScoreColumn(file, "clip", "clip_score", "image_id"),
            ScoreColumn(file, "length", "length_score", "image_id", multiply=10.0),
            ScoreColumn(file, "reward", "reward_score", "image_id"),
            ScoreColumn(
                folder / "gpt_final_score.json", "gpt", "gpt_score", "image_id",
                encoding="gb18030",
            ),
        ):  # fmt: skip
            done = import_scores(session, dataset, column)
            assert (done.taken, done.without, done.unknown) == (len(scores), 0, [])
        done = import_clusters(session, dataset, folder / "spectral_clusters.json", "spectral")
        assert done.taken == len(scores)
        yield session


def expected(published):
    """Return the ids that Algorithm 1 selects, worked out here from the files alone."""
    _, scores, gpt, clusters = published
    label = {name: int(key) for key, names in clusters.items() for name in names}
    longest = max(len(a["caption"]) for a in scores)
    final = {}
    for one, other in zip(scores, gpt, strict=True):
        assert one["image_id"] == other["image_id"]
        final[one["image_id"]] = (
            0.53 * one["clip_score"]
            + 0.27 * other["gpt_score"]
            + 0.10 * (100 * len(one["caption"]) / longest)
            + 0.10 * (10 * one["reward_score"])
        )
    counts = np.array([sum(v == k for v in label.values()) for k in range(len(clusters))])
    shares = counts * 200 / counts.sum()
    quotas = np.floor(shares).astype(int)
    for k in np.argsort(-(shares - quotas), kind="stable")[: 200 - quotas.sum()]:
        quotas[k] += 1
    kept = set()
    for k in range(len(clusters)):
        members = [name for name in final if label[name] == k]
        kept |= set(sorted(members, key=lambda name: -final[name])[: quotas[k]])
    return kept, quotas


def chosen(session, **request):
    return select(
        session, session.dataset(), SelectionRequest(weights=WEIGHTS, size=200, **request)
    )


@pytest.mark.slow
def test_exactly_the_200_that_algorithm_1_selects(session, published):
    kept, _ = expected(published)
    assert set(chosen(session).ids) == kept


def test_each_cluster_gives_its_quota(session, published):
    _, quotas = expected(published)
    clusters = [one.cluster for one in chosen(session)]
    assert [clusters.count(k) for k in range(len(quotas))] == quotas.tolist()
    assert quotas.tolist() == [72, 17, 17, 19, 5, 3, 1, 10, 5, 51]


def test_the_authors_length_column_lands_on_the_scale_of_our_own_scorer(session, published):
    from ig4.core.engine.selecting.explain import explain

    second = published[1][1]
    longest = max(len(one["caption"]) for one in published[1])
    told = explain(session, session.dataset(), SelectionRequest(size=200), second["image_id"])
    expected_length = 100 * len(second["caption"]) / longest
    assert told.scores["length"]["percent"] == pytest.approx(expected_length)
    assert told.scores["reward"]["percent"] == pytest.approx(10 * second["reward_score"])


def test_the_same_again_to_the_byte_and_stored_once(session):
    one, other = chosen(session), chosen(session)
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())
    assert one.id == other.id


def test_the_weights_of_the_paper_are_the_default(session):
    assert select(session, session.dataset(), SelectionRequest(size=200)).ids == chosen(session).ids


def test_ranks_go_by_final_score(session):
    scores = [one.final_score for one in chosen(session)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.slow
def test_the_same_200_are_selected_where_the_images_are_there(with_images, published):
    kept, _ = expected(published)
    result = chosen(with_images)
    assert set(result.ids) == kept
    assert result.report["duplicates"]["same"] == 0


def test_the_weights_of_the_paper_are_worth_nearly_the_same(session):
    """Weight x spread: 2.04 for CLIP, whose weight is 0.53, and 2.18 for reward, with 0.10."""
    worth = chosen(session).report["effective_weights"]
    effective = {name: round(one["effective"], 2) for name, one in worth.items()}
    assert effective == {"clip": 2.04, "length": 1.6, "reward": 2.18, "gpt": 1.85}


def test_the_data_is_of_one_kind_so_that_no_mix_can_be_left(session):
    mix = chosen(session).report["composition"]
    assert [one["name"] for one in mix["groups"]] == ["describe"]
    assert mix["tv"] == 0
