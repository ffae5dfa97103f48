"""Stages before the selector: what they leave out, and why."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.contracts import Groups
from ig4.core.engine.selecting.funnel import (
    Stage,
    StageResult,
    check_stages,
    equal_rows,
    near_rows,
    rejected_rows,
)
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData, make_pool


def pool(stage, **values):
    data = ArrayPoolData(10, {"clip": np.arange(10.0) * 10}, **values)
    return make_pool(data, stage.needs())


def test_tails_are_percentiles_among_all():
    stage = Stage("reject", {"clip": (25.0, 90.0)})
    why = rejected_rows(stage, pool(stage))
    assert sorted(why) == [0, 1, 9]
    assert why[0] == "clip is below percentile 25 of all (5.0)"
    assert why[9] == "clip is above percentile 90 of all (95.0)"


def test_tails_are_percentiles_within_groups():
    stage = Stage("reject", {"clip": (25.0, 100.0)}, within="form")
    groups = Groups(("low", "high"), np.repeat([0, 1], 5))
    why = rejected_rows(stage, pool(stage, groupings={"form": groups}))
    assert sorted(why) == [0, 5]
    assert why[5] == "clip is below percentile 25 of its group (10.0)"


def test_samples_without_a_group_are_compared_with_each_other():
    stage = Stage("reject", {"clip": (15.0, 100.0)}, within="form")
    groups = Groups(("one",), np.repeat([0, -1], 5))
    assert sorted(rejected_rows(stage, pool(stage, groupings={"form": groups}))) == [0, 5]


def test_a_stage_may_reject_by_scores_that_do_not_count():
    stage = Stage("reject", {"ending": (50.0, 100.0)})
    other = {"ending": np.array([0.0] * 3 + [1.0] * 7)}
    assert sorted(rejected_rows(stage, pool(stage, raw_by_scorer=other))) == [0, 1, 2]


def test_of_equal_samples_the_first_stays():
    stage = Stage("dedup")
    contents = np.array([1, 2, 1, 3, 2, 4, 5, 6, 7, 1])
    why = equal_rows(pool(stage, content_numbers=contents), lambda row: f"#{row}")
    assert why == {
        2: "it has the texts and images of #0",
        4: "it has the texts and images of #1",
        9: "it has the texts and images of #0",
    }


def test_samples_alike_in_all_spaces_are_near_duplicates():
    rng = np.random.default_rng(0)
    image, text = (rng.normal(size=(10, 8)).astype(np.float32) for _ in range(2))
    image[7], text[7] = image[2] * 3, text[2]
    image[8] = image[2]
    stage = Stage("dedup", spaces=("clip", "text"), alike=0.95)
    why = near_rows(stage, pool(stage, spaces={"clip": image, "text": text}), str)
    assert why == {7: "it is alike to 2 in clip, text"}
    alone = Stage("dedup", spaces=("clip",))
    assert sorted(near_rows(alone, pool(alone, spaces={"clip": image}), str)) == [7, 8]


def test_a_sample_that_is_only_alike_to_one_that_fell_out_stays():
    def at(degrees):
        radians = np.deg2rad(degrees)
        return [np.cos(radians), np.sin(radians)]

    # 0 and 15 degrees are alike (cosine 0.966), 15 and 30 are, 0 and 30 are not.
    angles = [0, 15, 30, *range(80, 360, 40)]
    vectors = np.array([at(angle) for angle in angles], dtype=np.float32)
    stage = Stage("dedup", spaces=("clip",), alike=0.95)
    assert sorted(near_rows(stage, pool(stage, spaces={"clip": vectors}), str)) == [1]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage("reject"), "names no tails"),
        (Stage("reject", {"clip": (60.0, 40.0)}), "no range of percentiles"),
        (Stage("dedup", {"clip": (1.0, 2.0)}), "belong to a stage that rejects"),
        (Stage("reject", {"clip": (1.0, 2.0)}, spaces=("clip",)), "drops duplicates"),
        (Stage("take"), "needs a size or a fraction"),
        (
            Stage("take", size=5, fraction=0.5),
            "has a size and a fraction: give one of the two",
        ),
        (Stage("take", size=5, bits=6), "drops duplicates"),
        (Stage("dedup", size=5), "belong to a stage that takes"),
        (Stage("dedup", selector=Choice("selector", "topk")), "belong to a stage that takes"),
    ],
)
def test_a_stage_that_makes_no_sense_is_refused_before_any_work(stage, said):
    with pytest.raises(UsageError, match=said) as error:
        check_stages([Stage("dedup"), stage])
    assert "stage 2" in str(error.value)


def test_what_a_stage_did_can_be_told():
    result = StageResult(Stage("reject", {"clip": (25.0, 100.0)}), 10, 7, {})
    assert result.notice(1) == "stage 1 (reject) left out 3 samples of 10"
    assert result.to_dict() == {
        "do": "reject",
        "tails": {"clip": [25.0, 100.0]},
        "before": 10,
        "after": 7,
    }


def test_hashes_are_alike_by_the_bits_that_differ():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], size=(10, 64)).astype(np.float32)
    signs[4], signs[6] = signs[1], signs[1]
    signs[4, :6] *= -1
    signs[6, 10:17] *= -1
    stage = Stage("dedup", spaces=("phash",), bits=6)
    why = near_rows(stage, pool(stage, spaces={"phash": signs}), str)
    assert why == {4: "it is alike to 1 in phash (6 of 64 bits differ)"}


def test_hashes_of_two_kinds_must_both_be_alike():
    rng = np.random.default_rng(0)
    one, two = (rng.choice([-1.0, 1.0], size=(10, 64)).astype(np.float32) for _ in range(2))
    one[5:8] = one[2]
    two[5:8] = two[2]
    two[5, :6] *= -1
    two[6, :7] *= -1
    two[7, :20] *= -1
    stage = Stage("dedup", spaces=("phash", "dhash"), bits=6)
    why = near_rows(stage, pool(stage, spaces={"phash": one, "dhash": two}), str)
    assert why[5] == "it is alike to 2 in phash (0 of 64 bits differ), dhash (6 of 64 bits differ)"
    assert sorted(why) == [5]


def test_a_sample_with_more_neighbours_than_are_kept_is_compared_with_all():
    """Two pictures that are alike, with more questions each than neighbours are looked for."""
    n = 50
    image = np.zeros((n, 2), dtype=np.float32)
    image[:25] = [1, 0]
    image[25:] = [np.cos(0.2), np.sin(0.2)]
    words = np.eye(n, dtype=np.float32)
    words[49] = words[0]
    stage = Stage("dedup", spaces=("clip", "text"))
    data = ArrayPoolData(n, spaces={"clip": image, "text": words})
    assert sorted(near_rows(stage, make_pool(data, stage.needs()), str)) == [49]


def test_near_duplicates_are_those_of_a_comparison_of_all_with_all():
    rng = np.random.default_rng(2)
    n = 120
    near = rng.normal(size=(6, 4))[rng.integers(0, 6, n)] + rng.normal(scale=0.15, size=(n, 4))
    unit = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    kept: list[int] = []
    fallen = {}
    for row in range(n):
        first = next((one for one in kept if unit[one] @ unit[row] > 0.95), None)
        if first is None:
            kept.append(row)
        else:
            fallen[row] = f"it is alike to {first} in clip"
    stage = Stage("dedup", spaces=("clip",))
    data = ArrayPoolData(n, spaces={"clip": unit})
    assert len(fallen) > 50
    assert near_rows(stage, make_pool(data, stage.needs()), str) == fallen


def test_vectors_without_a_direction_are_alike_to_nothing():
    zeros = np.zeros((10, 4), dtype=np.float32)
    stage = Stage("dedup", spaces=("mine",))
    assert near_rows(stage, pool(stage, spaces={"mine": zeros}), str) == {}
