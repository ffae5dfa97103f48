"""Trains tiny models in a process of its own, which may be killed or be one of several.

Its only argument is JSON: a list of trainings, each {trainer, options, output, samples} with
"texts" more samples that have no image, and "die_at" the step after which it kills itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ig4.core.contracts.training import Checkpoint, TrainingJob
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import make_samples


def train(told: dict) -> Checkpoint:
    """Run one training."""

    def report(step):
        if step.step == told.get("die_at"):
            os.kill(os.getpid(), signal.SIGKILL)

    samples = make_samples(told["samples"])
    for one in make_samples(told.get("texts", 0), seed=1):
        samples.append(replace(one, id=f"text-{one.id}", images=()))
    trainer = Host.discover().build(Choice("trainer", told["trainer"], told["options"]))
    return trainer.train(TrainingJob(samples, Path(told["output"]), report=report))


def alike() -> dict[str, str]:
    """Return the environment of processes whose weights are compared.

    One thread each: how sums are parted among threads shows in the last bits, and what else a
    process has loaded may change the number of threads.
    """
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def one_thread():
    """Compute inside as such a process does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_apart(told: list[dict], command: tuple[str, ...] = (sys.executable,)) -> None:
    """Run trainings one after another in a process of their own."""
    done = subprocess.run(
        [*command, __file__, json.dumps(told)], check=False, capture_output=True, text=True,
        timeout=120, env=alike(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


if __name__ == "__main__":
    for one in json.loads(sys.argv[1]):
        train(one)
