"""What the arms of an ablation select by: the reference's settings, with what the arm changes."""

from __future__ import annotations

import pytest

from ig4.core.config import build
from ig4.core.contracts import Needs
from ig4.core.engine.ablating.arms.arm import Arm
from ig4.core.engine.ablating.arms.inventory import take_inventory
from ig4.core.engine.ablating.arms.requests import ArmRequests
from ig4.core.engine.ablating.setup import make_setup
from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import candidate_table
from ig4.core.engine.selecting.select import select
from ig4.core.errors import ConfigError, UsageError
from ig4.core.records import Choice

from ....conftest import record

N = 6


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """Six samples with ratios of 1000, clusters of three, and `few` for two of them."""
    folder.write(*(record(f"s{n}", "word " * (n + 1)) for n in range(N)))
    made = read().dataset
    score(session, made, ScoreRequest([Choice("scorer", "ratio", {"maximum": 1000})]))
    (tmp_path / "few.csv").write_text("id,x\ns0,1\ns1,2\n")
    import_scores(session, made, ScoreColumn(tmp_path / "few.csv", "few", "x"))
    (tmp_path / "c.csv").write_text("id,cluster\n" + "".join(f"s{n},{n // 3}\n" for n in range(N)))
    import_clusters(session, made, tmp_path / "c.csv", "given")
    return made


@pytest.fixture
def requests(session, dataset):
    def _requests(**tables):
        tables = {"select": {"size": 2}} | tables
        return ArmRequests(make_setup(session, dataset, build(tables)))

    return _requests


def test_percents_of_arms_are_by_the_options_of_the_scores(session, dataset, requests):
    request = requests().of_arm(Arm("only-ratio", scorers=("ratio",), weights={"ratio": 1.0}), 1)
    table = candidate_table(session, dataset, request, Needs(scores=True, clusters=True))
    assert table.percent[:, 0].max() == pytest.approx(100 * N / 1000)


def test_a_column_of_few_samples_makes_no_arm_unasked(requests):
    assert take_inventory(requests().setup).scorers == ("ratio",)


def test_no_clusterer_means_one_cluster_for_all_arms(session, dataset, requests):
    none = requests(cluster={"clusterer": "none"})
    assert none.of_reference().clustering == "none"
    assert select(session, dataset, none.of_arm(Arm("ig4"), 1)).ids == ["s5", "s4"]
    with pytest.raises(UsageError, match="arm clusters-2: there is no clusterer"):
        none.of_arm(Arm("clusters-2", k=2), 1)


def test_an_arm_may_have_no_clusters(session, dataset, requests):
    chosen = requests(cluster={"clusterer": "given"})
    assert set(select(session, dataset, chosen.of_reference()).ids) == {"s5", "s2"}
    assert select(session, dataset, chosen.of_arm(Arm("mine", clusterer="none"), 1)).ids == [
        "s5", "s4",
    ]  # fmt: skip


def test_the_weights_of_an_arm_are_all(session, dataset, requests):
    config = {"select": {"size": 2, "weights": {"ratio": 0.5, "few": 0.5}}}
    request = requests(**config).of_arm(Arm("mine", weights={"ratio": 1.0}), 1)
    assert select(session, dataset, request).config["weights"] == {"ratio": 1.0}


@pytest.fixture
def seeded():
    return Arm("drawn", selector="random", scorers=("ratio",))


def test_the_selector_of_every_arm_gets_the_seed(requests, seeded):
    made = requests()
    assert [made.of_arm(seeded, seed).seed for seed in (1, 2)] == [1, 2]
    assert made.of_arm(Arm("ig4"), 3).seed == 3


def test_a_recipe_lies_between_the_configuration_and_the_arms_own_settings(requests):
    made = requests(cluster={"clusterer": "given"}, select={"size": 2, "scale": "minmax"})
    given = Arm("p", recipe="paper", scorers=("ratio",), weights={"ratio": 1.0})
    request = made.of_arm(given, 1, dry=True)
    assert (request.selector.use, request.scale, request.size) == ("quota", "paper", 2)
    assert (request.scorers, request.weights) == (("ratio",), {"ratio": 1.0})
    other = made.of_arm(Arm("p", recipe="paper", selector="topk", scale="zscore"), 1, dry=True)
    assert (other.selector.use, other.scale) == ("topk", "zscore")
    assert other.scorers == ("clip", "length", "reward", "gpt")
    assert other.weights["gpt"] == 0.27


def test_weights_of_a_recipe_are_those_of_the_scorers_that_the_arm_names(requests):
    arm = Arm("p", recipe="paper", scorers=("clip", "length"))
    assert requests().of_arm(arm, 1, dry=True).weights == {"clip": 0.53, "length": 0.10}


def test_the_clusters_of_a_recipe_count_where_its_selector_uses_any(requests):
    made = requests()

    def clusters(**more):
        _, laid = made.with_recipe(made.of_reference(), Arm("p", recipe="paper", **more))
        return laid.clusterer, laid.k

    assert clusters() == ("spectral", 10)
    assert clusters(selector="topk") == (None, None)
    assert clusters(clusterer="given") == ("given", 10)


def test_options_of_the_user_lie_over_those_of_a_recipe(requests):
    made = requests(selectors={"ccs": {"strata": 7}})
    request = made.of_arm(Arm("p", recipe="ccs", scorers=("ratio",)), 1, dry=True)
    assert (request.selector.use, request.selector.options["strata"]) == ("ccs", 7)


def test_an_unknown_recipe_is_told_with_those_there_are(requests):
    with pytest.raises(ConfigError, match="unknown recipe 'papre'; did you mean paper"):
        requests().of_arm(Arm("p", recipe="papre"), 1)
