"""Selectors by vectors: what they need, what they say, and the published lists."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.contracts import Needs
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData, make_pool, make_pool_data
from ig4.plugins.selectors.vectors.d2pruning import squared_distances

HOST = Host.discover()
WITHOUT_SCORES = ("facility-location", "graph-cut", "k-center", "dpp", "herding", "semdedup")
WITH_A_SCORE = ("mmr", "d2-pruning", "repr-filter")


def build(name, **options):
    return HOST.build(Choice("selector", name, options))


def choose(name, data, size, seed=0, **options):
    selector = build(name, **options)
    pool = make_pool(data, selector.needs(), size=size, seed=seed)
    return selector, pool, selector.choose(pool)


def vectors_only(n=200, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return ArrayPoolData(n, spaces={"clip": rng.normal(size=(n, d)).astype(np.float32)})


@pytest.mark.parametrize("name", WITHOUT_SCORES)
def test_those_that_use_no_score_work_on_data_without_scores(name):
    _, _, rows = choose(name, vectors_only(), 20)
    assert len(set(rows.tolist())) == 20


@pytest.mark.parametrize(
    ("name", "options"), [("facility-location", {"alpha": 0.8}), ("dpp", {"quality": 0.5})]
)
def test_scores_count_only_when_an_option_says_so(name, options):
    assert not build(name).needs().scores
    assert build(name, **options).needs().scores
    data = make_pool_data(60, build(name).needs())
    _, pool, rows = choose(name, data, 15, **options)
    plain = choose(name, data, 15)[2]
    assert pool.final[rows].mean() > data.final[plain].mean()


@pytest.mark.parametrize("name", WITH_A_SCORE)
def test_one_scorer_may_stand_for_all(name):
    assert build(name).needs().scores
    needs = build(name, score="reward").needs()
    assert (needs.scores, needs.columns) == (False, ("reward",))
    data = vectors_only()
    values = np.random.default_rng(1).normal(size=200)
    data.raw_by_scorer = {"reward": values}
    rows = choose(name, data, 20, score="reward")[2]
    assert values[rows].mean() > values.mean()


@pytest.mark.parametrize("name", WITH_A_SCORE)
def test_a_sample_without_the_score_is_an_error_that_says_what_to_do(name):
    data = vectors_only()
    data.raw_by_scorer = {"reward": np.append(np.ones(199), np.nan)}
    with pytest.raises(UsageError, match="1 sample of 200 have no score reward"):
        choose(name, data, 20, score="reward")


def test_another_space_is_asked_for_by_name():
    for name in (*WITHOUT_SCORES, *WITH_A_SCORE):
        assert build(name, space="text").needs().all_spaces == ("text",)
    joined = build("facility-location", space="clip=0.7,text=0.3", neighbors=9).needs()
    assert joined.neighbours == (("clip=0.7,text=0.3", 9),)
    assert build("facility-location", mode="dense").needs() == Needs(spaces=("clip",))


@pytest.mark.parametrize("name", [*WITHOUT_SCORES, *WITH_A_SCORE])
def test_reasons_are_json_for_every_row_and_come_without_choosing_again(name):
    data = make_pool_data(60, build(name).needs())
    selector, pool, rows = choose(name, data, 20)
    found = selector.found(pool)
    for row in range(60):
        told = dict(selector.reasons(pool, row))
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        assert told
        for key, value in told.items():
            if key.endswith("_row") and value is not None:
                assert 0 <= value < 60
                assert value != row
    assert selector.found(pool) is found
    assert np.array_equal(selector.choose(pool), rows)


def test_facility_location_says_what_a_row_added_and_what_another_is_like():
    data = vectors_only()
    selector, pool, rows = choose("facility-location", data, 10)
    told = [selector.reasons(pool, row) for row in rows.tolist()]
    assert [one["place"] for one in told] == list(range(1, 11))
    assert np.all(np.diff([one["gain"] for one in told]) <= 0)
    other = int(np.setdiff1d(np.arange(200), rows)[0])
    unit = pool.unit_vectors("clip")
    cosines = unit[rows] @ unit[other]
    assert selector.reasons(pool, other)["nearest_row"] == rows[cosines.argmax()]
    assert selector.reasons(pool, other)["similarity"] == pytest.approx(cosines.max(), abs=1e-6)


def test_repr_filter_says_what_blocked_a_row_and_which_rows_needed_more_room():
    unit = np.array([[1, 0], [0.999, 0.04], [0, 1], [0.04, 0.999]], dtype=np.float32)
    data = ArrayPoolData(4, {"a": np.array([4.0, 3.0, 2.0, 1.0])}, spaces={"clip": unit})
    selector, pool, rows = choose("repr-filter", data, 2)
    assert rows.tolist() == [0, 2]
    assert selector.reasons(pool, 1) == {
        "kept": False, "reached": True, "threshold": 0.9, "relaxed": False,
        "similarity": pytest.approx(0.9992, abs=1e-4), "nearest_row": 0,
    }  # fmt: skip
    assert selector.reasons(pool, 3)["reached"] is False
    selector, pool, rows = choose("repr-filter", data, 3)
    assert rows.tolist() == [0, 2, 1]
    assert selector.reasons(pool, 1)["relaxed"] is True
    assert selector.reasons(pool, 1)["threshold"] > 0.9


def test_semdedup_keeps_exactly_as_many_and_says_which_epsilon_that_is():
    data = vectors_only(60)
    data.spaces["clip"][30:] = data.spaces["clip"][:30]
    data.labels = np.tile(np.arange(3), 20)
    selector, pool, rows = choose("semdedup", data, 30)
    assert sorted(rows % 30) == list(range(30))  # one of each pair of equal rows
    epsilon = selector.reasons(pool, 0)["epsilon"]
    nearness = np.array(
        [-1 if (near := selector.reasons(pool, row)["similarity"]) is None else near
         for row in range(60)]
    )  # fmt: skip
    assert sorted(np.flatnonzero(nearness <= 1 - epsilon)) == sorted(rows)


def test_d2_pruning_names_the_rows_that_lowered_one():
    vectors = np.array([[1, 0], [1, 0.01], [0, 1]], dtype=np.float32)
    data = ArrayPoolData(3, {"a": np.array([5.0, 4.0, 3.0])}, spaces={"clip": vectors})
    selector, pool, rows = choose("d2-pruning", data, 2, neighbors=1)
    assert rows.tolist() == [0, 2]
    assert selector.reasons(pool, 1) == {"score": 4.0, "lowered_by_rows": [0, 2]}


def test_equal_rows_are_at_no_distance():
    vectors = np.random.default_rng(0).normal(size=(9, 64)).astype(np.float32)
    vectors[5] = vectors[2]
    indices = np.array([[5 if row == 2 else 2] for row in range(9)])
    found = squared_distances(vectors, indices)[:, 0]
    assert (found[2], found[5]) == (0, 0)
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1)[:, None]
    assert np.allclose(found, np.square(unit - unit[indices[:, 0]]).sum(axis=1), atol=1e-14)


def test_d2_pruning_raises_scores_below_0():
    data = vectors_only(50)
    data.raw_by_scorer = {"reward": np.random.default_rng(0).normal(size=50)}
    shifted = vectors_only(50)
    values = data.raw_by_scorer["reward"]
    shifted.raw_by_scorer = {"reward": values - values.min()}
    rows, others = (choose("d2-pruning", one, 20, score="reward")[2] for one in (data, shifted))
    assert rows.tolist() == others.tolist()


def test_k_center_begins_where_the_option_says():
    data = vectors_only()
    assert choose("k-center", data, 3)[2][0] == 0
    drawn = {int(choose("k-center", data, 3, seed, first="random")[2][0]) for seed in range(9)}
    assert len(drawn) > 3
    centre = data.spaces["clip"].mean(axis=0)
    nearest = int(np.linalg.norm(data.spaces["clip"] - centre, axis=1).argmin())
    assert choose("k-center", data, 3, first="middle")[2][0] == nearest


def test_k_center_leaves_outliers_for_last():
    data = vectors_only()
    data.spaces["clip"][7] = 100
    assert choose("k-center", data, 2)[2][1] == 7
    assert 7 not in choose("k-center", data, 100, outliers=0.01)[2]


def test_herding_draws_its_reference_by_the_seed_from_a_large_pool():
    data = vectors_only()
    few = [choose("herding", data, 20, seed, reference=30)[2].tolist() for seed in (0, 0, 1)]
    assert few[0] == few[1] != few[2]
    assert choose("herding", data, 20, 1)[2].tolist() == choose("herding", data, 20, 2)[2].tolist()


def test_dpp_refuses_what_memory_cannot_hold():
    data = ArrayPoolData(200_000, spaces={"clip": np.zeros((200_000, 1), dtype=np.float32)})
    with pytest.raises(UsageError, match=r"75 GiB.*facility-location"):
        choose("dpp", data, 50_000, kernel="rbf")


@pytest.mark.shared
def test_facility_location_gives_the_published_picks_and_gains(shared):
    """A hundred digits of scikit-learn, cosine-squared: the list that apricot's tests hold."""
    datasets = pytest.importorskip("sklearn.datasets")
    golden = json.loads((shared / "fixtures/selection/facility_location_digits.json").read_text())
    digits = datasets.load_digits().data.astype(np.float32)
    data = ArrayPoolData(len(digits), spaces={"pixels": digits})
    options = {"space": "pixels", "similarity": "cosine-squared"}
    selector, pool, rows = choose("facility-location", data, 100, **options)
    assert rows.tolist() == golden["ranking"]
    gains = [selector.reasons(pool, row)["gain"] for row in rows.tolist()]
    assert np.abs(np.array(gains) - golden["gains"]).max() < 1e-4


@pytest.mark.parametrize("name", [*WITHOUT_SCORES, *WITH_A_SCORE])
def test_vectors_without_a_direction_can_be_chosen_from(name):
    data = vectors_only(60)
    data.spaces["clip"][10:30] = 0
    data.percent_by_scorer = {"a": np.arange(60.0)}
    rows = choose(name, data, 45)[2]
    assert len(set(rows.tolist())) == 45


@pytest.mark.parametrize("name", ["semdedup", "repr-filter"])
def test_vectors_without_a_direction_are_no_duplicates(name):
    data = vectors_only(40, d=16)
    data.spaces["clip"][10:30] = 0
    data.spaces["clip"][30:40] = data.spaces["clip"][:10] * 2
    data.percent_by_scorer = {"a": np.arange(40.0)}
    rows = set(choose(name, data, 30)[2].tolist())
    assert set(range(10, 30)) <= rows
    assert len({row % 30 for row in rows}) == 30
