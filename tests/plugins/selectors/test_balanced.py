"""The selector `balanced`: rejects tails within groups, keeps the mix, and draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ig4.core.contracts import Groups
from ig4.core.engine.selecting.algorithm import share_quotas
from ig4.core.engine.selecting.scaling import percentile, percentile_within, within_groups
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.selectors.balanced import Balanced, BalancedOptions
from ig4.plugins.selectors.rejection import telling_groups

NAMES = ("what", "whether", "describe")


def pool_data(labels, percents, **more):
    labels = np.asarray(labels)
    return ArrayPoolData(
        len(labels),
        {name: np.asarray(values, dtype=np.float64) for name, values in percents.items()},
        groupings={"auto": Groups(NAMES, labels)},
        **more,
    )


def chosen(data, size, seed=0, **options):
    selector = Balanced(BalancedOptions(**options))
    pool = make_pool(data, selector.needs(), size=size, seed=seed)
    return selector.choose(pool), pool


def mixed(n=300, seed=3):
    """Three kinds whose scores say first which kind a sample is."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=(0.5, 0.3, 0.2))
    clip = 20 + 25 * labels + rng.normal(0, 5, n)
    return pool_data(labels, {"clip": clip, "length": rng.uniform(0, 100, n)})


def test_the_mix_is_kept_to_the_sample():
    data = mixed()
    rows, _ = chosen(data, 100)
    labels = data.groupings["auto"].labels
    exact = np.bincount(labels) * (100 / 300)
    assert np.abs(np.bincount(labels[rows]) - exact).max() < 1


def test_the_mix_of_a_million_rows_is_exact_where_it_can_be():
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    rows, _ = chosen(pool_data(labels, {"clip": np.arange(1000.0)}), 100)
    assert np.bincount(labels[rows]).tolist() == [50, 30, 20]


def test_what_lies_in_a_tail_within_its_group_is_never_taken():
    data = mixed()
    rows, pool = chosen(data, 40)
    labels = data.groupings["auto"].labels
    clip = percentile_within(data.percent("clip"), labels)[rows]
    length = percentile_within(data.percent("length"), labels)[rows]
    assert clip.min() >= 25
    assert length.min() >= 10
    assert length.max() <= 85
    assert pool.told == []


def test_strict_rejects_more():
    data = mixed()
    rows, _ = chosen(data, 20, preset="strict")
    clip = percentile_within(data.percent("clip"), data.groupings["auto"].labels)[rows]
    assert clip.min() >= 40


def test_tails_can_be_given_by_scorer():
    data = mixed()
    rows, _ = chosen(data, 20, reject={"clip": (50, 100), "length": (0, 100)})
    labels = data.groupings["auto"].labels
    assert percentile_within(data.percent("clip"), labels)[rows].min() >= 50


def test_of_a_score_with_a_negative_weight_the_high_tail_is_rejected():
    data = replace(mixed(), weight_by_scorer={"clip": -1.0})
    rows, _ = chosen(data, 40)
    labels = data.groupings["auto"].labels
    clip = percentile_within(data.percent("clip"), labels)[rows]
    assert clip.max() <= 75
    assert clip.min() < 25
    rows, _ = chosen(data, 40, reject={"clip": (25, 100)})  # what is asked for is done
    assert percentile_within(data.percent("clip"), labels)[rows].min() >= 25


@pytest.mark.parametrize("bounds", [(50, 50), (60, 40), (-1, 50), (0, 101)])
def test_a_range_that_is_none_is_refused(bounds):
    with pytest.raises(ValidationError, match="no range of percentiles"):
        BalancedOptions(reject={"clip": bounds})


def test_a_score_never_ranks_what_is_left():
    data = mixed(3000)
    rows, _ = chosen(data, 200)
    labels = data.groupings["auto"].labels
    clip = percentile_within(data.percent("clip"), labels)[rows]
    assert clip.mean() == pytest.approx(62.5, abs=4)  # of a uniform draw from 25 to 100


def test_another_seed_draws_other_samples_of_the_same_kinds():
    data = mixed(3000)
    labels = data.groupings["auto"].labels
    first, second = chosen(data, 200, seed=1)[0], chosen(data, 200, seed=2)[0]
    assert len(set(first) & set(second)) < 60
    assert np.array_equal(np.bincount(labels[first]), np.bincount(labels[second]))


def test_the_best_can_be_taken_in_place_of_a_draw():
    data = mixed()
    rows, _ = chosen(data, 30, fill="top")
    again, _ = chosen(data, 30, fill="top", seed=9)
    assert np.array_equal(rows, again)
    labels = data.groupings["auto"].labels
    for group in range(3):
        left = percentile_within(data.percent("clip"), labels) >= 25
        length = percentile_within(data.percent("length"), labels)
        own = np.flatnonzero((labels == group) & left & (length >= 10) & (length <= 85))
        final = (data.percent("clip") + data.percent("length")) / 2
        taken = rows[labels[rows] == group]
        assert set(taken) == set(own[np.argsort(-final[own], kind="stable")][: len(taken)])


def test_what_is_left_can_be_taken_so_that_it_is_covered():
    vectors = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    data = pool_data(np.zeros(40, int), {"clip": np.full(40, 50.0)}, spaces={"text": vectors})
    rows, _ = chosen(data, 4, fill="cover", cover_space="text")
    assert sorted(np.asarray(rows % 4).tolist()) == [0, 1, 2, 3]


def test_tails_are_relaxed_where_too_few_would_be_left_and_that_is_told():
    labels = np.repeat([0, 1], [80, 20])
    data = pool_data(labels, {"clip": np.arange(100.0)})
    rows, pool = chosen(data, 50)  # 10 of 20: fifteen above percentile 25 are less than twice 10
    assert len(rows) == 50
    (told,) = pool.told
    assert "tails are rejected less" in told
    assert "what to 0%" in told
    assert "whether to 0%" in told


def test_all_can_be_taken():
    data = mixed(60)
    rows, _ = chosen(data, 60)
    assert sorted(rows.tolist()) == list(range(60))


def test_equal_samples_are_taken_once():
    contents = np.arange(300)
    contents[150:] = 7  # one sample, again and again
    data = pool_data(np.zeros(300, int), {"clip": np.full(300, 50.0)}, content_numbers=contents)
    rows, _ = chosen(data, 100)
    assert (contents[rows] == 7).sum() <= 1


def test_near_duplicates_fall_out_the_first_stays():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(60, 16)).astype(np.float32)
    text = rng.normal(size=(60, 16)).astype(np.float32)
    for copy in (20, 30, 40):  # of row 5; row 50 has its image alone
        image[copy], text[copy] = image[5] * 2, text[5] + 0.01
    image[50] = image[5]
    data = pool_data(
        np.zeros(60, int), {"clip": np.full(60, 50.0)}, spaces={"clip": image, "text": text}
    )
    seen = {int(row) for seed in range(20) for row in chosen(data, 28, seed=seed)[0]}
    assert seen.isdisjoint({20, 30, 40})
    assert {5, 50} <= seen


def test_what_is_like_a_rejected_sample_alone_stays():
    rng = np.random.default_rng(0)
    image, text = (rng.normal(size=(40, 16)).astype(np.float32) for _ in range(2))
    image[1], text[1] = image[0], text[0]
    ending = np.ones(40)
    ending[0] = 0.0  # broken off; row 1 is as it should be
    data = pool_data(
        np.zeros(40, int), {"clip": np.full(40, 50.0)}, raw_by_scorer={"ending": ending},
        spaces={"clip": image, "text": text},
    )  # fmt: skip
    rows, pool = chosen(data, 19)
    assert 0 not in rows
    assert any(1 in chosen(data, 19, seed=seed)[0] for seed in range(8))
    assert Balanced(BalancedOptions()).reasons(pool, 1)["repeats_another"] is False


def test_samples_without_a_vector_keep_nobody_from_being_compared():
    rng = np.random.default_rng(0)
    image, text = (rng.normal(size=(41, 16)).astype(np.float32) for _ in range(2))
    image[1], text[1] = image[0], text[0]
    image[40] = 0  # has no picture
    data = pool_data(
        np.zeros(41, int), {"clip": np.full(41, 50.0)}, spaces={"clip": image, "text": text}
    )
    for seed in range(8):
        rows, pool = chosen(data, 20, seed=seed)
        assert 1 not in rows
    assert any("1 sample has no vector in clip or text" in told for told in pool.told)
    without = pool_data(np.zeros(41, int), {"clip": np.full(41, 50.0)}, spaces={"clip": image})
    _, pool = chosen(without, 20)
    assert any("`ig4 score --spaces text` makes them" in told for told in pool.told)


def test_all_of_many_near_duplicates_fall_out():
    rng = np.random.default_rng(0)
    image, text = (rng.normal(size=(100, 16)).astype(np.float32) for _ in range(2))
    image[:60] = image[0]  # one picture with sixty questions, the last two as the first
    text[58:60] = text[0]
    data = pool_data(
        np.zeros(100, int), {"clip": np.full(100, 50.0)}, spaces={"clip": image, "text": text}
    )
    taken = {int(row) for seed in range(6) for row in chosen(data, 49, seed=seed)[0]}
    assert taken.isdisjoint({58, 59})


def test_bounds_with_nothing_to_bound_are_told():
    _, pool = chosen(mixed(60), 10, reject={"clpi": (90, 100)}, floors={"endign": 50})
    assert any("clpi, which is not among the scores" in told for told in pool.told)
    assert any("did you mean clip?" in told for told in pool.told)
    assert any("floors names endign" in told for told in pool.told)


def test_repeated_samples_are_taken_only_where_there_is_nothing_else_and_that_is_told():
    data = pool_data(
        np.zeros(40, int), {"clip": np.full(40, 50.0)}, content_numbers=np.zeros(40, int)
    )
    rows, pool = chosen(data, 10)
    assert len(set(rows.tolist())) == 10
    assert any("9 samples that would have been rejected or are repeated" in t for t in pool.told)


def test_what_is_below_a_floor_falls_out_however_many_of_its_group_are():
    rng = np.random.default_rng(1)
    ending = np.where(rng.uniform(size=400) < 0.7, 0.0, 1.0)  # 70 % break off
    data = pool_data(
        np.zeros(400, int), {"clip": rng.uniform(0, 100, 400)}, raw_by_scorer={"ending": ending}
    )
    rows, pool = chosen(data, 60)
    assert ending[rows].min() == 1.0
    assert pool.told  # their tails had to be relaxed


def test_floors_are_given_up_only_where_less_than_the_quota_is_above_them():
    ending = np.zeros(40)
    ending[:10] = 1
    data = pool_data(np.zeros(40, int), {"clip": np.arange(40.0)}, raw_by_scorer={"ending": ending})
    assert set(chosen(data, 10)[0].tolist()) == set(range(10))
    rows, pool = chosen(data, 20)
    assert len(rows) == 20
    assert "what altogether" in pool.told[0]


def test_rare_groups_are_lifted_by_the_exponent():
    labels = np.repeat([0, 1], [900, 100])
    data = pool_data(labels, {"clip": np.arange(1000.0) % 100})
    lifted, _ = chosen(data, 100, exponent=0.5)
    assert np.bincount(labels[lifted]).tolist() == [75, 25]
    same, _ = chosen(data, 100, exponent=0)
    assert np.bincount(labels[same]).tolist() == [50, 50]


def test_samples_without_a_group_are_a_group():
    labels = np.repeat([-1, 0], [100, 100])
    rows, _ = chosen(pool_data(labels, {"clip": np.arange(200.0)}), 20)
    assert (labels[rows] == -1).sum() == 10


def test_it_is_told_why_a_sample_is_out():
    data = pool_data(np.zeros(100, int), {"clip": np.arange(100.0)})
    selector = Balanced(BalancedOptions())
    pool = make_pool(data, selector.needs(), size=10)
    selector.choose(pool)
    told = selector.reasons(pool, 3)
    assert told["group"] == "what"
    assert told["percentiles"] == {"clip": 3.5}
    assert told["rejected_by"] == ["clip is below percentile 25 of its group (3.5)"]
    assert (told["members"], told["quota"], told["left"]) == (100, 10, 75)
    assert selector.reasons(pool, 60)["rejected_by"] == []


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 5)), min_size=1, max_size=8), st.data())
def test_quotas_are_dealt_to_the_last_one_within_capacity(groups, data):
    capacity = np.array([many for many, _ in groups])
    weights = np.array([weight for _, weight in groups])
    size = data.draw(st.integers(0, int(capacity.sum())))
    quotas = share_quotas(weights, capacity, size)
    assert quotas.sum() == size
    assert (quotas >= 0).all()
    assert (quotas <= capacity).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-4, 4)), max_size=40))
def test_percentiles_within_groups_are_those_of_each_group(pairs):
    labels = np.array([label for label, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.float64)
    expected = np.empty(len(pairs))
    for label in set(labels.tolist()):
        expected[labels == label] = percentile(values[labels == label])
    assert np.allclose(percentile_within(values, labels), expected)
    assert np.allclose(within_groups(percentile, values, labels), expected)


def own_pictures(shares, n=400, seed=4):
    """Two kinds: of each a share fits its own picture, and the rest fits any picture as well."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    fits = rng.random(n) < np.asarray(shares)[labels]
    values = np.where(fits, rng.uniform(92, 100, n), rng.uniform(0, 100, n))
    clip = rng.uniform(0, 100, n)
    data = pool_data(labels, {"clip": clip}, raw_by_scorer={"own-picture": values / 100})
    return data, fits, labels, values


def test_what_does_not_fit_its_own_picture_falls_out_however_much_of_a_kind_it_is():
    data, fits, labels, values = own_pictures((0.9, 0.3))
    rows, pool = chosen(data, 40)
    assert values[rows].min() >= 90
    assert np.bincount(labels[rows]).tolist() == [20, 20]
    without, _ = chosen(data, 40, floors={})
    assert fits[rows].mean() > 0.8 > fits[without].mean()
    assert not [text for text in pool.told if "own-picture" in text]


def test_where_no_more_fit_than_by_chance_that_is_not_used_and_told():
    data, _, labels, values = own_pictures((0.9, 0.0))
    rows, pool = chosen(data, 40)
    assert values[rows][labels[rows] == 0].min() >= 90
    assert values[rows][labels[rows] == 1].min() < 50
    (told,) = [text for text in pool.told if "own-picture" in text]
    assert "is not used for whether, where hardly more samples pass it than would by chance" in told


@given(st.floats(50, 99), st.integers(0, 99))
def test_a_score_that_knows_nothing_tells_nothing(floor, seed):
    percent = np.random.default_rng(seed).uniform(0, 100, 3000)
    labels = np.arange(3000) % 2
    assert not telling_groups(percent, floor, labels, 2).any()
    percent[labels == 0] = 100 - (100 - percent[labels == 0]) * (1 - floor / 100)
    assert telling_groups(percent, floor, labels, 2).tolist() == [True, False]
    assert telling_groups(np.full(4, np.nan), floor, np.zeros(4, int), 1).tolist() == [False]
