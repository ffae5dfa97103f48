"""A training that is killed goes on to the weights it would have come to, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from ig4.core.contracts.training import Checkpoint, TrainingJob
from ig4.core.errors import PrerequisiteError
from ig4.core.testing import make_samples
from ig4.plugins.trainers.llava.options import LlavaOptions
from ig4.plugins.trainers.llava.trainer import LlavaTrainer
from ig4.plugins.training.states import newest_state

from ...tiny_models import make_hf, make_llama, make_llava, make_minigpt4
from .train_tiny import alike, one_thread, train

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("train_tiny.py")
USUAL = {"device": "cpu", "precision": "fp32", "workers": 0, "batch_size": 2, "save_every": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_minigpt4(folder / "minigpt4", make_llama(folder / "llama"))
    make_llava(folder / "llava", folder / "llama")
    make_hf(folder / "hf")
    return folder


def trainings(models, output):
    """MiniGPT-4 has chance in prompts and crops, adapters have it in their dropout."""
    return {
        "minigpt4": {
            "trainer": "minigpt4", "samples": 6, "output": str(output),
            "options": {**USUAL, "llm": str(models / "llama"), "model": str(models / "minigpt4"),
                        "epochs": 2, "steps_per_epoch": 3, "learning_rate": 0.01},
        },
        "hf": {
            "trainer": "hf", "samples": 4, "output": str(output),
            "options": {**USUAL, "model": str(models / "hf"), "epochs": 3, "lora_dropout": 0.5,
                        "learning_rate": 0.01},
        },
    }  # fmt: skip


def weights(folder):
    return {
        (file.name, name): value
        for file in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(file).items()
    }


@pytest.fixture(scope="module")
def killed(models, tmp_path_factory):
    """The trainings that were killed at their fifth step, side by side, by name."""
    folder = tmp_path_factory.mktemp("killed")
    told = {name: trainings(models, folder / name)[name] for name in ("minigpt4", "hf")}
    started = {
        name: subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps([{**one, "die_at": 5}])],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=alike(),
        )
        for name, one in told.items()
    }  # fmt: skip
    for process in started.values():
        _, errors = process.communicate(timeout=120)
        assert process.returncode == -9, errors
    return told


@pytest.fixture(scope="module")
def resumed(killed, tmp_path_factory):
    """Folders, by name, of the killed trainings when they have ended, and of ones never killed."""
    for one in killed.values():
        assert newest_state(Path(one["output"]) / "state").name == "checkpoint-4"
        with pytest.raises(PrerequisiteError, match="was not finished"):
            Checkpoint.read(Path(one["output"]))
    folder = tmp_path_factory.mktemp("never-killed")
    whole = {name: {**one, "output": str(folder / name)} for name, one in killed.items()}
    with one_thread():
        for one in [*killed.values(), *whole.values()]:
            train(one)
    return {name: (Path(one["output"]), folder / name) for name, one in killed.items()}


@pytest.mark.parametrize("name", ["minigpt4", "hf"])
def test_killed_between_two_saved_states_it_comes_to_equal_weights(resumed, name):
    killed, whole = (weights(folder) for folder in resumed[name])
    assert killed.keys() == whole.keys()
    assert all(killed[tensor].equal(whole[tensor]) for tensor in whole)
    assert not (resumed[name][0] / "state").exists()


class StopError(Exception):
    pass


def trained(models, output, pieces, stop_at=None):
    """Train in pieces of a size, and stop after a step; returns the losses of all steps."""
    losses = {}

    def report(step):
        losses[step.step] = step.loss
        if step.step == stop_at:
            raise StopError

    options = LlavaOptions(
        model=str(models / "llava"), epochs=2, micro_batch_size=pieces, lora_dropout=0.0,
        **{**USUAL, "batch_size": 4, "save_every": 1},
    )  # fmt: skip
    job = TrainingJob(make_samples(8), output, report=report)
    if stop_at is None:
        LlavaTrainer(options).train(job)
    else:
        with pytest.raises(StopError):
            LlavaTrainer(options).train(job)
    return losses


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """The losses and weights of a training that nothing stopped."""
    output = tmp_path_factory.mktemp("whole") / "out"
    return trained(models, output, None), weights(output)


@pytest.mark.parametrize(("before", "after"), [(None, 1), (1, None), (2, 1)])
def test_smaller_pieces_after_memory_ran_out_see_the_same_samples(
    models, whole, tmp_path, before, after
):
    """The remedy for a lack of memory is another size of pieces, in the middle of a training."""
    first = trained(models, tmp_path / "changed", before, stop_at=3)
    rest = trained(models, tmp_path / "changed", after)
    assert min(rest) == 3  # the state after step 3 was not saved any more
    losses, theirs = whole
    assert {**first, **rest} == pytest.approx(losses, abs=2e-6)
    ours = weights(tmp_path / "changed")
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in theirs) < 1e-6
