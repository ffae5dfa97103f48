"""NormSim against its formula, with a target file and with the pool."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData, make_pool


def vectors(n, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def scorer(**options):
    return Host.discover().build(Choice("scorer", "ig4/normsim", options))


def score(rows, **options):
    made = scorer(**options)
    return made.score_pool(make_pool(ArrayPoolData(len(rows), spaces={"clip": rows}), made.needs()))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99), st.sampled_from(["2", "inf"]))
def test_it_is_the_norm_of_the_similarities(tmp_path_factory, n, m, seed, p):
    rows, targets = vectors(n, seed=seed), vectors(m, seed=seed + 100)
    file = tmp_path_factory.mktemp("target") / "target.npy"
    np.save(file, targets)
    order = {"2": 2, "inf": np.inf}[p]
    expected = np.linalg.norm(unit(rows) @ unit(targets).T, ord=order, axis=1)
    assert score(rows, target=str(file), p=p) == pytest.approx(expected, abs=1e-5)


def test_the_pool_can_be_its_own_target():
    rows = vectors(20)
    expected = np.linalg.norm(unit(rows) @ unit(rows).T, axis=1)
    assert score(rows) == pytest.approx(expected, abs=1e-5)


def test_the_nearest_of_the_pool_itself_is_refused():
    with pytest.raises(UsageError, match="is 1 for every sample: name a file"):
        scorer(p="inf")


@pytest.mark.parametrize("name", ["target.npy", "target.npz"])
def test_numpys_files_are_read(tmp_path, name):
    targets = vectors(3)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, targets)
    assert score(vectors(4, seed=1), target=str(tmp_path / name)).shape == (4,)


def test_a_target_of_another_width_is_refused(tmp_path):
    np.save(tmp_path / "t.npy", vectors(3, 7))
    with pytest.raises(UsageError, match="have 7 numbers, and those of the space clip 5"):
        score(vectors(4), target=str(tmp_path / "t.npy"))


def test_a_target_that_is_missing_is_named(tmp_path):
    with pytest.raises(PrerequisiteError, match=r"nowhere\.npy: there is no such file"):
        score(vectors(4), target=str(tmp_path / "nowhere.npy"))


def test_the_content_of_the_target_counts_and_not_its_path():
    made = scorer(target="a/target.npy")
    assert made.identity(lambda path: f"hash of {path.name}")["target"] == "hash of target.npy"
    assert scorer().identity(lambda _: "x")["target"] == "pool"


def test_p_may_be_a_number():
    assert scorer(p=2).options.p == "2"
