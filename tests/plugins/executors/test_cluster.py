"""The executor `ray` on a cluster of two nodes: actors and nodes that end, and too little room."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ig4.core.contracts import Work
from ig4.core.errors import PrerequisiteError
from ig4.plugins.executors.ray import Ray, RayOptions

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

COUNT = 40
OTHERS = 8


class Slow(Work[int, tuple[int, int, str]]):
    """Returns its tasks, with the process and the node that did them.

    Task 0 takes as long as it takes others to do OTHERS tasks.
    """

    def __init__(self, log: Path, *, waits: bool = False) -> None:
        self.log = log
        self.waits = waits
        self.open_at = 0.0

    def others_did(self):
        told = [line.split() for line in self.log.read_text().splitlines()]
        return sum(what == "work" and int(pid) != os.getpid() for what, _, pid, _ in told)

    def open(self):
        self.open_at = time.monotonic()

    def prefetch(self, task):
        with self.log.open("a") as lines:
            lines.write(f"read {task} {os.getpid()} {time.monotonic()}\n")

    def __call__(self, task):
        import ray

        assert self.open_at
        with self.log.open("a") as lines:
            lines.write(f"work {task} {os.getpid()} {time.monotonic()}\n")
        time.sleep(0.1)
        if task == 0 and self.waits:
            until = time.monotonic() + 100
            while time.monotonic() < until and self.others_did() < OTHERS:
                time.sleep(0.1)
        return task, os.getpid(), ray.get_runtime_context().get_node_id()


@pytest.fixture(scope="module")
def ray():
    import ray
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield ray
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def cluster(ray, monkeypatch):
    """A cluster of two nodes with a core each, which nobody finds who looks for one."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets have short names
    monkeypatch.setenv("RAY_TMPDIR", folder)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.second = made.add_node(num_cpus=1)
    ray.init(address=made.address, logging_level=logging.ERROR, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def executor(**options):
    return Ray(RayOptions(**{"actors": 2, "wait_seconds": 20} | options))


def test_an_actor_and_then_a_node_are_killed_and_the_run_ends_right(cluster, tmp_path, caplog):
    found = []
    with executor().start(Slow(tmp_path / "log", waits=True)) as run:
        for number, one in enumerate(run(iter(range(COUNT)))):
            found.append(one)
            if number == 10:
                stays = {process for _, process, node in found if node != cluster.second.node_id}
                os.kill(stays.pop(), signal.SIGKILL)
            if number == 20:
                cluster.remove_node(cluster.second)
    assert [task for task, _, _ in found] == list(range(COUNT))
    assert len({node for _, _, node in found}) == 2
    assert len({process for _, process, _ in found}) >= 3
    assert "1 of 2 actors found no room in the cluster at the end" in caplog.text


def test_who_is_idle_takes_the_next_task_and_reads_ahead(cluster, tmp_path):
    with executor().start(Slow(tmp_path / "log", waits=True)) as run:
        found = list(run(iter(range(20))))
    assert [task for task, _, _ in found] == list(range(20))
    slow = found[0][1]
    assert sum(process != slow for _, process, _ in found) >= OTHERS  # it held up nobody
    told = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    at = {(what, int(task)): float(when) for what, task, _, when in told}
    ahead = [task for task in range(2, 20) if at["read", task] < at["work", task] - 0.05]
    assert len(ahead) >= 5


def test_more_actors_than_cores_begin_with_those_that_have_room(cluster, tmp_path, caplog):
    with executor(actors=3).start(Slow(tmp_path / "log")) as run:
        found = list(run(iter(range(10))))
    assert [task for task, _, _ in found] == list(range(10))
    assert len({process for _, process, _ in found}) == 2
    told = "1 of 3 actors found no room in the cluster at the end: each actor of Ray needs 1 CPU"
    assert told in caplog.text


def test_where_nobody_has_room_it_is_given_up_in_a_sentence(cluster, tmp_path):
    began = time.monotonic()
    work = Slow(tmp_path / "log")
    with (
        pytest.raises(
            PrerequisiteError, match=r"needs 1 CPU and 1 GPU, and the cluster has 2 CPU "
        ),
        executor(num_gpus=1, wait_seconds=3).start(work),
    ):
        pass
    assert time.monotonic() - began < 120
