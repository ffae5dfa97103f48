"""Selectors that go by labels: MIG, MetaCLIP's balancing, capabilities and styles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.errors import UsageError

from .pools import pool_of, selector, several

NAMES = ["cat", "dog", "bus", "tram"]
LABELS = st.lists(st.sets(st.integers(0, 3)).map(sorted), min_size=1, max_size=15)


def naive_mig(quality, labels, p, size, power=0.8):
    """MIG as the paper's code has it, with whole matrices."""
    v = np.zeros((len(labels), len(p)))
    for row, own in enumerate(labels):
        v[row, own] = quality[row]
    u, x, chosen = v @ p, np.zeros(len(p)), []
    for _ in range(size):
        gains = u @ (power * (x + 1e-6) ** (power - 1))
        gains[chosen] = -np.inf
        best = int(np.argmax(gains >= gains.max() - 1e-9 * abs(gains.max())))
        chosen.append(best)
        x += u[best]
    return chosen


@settings(max_examples=25, deadline=None)
@given(LABELS, st.integers(0, 99), st.sampled_from([0.5, 0.8, 1.0]), st.data())
def test_mig_is_the_greedy_choice(labels, seed, power, data):
    size = data.draw(st.integers(1, len(labels)))
    quality = np.random.default_rng(seed).uniform(0, 100, len(labels))
    made = selector("mig", power=power)
    groups = {"form": several(labels, NAMES)}
    pool = pool_of(made, n=len(labels), size=size, scores=quality, groups=groups)
    assert made.choose(pool).tolist() == naive_mig(quality, labels, np.eye(4), size, power)


def test_mig_says_which_samples_cannot_add_anything():
    groups = {"form": several([[0], [0], [1]], NAMES)}
    made = selector("mig")
    pool = pool_of(made, n=3, size=2, scores=[-1, 2, 3], groups=groups)
    assert made.choose(pool).tolist() == [2, 1]
    assert pool.told == [
        "mig: 1 sample has a quality of 0 or less and cannot add information; below 0 counts as 0"
    ]
    with pytest.raises(UsageError, match="no sample has a quality above 0"):
        made.choose(pool_of(made, n=3, size=2, scores=[-1, -2, 0], groups=groups))


def test_rated_styles_take_the_place_of_a_grouping():
    raw = {"mmssr.a": [5, 4, 3, 0], "mmssr.style-x": [1, 1, 0, 0], "mmssr.style-y": [0, 0, 1, 0]}
    made = selector("capability-style", capabilities=["a"], style_outputs=["style-x", "style-y"])
    pool = pool_of(made, n=4, size=2, raw=raw)
    assert sorted(made.choose(pool).tolist()) == [0, 2]  # the best of each style
    assert made.reasons(pool, 2)["styles"] == ["style-y"]
    assert not pool.told
    pool = pool_of(made, n=4, size=4, raw=raw)
    made.choose(pool)
    assert "1 sample of 4 stands for no capability" in pool.told[0]


@settings(max_examples=15, deadline=None)
@given(LABELS, st.integers(0, 99), st.sampled_from([0.0, 1.0, 3.0]))
def test_mig_spreads_to_related_labels(tmp_path_factory, labels, seed, weight):
    rng = np.random.default_rng(seed)
    vectors = np.abs(rng.normal(size=(4, 3)))
    vectors[1] = vectors[0] + 0.01
    file = tmp_path_factory.mktemp("labels") / "labels.npz"
    np.savez(file, **dict(zip(NAMES, vectors, strict=True)))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    w = np.where(cosines > 0.9, cosines * weight, 0)
    np.fill_diagonal(w, 1)
    p = w / w.sum(axis=0)

    quality = rng.uniform(1, 100, len(labels))
    made = selector("mig", label_vectors=str(file), spread=weight)
    groups = {"form": several(labels, NAMES)}
    pool = pool_of(made, n=len(labels), size=len(labels), scores=quality, groups=groups)
    found = made.choose(pool).tolist()
    assert found == naive_mig(quality, labels, p, len(labels))


def test_mig_prefers_labels_that_it_has_not():
    made = selector("mig")
    groups = {"form": several([[0], [0], [0], [1]], NAMES)}
    pool = pool_of(made, n=4, size=2, scores=[90, 80, 70, 30], groups=groups)
    assert made.choose(pool).tolist() == [0, 3]
    assert made.reasons(pool, 3) == {"dog": 30.0}


def test_mig_may_divide_a_samples_quality_among_its_labels():
    groups = {"form": several([[0, 1, 2], [3]], NAMES)}
    for norm, first in ((False, 0), (True, 1)):
        made = selector("mig", norm=norm)
        pool = pool_of(made, n=2, size=1, scores=[50, 60], groups=groups)
        assert made.choose(pool).tolist() == [first]


def test_mig_needs_a_vector_for_each_label(tmp_path):
    np.savez(tmp_path / "labels.npz", cat=np.ones(3))
    made = selector("mig", label_vectors=str(tmp_path / "labels.npz"))
    groups = {"form": several([[0], [1]], NAMES[:2])}
    with pytest.raises(UsageError, match="no vector for 1 of 2 labels, such as 'dog'"):
        made.choose(pool_of(made, n=2, size=1, scores=[1, 2], groups=groups))


def kept_with_t(counts, random, t):
    """Which rows MetaCLIP keeps: with probability max over entries of min(1, t / count)."""
    keep = [max((min(1.0, t / c) for c in own), default=0.0) for own in counts]
    return {row for row, share in enumerate(keep) if random[row] < share}


@settings(max_examples=30, deadline=None)
@given(LABELS, st.integers(0, 99), st.data())
def test_metaclip_solves_for_t(labels, seed, data):
    size = data.draw(st.integers(1, len(labels)))
    made = selector("metaclip", groups="labels")
    groups = {"labels": several(labels, NAMES)}
    pool = pool_of(made, n=len(labels), size=size, seed=seed, groups=groups)
    rows = set(made.choose(pool).tolist())
    counts = [[sum(label in own for own in labels) for label in mine] for mine in labels]
    labelled = {row for row, own in enumerate(labels) if own}
    if size > len(labelled):
        assert rows > labelled
        return
    random = pool.rng().random(len(labels))
    last = max(rows, key=lambda row: random[row] * min(counts[row]))
    t = random[last] * min(counts[last])
    assert made.reasons(pool, last)["t"] == pytest.approx(t)
    # Just above t exactly these are kept, and just below one less.
    assert kept_with_t(counts, random, t * (1 + 1e-9)) == rows
    assert kept_with_t(counts, random, t * (1 - 1e-9)) == rows - {last}


def test_metaclip_lifts_rare_labels():
    made = selector("metaclip", groups="labels")
    labels = [[0]] * 900 + [[1]] * 100
    groups = {"labels": several(labels, NAMES)}
    rows = made.choose(pool_of(made, n=1000, size=200, groups=groups))
    assert 80 <= (rows >= 900).sum() <= 100  # 20 of 200 in a random draw


def test_a_sample_with_a_rare_label_beside_a_frequent_one_counts_as_rare():
    made = selector("metaclip", groups="labels")
    groups = {"labels": several([[0, 1], [0], [0], []], NAMES)}
    pool = pool_of(made, n=4, size=3, groups=groups)
    assert made.reasons(pool, 0)["rarest"] == 1
    assert made.reasons(pool, 3) == {"rarest": None}
    assert 3 not in made.choose(pool)


def capability_style(**options):
    return selector("capability-style", capabilities=["a", "b"], styles="labels", **options)


def naive_rounds(ratings, labels, size):
    """mmSSR's rounds as the paper tells them, on sets."""
    taken = []
    styles = {frozenset([s]) for own in labels for s in own} | {frozenset()}

    def has(row, style):
        return style <= set(labels[row]) if style else not labels[row]

    while len(taken) < size:
        before = list(taken)
        part = max(1, (size - len(before)) // ratings.shape[1])
        for capability in range(ratings.shape[1]):
            budget, got = min(part, size - len(taken)), 0
            able = [r for r in range(len(labels)) if r not in taken and ratings[r, capability] > 0]
            of = {s: [r for r in able if has(r, s)] for s in styles}
            order = sorted((s for s in styles if of[s]),
                           key=lambda s: (len(of[s]), min(s, default=99)))  # fmt: skip
            for place, style in enumerate(order):
                share = (budget - got) // (len(order) - place)
                left = [r for r in of[style] if r not in taken]
                best = sorted(left, key=lambda r: (-ratings[r, capability], r))[:share]
                taken += best
                got += len(best)
        if taken == before:
            break
    rest = [r for r in range(len(labels)) if r not in taken]
    rest.sort(key=lambda r: (-ratings[r].sum(), r))
    return taken + rest[: size - len(taken)]


@settings(max_examples=25, deadline=None)
@given(LABELS, st.integers(0, 99), st.data())
def test_capabilities_take_turns_and_deal_over_styles(labels, seed, data):
    size = data.draw(st.integers(1, len(labels)))
    ratings = np.random.default_rng(seed).integers(0, 6, size=(len(labels), 2)).astype(float)
    made = capability_style(ratings="grades")
    raw = {"grades.a": ratings[:, 0], "grades.b": ratings[:, 1]}
    groups = {"labels": several(labels, NAMES)}
    pool = pool_of(made, n=len(labels), size=size, raw=raw, groups=groups)
    assert made.choose(pool).tolist() == naive_rounds(ratings, labels, size)


def test_a_rare_style_has_as_much_as_a_frequent_one():
    made = capability_style()
    labels = [[0]] * 90 + [[1]] * 10
    rng = np.random.default_rng(0)
    raw = {"mmssr.a": rng.uniform(1, 5, 100), "mmssr.b": rng.uniform(1, 5, 100)}
    groups = {"labels": several(labels, NAMES)}
    pool = pool_of(made, n=100, size=20, raw=raw, groups=groups)
    rows = made.choose(pool)
    assert (rows >= 90).sum() == 10
    assert set(made.reasons(pool, 0)) == {"mmssr.a", "mmssr.b", "styles"}
    assert made.reasons(pool, 95)["styles"] == ["dog"]
