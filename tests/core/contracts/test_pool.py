"""A pool shows what its reader has declared, computes it once, and lets nobody change it."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.contracts import Groups, Needs, Pool
from ig4.core.contracts.pool import normalised
from ig4.core.errors import PluginError
from ig4.core.testing import ArrayPoolData, make_pool

DATA = ArrayPoolData(
    4,
    {"clip": np.array([10.0, 20.0, 30.0, 40.0]), "gpt": np.array([4.0, 3.0, 2.0, 1.0])},
    {"ending": np.array([1.0, 0.0, 1.0, np.nan])},
    {"clip": 0.5, "gpt": 2.0},
    {"clip": np.array([[3, 4], [0, 2], [6, 8], [0, 0]], dtype=np.float32)},
    {"form": Groups(("what", "whether"), np.array([0, 0, 1, -1]))},
    np.array([1, 1, 0, 0]),
)


def pool(**needs):
    return make_pool(DATA, Needs(**needs), size=2)


def test_scores_that_count_come_with_weights_and_the_final_score():
    seen = pool(scores=True)
    assert (seen.n, seen.size, seen.scorers) == (4, 2, ("clip", "gpt"))
    assert seen.weights.tolist() == [0.5, 2.0]
    assert seen.final.tolist() == [13.0, 16.0, 19.0, 22.0]
    assert seen.percents.shape == (4, 2)
    assert seen.raw("clip").tolist() == [10, 20, 30, 40]


def test_whether_the_sum_was_looked_at_is_known():
    seen = pool(scores=True)
    assert seen.percent("clip")[0] == 10
    assert not seen.sums_scores
    assert seen.final[0]
    assert seen.sums_scores


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda seen: seen.final, "scores=True"),
        (lambda seen: seen.percents, "scores=True"),
        (lambda seen: seen.weights, "scores=True"),
        (lambda seen: seen.percent("clip"), "columns="),
        (lambda seen: seen.raw("ending"), "columns="),
        (lambda seen: seen.has_column("ending"), "optional_columns="),
        (lambda seen: seen.vectors("clip"), "spaces="),
        (lambda seen: seen.has_space("clip"), "optional_spaces="),
        (lambda seen: seen.neighbours("clip", 2), "neighbours="),
        (lambda seen: seen.groups("form"), "groups="),
        (lambda seen: seen.clusters, "clusters=True"),
        (lambda seen: seen.samples, "samples=True"),
        (lambda seen: seen.meta, "meta=True"),
    ],
)
def test_what_is_not_declared_is_an_error_that_says_how_to_declare_it(read, named):
    with pytest.raises(PluginError, match=r"does not declare: return Needs\(" + named):
        read(make_pool(DATA, Needs()))


def test_more_neighbours_than_declared_are_not_there():
    seen = pool(neighbours=(("clip", 2),))
    assert seen.neighbours("clip", 2).indices.shape == (4, 2)
    assert seen.neighbours("clip", 1).indices[0].tolist() == [2]
    with pytest.raises(PluginError, match=r"neighbours=\(\('clip', 3\),\)"):
        seen.neighbours("clip", 3)


def test_a_small_pool_has_fewer_neighbours():
    seen = pool(neighbours=(("clip", 20),))
    assert seen.neighbours("clip", 20).indices.shape == (4, 3)


def test_what_is_optional_may_be_missing():
    seen = pool(optional_columns=("ending", "other"), optional_spaces=("clip", "text"))
    assert seen.has_column("ending")
    assert not seen.has_column("other")
    assert seen.has_space("clip")
    assert not seen.has_space("text")
    with pytest.raises(PluginError, match="other, which are not there"):
        seen.raw("other")
    with pytest.raises(PluginError, match="the space text, which is not there"):
        seen.vectors("text")


def test_neighbours_in_an_optional_space_are_optional():
    needs = Needs(neighbours=(("clip", 3), ("text", 3)), optional_spaces=("text",))
    assert needs.all_spaces == ("clip",)


def test_nothing_can_be_changed():
    seen = pool(
        scores=True, columns=("ending",), spaces=("clip",), neighbours=(("clip", 1),), clusters=True
    )
    arrays = [
        seen.final, seen.percents, seen.weights, seen.raw("ending"), seen.vectors("clip"),
        seen.unit_vectors("clip"), seen.neighbours("clip", 1).indices, seen.clusters, seen.contents,
    ]  # fmt: skip
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_vectors_are_computed_once():
    asked = []

    class Counting(ArrayPoolData):
        def vectors(self, space):
            asked.append(space)
            return super().vectors(space)

    data = Counting(2, spaces={"clip": np.ones((2, 3), dtype=np.float32)})
    seen = Pool(data, size=1, seed=0, needs=Needs(spaces=("clip",)))
    assert seen.vectors("clip") is not None
    assert seen.unit_vectors("clip").shape == seen.vectors("clip").shape
    assert asked == ["clip"]


def test_a_vector_of_zeros_stays_one():
    unit = normalised(DATA.spaces["clip"])
    assert unit[0] == pytest.approx([0.6, 0.8])
    assert unit[3].tolist() == [0, 0]


def test_random_numbers_depend_on_the_seed_and_the_purpose_alone():
    first = make_pool(DATA, Needs(), seed=3)
    second = make_pool(DATA, Needs(scores=True), size=1, seed=3)
    assert first.rng().integers(1 << 40) == second.rng().integers(1 << 40)
    assert first.rng(1).integers(1 << 40) != first.rng().integers(1 << 40)


def test_needs_of_two_readers_can_be_joined():
    joined = Needs(scores=True, spaces=("clip",)) | Needs(clusters=True, spaces=("text", "clip"))
    assert joined == Needs(scores=True, clusters=True, spaces=("clip", "text"))
    assert joined.to_dict() == {"scores": True, "clusters": True, "spaces": ("clip", "text")}


def test_rows_may_have_several_groups():
    groups = Groups(
        ("a", "b", "c"),
        np.array([0, 1, -1]),
        (np.array([0, 2, 3, 3]), np.array([0, 2, 1])),
    )
    assert groups.counts.tolist() == [1, 1, 1]
    part = groups.take(np.array([2, 0]))
    assert part.labels.tolist() == [-1, 0]
    assert [array.tolist() for array in part.members] == [[0, 0, 2], [0, 2]]
    assert part.counts.tolist() == [1, 0, 1]


def test_what_a_reader_says_is_kept_once():
    seen = pool()
    seen.tell("few are left")
    seen.tell("few are left")
    assert seen.told == ["few are left"]
