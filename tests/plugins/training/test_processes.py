"""Several processes, started by `accelerate launch`, train as one does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from ig4.core.training import Checkpoint

from ...tiny_models import make_llama, make_llava, make_minigpt4, make_qwen
from .train_tiny import train

SCRIPT = Path(__file__).with_name("train_tiny.py")
USUAL = {"device": "cpu", "precision": "fp32", "batch_size": 4, "workers": 0}
LAUNCH = [
    sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
    "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
    "--main_process_port", "0",
]  # fmt: skip
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
    done = subprocess.run(
        [*LAUNCH, str(SCRIPT), json.dumps(told)], check=False, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("name", ["minigpt4", "llava", "hf"])
def test_two_processes_come_to_the_weights_of_one_that_accumulates(
    trainings, launched, tmp_path, name
):
    told = trainings[name]
    pieces = {**told["options"], "micro_batch_size": 2}
    one = train({**told, "options": pieces, "output": str(tmp_path)})
    two = Checkpoint.read(launched / name)
    assert two.metrics["steps"] == one.metrics["steps"]
    assert two.metrics["loss"] == pytest.approx(one.metrics["loss"], abs=2e-6)
    files = sorted(file.name for file in tmp_path.glob("*.safetensors"))
    assert files
    for file in files:
        ours, theirs = load_file(launched / name / file), load_file(tmp_path / file)
        assert ours.keys() == theirs.keys()
        for tensor, value in theirs.items():
            assert float((ours[tensor] - value).abs().max()) <= TOLERANCE, tensor


def test_only_the_first_process_writes(launched):
    assert not list(launched.glob("*/state"))
    assert (launched / "minigpt4" / "checkpoint_1.pth").is_file()
