"""Scoring where the work goes through pickle to other processes, and on a real Ray cluster."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import PluginError, PrerequisiteError
from ig4.core.records import Choice

from ...conftest import record


def executor(name, **options):
    return Choice("executor", name, options)


def scorers(*names):
    return [Choice("scorer", name, {}) for name in names]


@pytest.fixture
def dataset(folder, read):
    """Three samples, two of them with an image; one answer fails."""
    folder.picture("red.png", "red")
    folder.picture("blue.png", "blue")
    folder.write(
        record("a", "one two", "red.png"),
        record("b", "will fail", "blue.png"),
        record("c", "one two three four"),
    )
    return read().dataset


def everything(session):
    """All that is stored of scores and of vectors, without when."""
    with session.store.reading() as connection:
        scores = connection.exec_driver_sql(
            "SELECT external_id, scorer, value, error FROM scores_long ORDER BY 1, 2"
        ).all()
        vectors = connection.exec_driver_sql(
            "SELECT vector, error FROM embeddings ORDER BY 1"
        ).all()
        texts = connection.exec_driver_sql("SELECT vector FROM input_embeddings ORDER BY 1").all()
    return scores, vectors, texts


def wanted(executor, *names):
    return ScoreRequest(
        scorers(*(names or ("counted", "bright", "pixels", "length"))),
        executor=executor,
        spaces=[Choice("embedder", "letters", {})],
    )


@pytest.fixture
def as_here(session, dataset):
    """Check that what an executor stores is what this process does."""

    def check(choice):
        score(session, dataset, wanted(choice))
        found = everything(session)
        with session.store.writing() as connection:
            for table in ("scores", "embeddings", "input_embeddings"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        score(session, dataset, wanted(executor("local")))
        assert found == everything(session)
        assert len(found[0]) == 12
        assert all(found)

    return check


def test_work_tasks_and_results_can_be_sent_to_another_process(as_here):
    as_here(executor("sent"))


@pytest.mark.slow
class TestRay:
    """A real cluster of one node, which is started for it."""

    @pytest.fixture(autouse=True)
    def nodes(self, plugin, monkeypatch):
        """Let every process of the cluster find the plugin, as if it were installed there."""
        pytest.importorskip("ray")
        monkeypatch.setenv("PYTHONPATH", str(plugin), prepend=os.pathsep)

    def test_it_scores_as_this_process_does(self, as_here):
        as_here(executor("ray", actors=2))

    def test_two_nodes_score_as_this_process_does(self, as_here, monkeypatch):
        from ray.cluster_utils import Cluster

        folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets have short names
        monkeypatch.setenv("RAY_TMPDIR", folder)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            cluster.add_node(num_cpus=1)
            as_here(executor("ray", actors=2, address=cluster.address))
        finally:
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)

    def test_what_cannot_be_sent_is_told_with_what_to_change(self, session, dataset):
        with pytest.raises(PluginError, match=r"cannot be pickled before it is opened"):
            score(session, dataset, wanted(executor("ray"), "locked"))

    def test_a_dead_actor_is_told_and_what_was_committed_stays(self, session, folder, read):
        folder.write(*(record(f"s{n}", "die" if n == 9 else f"well {n}") for n in range(1, 10)))
        dataset = read().dataset
        with pytest.raises(PrerequisiteError, match=r"an actor of Ray died.*continues from there"):
            score(session, dataset, ScoreRequest(scorers("deadly"), executor=executor("ray")))
        with session.store.reading() as connection:
            done = connection.exec_driver_sql("SELECT COUNT(value) FROM scores_long").scalar()
        assert done == 8  # the two batches before it, though they had the same actor

    def test_an_error_in_an_actor_is_that_of_the_component(self, session, dataset):
        lost = Choice("scorer", "counted", {"weights": "missing"})
        with pytest.raises(PrerequisiteError, match="the weights are missing"):
            score(session, dataset, ScoreRequest([lost], executor=executor("ray")))
