"""The selector `quota`: the paper's, and quotas of other kinds."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.contracts import Groups
from ig4.core.engine.selecting.algorithm import select_by_quota
from ig4.core.errors import UsageError
from ig4.core.host.options import fill_options
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.selectors.quota import Quota, QuotaOptions

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


def data():
    scores = np.random.default_rng(0).uniform(0, 100, 100)
    groups = Groups(("what", "whether", "rare", "empty"), LABELS)
    return ArrayPoolData(100, {"clip": scores}, groupings={"form": groups}, labels=LABELS * 7)


def chosen(size, seed=0, **options):
    selector = Quota(QuotaOptions(**options))
    return selector.choose(make_pool(data(), selector.needs(), size=size, seed=seed))


def counts(rows):
    return np.bincount(LABELS[rows], minlength=3).tolist()


def test_by_default_it_is_the_papers_algorithm():
    scores = data().percent_by_scorer["clip"] * 1.0
    assert np.array_equal(chosen(20), select_by_quota(scores, LABELS, 20))
    assert Quota(QuotaOptions()).identity(str) == {}


def test_groups_take_the_place_of_clusters():
    assert np.array_equal(chosen(20, groups="form"), chosen(20))


@pytest.mark.parametrize(
    ("exponent", "expected"), [(1, [12, 6, 2]), (0.5, [9, 7, 4]), (0, [7, 7, 6])]
)
def test_quotas_go_with_a_power_of_the_size(exponent, expected):
    assert counts(chosen(20, groups="form", exponent=exponent)) == expected


def test_quotas_can_be_given_and_the_others_share_the_rest():
    assert counts(chosen(20, groups="form", quotas={"rare": 8})) == [8, 4, 8]
    assert counts(chosen(20, quotas={"cluster 14": 5, "cluster 0": 15})) == [15, 0, 5]


def test_quotas_that_are_drawn_need_no_scores():
    selector = Quota(QuotaOptions(groups="form", fill="random"))
    assert not selector.needs().scores
    first, second = (chosen(20, seed, groups="form", fill="random") for seed in (1, 2))
    assert counts(first) == counts(second) == [12, 6, 2]
    assert set(first) != set(second)


@pytest.mark.parametrize(
    ("quotas", "said"),
    [
        ({"rares": 3}, "no group 'rares'; did you mean rare"),
        ({"rare": 11}, "11 samples are asked of rare, which has 10"),
        ({"what": 21}, "the given quotas are 21 samples, 20 are wanted"),
    ],
)
def test_quotas_that_do_not_fit_are_refused(quotas, said):
    with pytest.raises(UsageError, match=said):
        chosen(20, groups="form", quotas=quotas)


def test_given_quotas_that_leave_too_few_are_refused():
    with pytest.raises(UsageError, match="cannot be selected"):
        chosen(90, groups="form", quotas={"what": 10})


def test_it_is_told_what_quota_a_sample_competes_for():
    selector = Quota(QuotaOptions(groups="form"))
    told = selector.reasons(make_pool(data(), selector.needs(), size=20), 95)
    assert told == {"group": "rare", "members": 10, "quota": 2}


def test_a_quota_can_be_filled_so_that_its_group_is_covered():
    vectors = np.zeros((100, 3), dtype=np.float32)
    vectors[:60, 0], vectors[60:90, 1], vectors[90:, 2] = 1, 1, 1
    vectors[7] = [0, 0, 1]  # the only one of its kind in the first group
    pool_data = data()
    pool_data.spaces = {"text": vectors}
    selector = Quota(QuotaOptions(groups="form", fill="cover", space="text"))
    assert not selector.needs().scores
    rows = selector.choose(make_pool(pool_data, selector.needs(), size=20))
    assert counts(rows) == [12, 6, 2]
    assert 7 in rows


@pytest.mark.parametrize("text", ['{"how many": 5}', '{"how many"=5}', '{ "how many" = 5 }'])
def test_quotas_are_read_from_the_command_line(text):
    assert fill_options(QuotaOptions, {"quotas": text}, "quota").quotas == {"how many": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"how many"=-5}', r"quota.quotas.how many: .* greater than or equal to 0 \(given: -5\)"),
        (
            "how many=5",
            r'quota.quotas: .* as \{"a name": 5\} \(JSON\) or \{ "a name" = 5 \} \(TOML\)',
        ),
    ],
)
def test_wrong_quotas_are_refused_with_how_to_write_them(text, said):
    with pytest.raises(UsageError, match=said):
        fill_options(QuotaOptions, {"quotas": text}, "quota")
