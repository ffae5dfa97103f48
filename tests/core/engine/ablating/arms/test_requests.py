"""What the arms of an ablation select by: the reference's settings, with what the arm changes."""

from __future__ import annotations

import pytest

from ig4.core.config import build
from ig4.core.engine.ablating.arms.arm import Arm
from ig4.core.engine.ablating.arms.inventory import take_inventory
from ig4.core.engine.ablating.arms.requests import ArmRequests
from ig4.core.engine.ablating.setup import make_setup
from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import candidate_table
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
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
    table = candidate_table(session, dataset, request, clusters_needed=True)
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
