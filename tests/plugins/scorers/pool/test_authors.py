"""The InstructionGPT-4 authors' trained selector: its network, its input, its published scores."""

import json

import numpy as np
import pytest

from ig4.core.engine.selecting.algorithm import best_first
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.models.tensorfiles import read_matrix
from ig4.plugins.scorers.pool.authors import INDICATORS, AuthorsSelector, AuthorsSelectorOptions


def tensors(d, seed=0):
    """Random weights of a network of `d` features and two layers, under the authors' names."""
    rng = np.random.default_rng(seed)
    shapes = {"linear.weight": (1, d), "linear.bias": (1,)}
    for n in range(2):
        shapes |= {
            f"multihead_attns.{n}.in_proj_weight": (3 * d, d),
            f"multihead_attns.{n}.in_proj_bias": (3 * d,),
            f"multihead_attns.{n}.out_proj.weight": (d, d),
            f"multihead_attns.{n}.out_proj.bias": (d,),
            f"linears.{n}.weight": (d, d),
            f"linears.{n}.bias": (d,),
        }
    return {f"module.{name}": rng.normal(scale=0.2, size=shape) for name, shape in shapes.items()}


def pool_data(n, width=2, seed=0):
    rng = np.random.default_rng(seed)
    return ArrayPoolData(
        n,
        raw_by_scorer={name: rng.uniform(1, 5, n) for name in INDICATORS},
        spaces={
            name: rng.normal(size=(n, width)).astype(np.float32)
            for name in ("authors-image", "authors-text")
        },
    )


def score(data, file):
    scorer = AuthorsSelector(AuthorsSelectorOptions(checkpoint=str(file)))
    scorer.open()
    try:
        return scorer.score_pool(make_pool(data, scorer.needs()))
    finally:
        scorer.close()


@pytest.fixture
def checkpoint(tmp_path):
    np.savez(tmp_path / "network.npz", **tensors(8))
    return tmp_path / "network.npz"


def naive(features, state):
    """The same network, a sample and a head at a time."""
    x, d = features, features.shape[1]
    for n in range(2):
        part = {k.split(f".{n}.", 1)[1]: v for k, v in state.items() if f"attns.{n}." in k}
        q, k, v = np.split(x @ part["in_proj_weight"].T + part["in_proj_bias"], 3, axis=1)
        mixed = np.zeros_like(x)
        for i in range(len(x)):
            for head in range(4):
                at = slice(head * d // 4, (head + 1) * d // 4)
                weights = np.exp([q[i, at] @ k[j, at] / np.sqrt(d // 4) for j in range(len(x))])
                mixed[i, at] = (weights / weights.sum()) @ v[:, at]
        x = x + mixed @ part["out_proj.weight"].T + part["out_proj.bias"]
        x = x @ state[f"module.linears.{n}.weight"].T + state[f"module.linears.{n}.bias"]
    return (x @ state["module.linear.weight"].T + state["module.linear.bias"])[:, 0]


def test_samples_attend_to_the_whole_pool(checkpoint):
    data = pool_data(6)
    percents = [
        data.raw("clip"),
        10 * data.raw("reward"),
        100 * data.raw("length") / data.raw("length").max(),
        data.raw("gpt"),
    ]
    spaces = [data.spaces["authors-image"], data.spaces["authors-text"]]
    features = np.column_stack([*spaces, *percents]).astype(np.float64)
    assert score(data, checkpoint) == pytest.approx(naive(features, tensors(8)), rel=1e-9)
    alone = score(data.take(np.array([0])), checkpoint)[0]
    assert alone != pytest.approx(score(data, checkpoint)[0], abs=1e-3)


def test_a_sample_without_an_indicator_has_no_score_and_nobody_attends_to_it(checkpoint):
    data = pool_data(6)
    data.raw_by_scorer["gpt"][2] = np.nan
    values = score(data, checkpoint)
    assert np.isnan(values[2])
    others = np.array([0, 1, 3, 4, 5])
    # The longest answer is the scale of the others' lengths, whether or not it has a score.
    data.raw_by_scorer["length"][2] = 0.5
    assert score(data, checkpoint)[others] == pytest.approx(score(data.take(others), checkpoint))


def test_spaces_of_other_widths_are_refused(checkpoint):
    with pytest.raises(UsageError, match=r"reads 8 features, and there are 10: 3 of authors-image"):
        score(pool_data(4, width=3), checkpoint)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros((3, 3)))
    with pytest.raises(PrerequisiteError, match="is no checkpoint of the authors' selector"):
        score(pool_data(4), tmp_path / "other.npz")
    wrong = tensors(8) | {"module.linears.1.weight": np.zeros((8, 7))}
    np.savez(tmp_path / "wrong.npz", **wrong)
    with pytest.raises(PrerequisiteError, match="the shapes of its tensors do not fit"):
        score(pool_data(4), tmp_path / "wrong.npz")


@pytest.mark.shared
@pytest.mark.slow
def test_the_published_checkpoint_gives_the_published_scores(shared):
    folder = shared / "data" / "instructiongpt4"
    rows = json.loads((folder / "full_score_data.json").read_text(encoding="utf-8"))["annotations"]
    rated = json.loads((folder / "gpt_final_score.json").read_text(encoding="gb18030"))
    gpt = {row["image_id"]: float(row["gpt_score"]) for row in rated["annotations"]}
    columns = {
        "clip": [row["clip_score"] for row in rows],
        "reward": [row["reward_score"] for row in rows],
        "length": [10 * row["length_score"] for row in rows],
        "gpt": [gpt[row["image_id"]] for row in rows],
    }
    data = ArrayPoolData(
        len(rows),
        raw_by_scorer={name: np.array(values) for name, values in columns.items()},
        spaces={
            "authors-image": read_matrix(folder / "selector" / "all_image_matrix.pt"),
            "authors-text": read_matrix(folder / "selector" / "all_text_matrix.pt"),
        },
    )
    values = score(data, folder / "selector" / "best_model.pth")

    file = shared / "fixtures" / "selection" / "authors_trained_selector.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    place = {row["image_id"]: n for n, row in enumerate(rows)}
    found = {name: values[place[name]] for name in published["scores"]}
    assert found == pytest.approx(published["scores"], abs=published["tolerance"])

    # As the authors select: of each spectral cluster by whole points, ties as in the file.
    clusters = json.loads((folder / "spectral_clusters.json").read_text(encoding="utf-8"))
    members = clusters.values() if isinstance(clusters, dict) else clusters
    chosen = []
    for cluster in members:
        own = np.array(sorted(place[str(name)] for name in cluster))
        ranked = own[np.argsort(-np.trunc(values[own]), kind="stable")]
        chosen += ranked[: max(1, int(204 * len(own) / len(rows)))].tolist()
    assert len(chosen) == 200
    assert len(set(best_first(values)[:200].tolist()) & set(chosen)) > 100
