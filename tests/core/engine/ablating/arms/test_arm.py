"""Arms: what a short list stands for."""

from __future__ import annotations

import pytest

from ig4.core.engine.ablating.arms.arm import Arm, Inventory, expand_arms
from ig4.core.errors import UsageError

KNOWN = Inventory(("clip", "length", "gpt"), "spectral", ("kmeans", "spectral", "bands"))


def names(*spec, known=KNOWN, own=None):
    return [arm.name for arm in expand_arms(spec or None, known, own)]


def arm(word, known=KNOWN):
    (found,) = expand_arms([word], known)
    return found


def test_the_usual_arms_are_those_that_change_something():
    assert names() == [
        "all", "random", "ig4", "no-clusters", "only-clip", "only-length", "only-gpt"
    ]  # fmt: skip
    assert names(known=Inventory(("length",), clustered=False)) == ["all", "random", "ig4"]
    assert names(known=Inventory(("length",), clusterer="none")) == ["all", "random", "ig4"]


def test_arms_of_ones_own_join_the_usual_ones_or_are_named():
    own = {"mine": Arm("mine", size=7)}
    assert names(own=own)[-1] == "mine"
    assert names("ig4", "mine", own=own) == ["ig4", "mine"]


def test_a_single_indicator_counts_alone():
    (found,) = expand_arms(["single:gpt"], KNOWN)
    assert (found.name, found.scorers, found.weights) == ("only-gpt", ("gpt",), {"gpt": 1.0})
    assert names("single") == ["only-clip", "only-length", "only-gpt"]


def test_without_leaves_one_indicator_out():
    assert names("without") == ["without-clip", "without-length", "without-gpt"]
    assert arm("without:clip").scorers == ("length", "gpt")


def test_weights_sizes_scales_and_numbers_of_clusters_are_listed():
    (one, two) = expand_arms(["weights:clip=0.5+gpt=1.5|length=1"], KNOWN)
    assert (one.weights, two.weights) == ({"clip": 0.5, "gpt": 1.5}, {"length": 1.0})
    assert one.name == "clip=0.5+gpt=1.5"
    assert [one.size for one in expand_arms(["sizes:100|200"], KNOWN)] == [100, 200]
    assert [one.k for one in expand_arms(["clusters:5|20"], KNOWN)] == [5, 20]
    assert arm("scales:minmax").scale == "minmax"
    assert arm("recipes:paper").recipe == "paper"


def test_other_clusterers_are_all_but_the_configured_one():
    assert names("clusterers") == ["clusterer-kmeans", "clusterer-bands"]
    assert arm("clusterers:spectral").clusterer == "spectral"


def test_an_arm_named_twice_is_one_and_two_of_one_name_are_refused():
    assert names("ig4", "all", "ig4") == ["ig4", "all"]
    with pytest.raises(UsageError, match="two arms that differ are called 'only-clip'"):
        names("single", "only-clip", own={"only-clip": Arm("only-clip", size=3)})


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("rnadom", "unknown arm 'rnadom'; did you mean random?"),
        ("single:clap", "(there are: clip, length, gpt); did you mean clip?"),
        ("sizes", "needs values: write sizes:100|200|400"),
        ("sizes:many", "'many' is not a whole number of 1 or more"),
        ("sizes:0", "'0' is not a whole number of 1 or more"),
        ("weights:clip=heavy", "'heavy' is not a finite number"),
        ("weights:clip=nan", "'nan' is not a finite number"),
        ("random:3", "takes no values"),
        ("", "name at least one arm"),
    ],
)
def test_what_makes_no_sense_is_refused(word, told):
    with pytest.raises(UsageError) as refused:
        expand_arms([word], KNOWN)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["ig4", "all", "random", "single", "sizes", "", " "])
def test_an_arm_of_ones_own_cannot_take_the_name_of_another(name):
    with pytest.raises(UsageError, match="arm of your own"):
        expand_arms(["all", "ig4"], KNOWN, {name: Arm(name, size=3)})


@pytest.mark.parametrize("word", ["no-clusters", "clusters:5", "clusterers:kmeans"])
def test_a_selector_that_uses_no_clusters_has_no_arms_of_them(word):
    with pytest.raises(UsageError, match="uses no clusters"):
        expand_arms([word], Inventory(("clip",), clustered=False))
