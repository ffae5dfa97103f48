"""Several processes, started by `accelerate launch`, train as one does."""

from __future__ import annotations

import sys

import pytest
from safetensors.torch import load_file

from ig4.core.contracts.training import Checkpoint

from ...tiny_models import make_llama, make_llava, make_minigpt4, make_qwen
from .train_tiny import one_thread, train, train_apart

pytestmark = pytest.mark.slow

USUAL = {"device": "cpu", "precision": "fp32", "batch_size": 4, "workers": 0}
LAUNCH = (
    sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
    "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
    "--main_process_port", "0",
)  # fmt: skip
TOLERANCE = 2e-5
"""Sums are taken in another order; what was seen is 2e-6, of steps of 1e-2."""


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Three trainings, two of them with pieces in which no sample has an image."""
    models = tmp_path_factory.mktemp("models")
    make_minigpt4(models / "minigpt4", make_llama(models / "llama"))
    make_llava(models / "llava", models / "llama")
    make_qwen(models / "qwen")
    return {
        "minigpt4": {
            "trainer": "minigpt4", "samples": 6,
            "options": {**USUAL, "llm": str(models / "llama"), "model": str(models / "minigpt4"),
                        "epochs": 2, "steps_per_epoch": 2, "learning_rate": 0.01},
        },
        "llava": {
            "trainer": "llava", "samples": 2, "texts": 6,
            "options": {**USUAL, "model": str(models / "llava"), "lora_dropout": 0.0,
                        "learning_rate": 0.01},
        },
        "hf": {
            "trainer": "hf", "samples": 2, "texts": 6,
            "options": {**USUAL, "model": str(models / "qwen"), "trains": "projector",
                        "epochs": 1, "learning_rate": 0.01},
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def launched(trainings, tmp_path_factory):
    """The folder of what two processes trained, all in one launch."""
    folder = tmp_path_factory.mktemp("launched")
    told = [{**one, "output": str(folder / name)} for name, one in trainings.items()]
    train_apart(told, LAUNCH)
    return folder


@pytest.fixture(scope="module")
def alone(trainings, tmp_path_factory):
    """The folder of what this process trained in two pieces a step."""
    folder = tmp_path_factory.mktemp("alone")
    with one_thread():
        for name, one in trainings.items():
            options = {**one["options"], "micro_batch_size": 2}
            train({**one, "options": options, "output": str(folder / name)})
    return folder


@pytest.mark.parametrize("name", ["minigpt4", "llava", "hf"])
def test_two_processes_come_to_the_weights_of_one_that_accumulates(launched, alone, name):
    two, one = Checkpoint.read(launched / name), Checkpoint.read(alone / name)
    assert two.metrics["steps"] == one.metrics["steps"]
    assert two.metrics["loss"] == pytest.approx(one.metrics["loss"], abs=2e-6)
    files = sorted(file.name for file in (alone / name).glob("*.safetensors"))
    assert files
    for file in files:
        ours, theirs = load_file(launched / name / file), load_file(alone / name / file)
        assert ours.keys() == theirs.keys()
        for tensor, value in theirs.items():
            assert float((ours[tensor] - value).abs().max()) <= TOLERANCE, tensor


def test_only_the_first_process_writes(launched):
    assert not list(launched.glob("*/state"))
    assert (launched / "minigpt4" / "checkpoint_1.pth").is_file()
