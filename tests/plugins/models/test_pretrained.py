"""Loading models: quantised by option, and refused in a sentence where that cannot be."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from pydantic import ValidationError

from ig4.core.contracts.training import TrainingJob
from ig4.core.errors import MissingExtraError, PrerequisiteError, UsageError
from ig4.core.testing import make_samples
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.trainers.hf.trainer import HuggingFaceTrainer
from ig4.plugins.trainers.llava.options import LlavaOptions
from ig4.plugins.trainers.llava.trainer import LlavaTrainer
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options
from ig4.plugins.trainers.minigpt4.trainer import MiniGPT4Trainer
from ig4.plugins.training.options import TrainingOptions

from ...tiny_models import make_hf, make_llama, make_llava, make_minigpt4

pytestmark = pytest.mark.slow

WITHOUT = pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is there")
WITH = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs bitsandbytes")
USUAL = {"device": "cpu", "precision": "fp32", "workers": 0, "batch_size": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_minigpt4(folder / "minigpt4", make_llama(folder / "llama"))
    make_llava(folder / "llava", folder / "llama")
    make_hf(folder / "hf")
    return folder


def trainer(models, name, **more):
    options = {**USUAL, **more}
    if name == "minigpt4":
        parts = {"llm": str(models / "llama"), "model": models / "minigpt4"}
        return MiniGPT4Trainer(MiniGPT4Options(**parts, epochs=1, steps_per_epoch=2, **options))
    if name == "llava":
        return LlavaTrainer(LlavaOptions(model=str(models / "llava"), **options))
    return HuggingFaceTrainer(HuggingFaceOptions(model=str(models / "hf"), epochs=1, **options))


@WITHOUT
@pytest.mark.parametrize("name", ["minigpt4", "llava", "hf"])
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_few_bits_need_a_library_and_say_which(models, tmp_path, name, bits):
    with pytest.raises(MissingExtraError, match=r'needs bitsandbytes: pip install "ig4\[quant'):
        trainer(models, name, quantize=bits).train(TrainingJob(make_samples(2), tmp_path))


@WITH
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("minigpt4", {}),
        ("llava", {"stage": "pretrain"}),
        ("llava", {"stage": "lora"}),
        ("hf", {"trains": "projector"}),
        ("hf", {"trains": "lora"}),
    ],
)
def test_language_models_in_few_bits_are_trained_through(models, tmp_path, name, more, bits):
    losses = []
    job = TrainingJob(make_samples(4), tmp_path, report=lambda step: losses.append(step.loss))
    trainer(models, name, quantize=bits, **more).train(job)
    assert len(losses) == 2


@WITH
@pytest.mark.parametrize(("name", "more"), [("llava", {"stage": "full"}),
                                            ("hf", {"trains": "full"})])  # fmt: skip
def test_weights_in_few_bits_cannot_all_learn(models, tmp_path, name, more):
    with pytest.raises(UsageError, match="cannot learn"):
        trainer(models, name, quantize="4bit", **more).train(TrainingJob(make_samples(2), tmp_path))


@pytest.mark.parametrize("name", ["minigpt4", "llava", "hf"])
def test_the_memory_of_few_bits_is_counted_without_the_library(models, tmp_path, name):
    job = TrainingJob(make_samples(4), tmp_path)

    def weights(**more):
        told = trainer(models, name, **more).footprint(job)
        return sum(size for what, size in told.memory.items() if "weights" in what)

    assert weights(quantize="4bit") < weights(quantize="8bit") < weights()
    assert weights(precision="bf16") < weights(precision="fp32")


def test_other_numbers_of_bits_are_no_options():
    with pytest.raises(ValidationError, match="quantize"):
        TrainingOptions(quantize="2bit")


def test_a_model_of_the_hub_that_cannot_be_had_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    lost = HuggingFaceTrainer(
        HuggingFaceOptions(model="nobody/nothing", cache_dir=tmp_path, **USUAL)
    )
    with pytest.raises(PrerequisiteError, match=r"not on this machine .*-o hf\.model=/path/to"):
        lost.train(TrainingJob(make_samples(2), tmp_path / "out"))


@pytest.mark.parametrize("name", ["minigpt4", "llava", "hf"])
def test_checkpointing_activations_changes_no_loss(models, tmp_path, name):
    more = {} if name == "minigpt4" else {"lora_dropout": 0.0}
    losses: dict[bool, list[float]] = {False: [], True: []}
    for on, seen in losses.items():
        report = lambda step, seen=seen: seen.append(step.loss)  # noqa: E731
        job = TrainingJob(make_samples(4), tmp_path / str(on), report=report)
        trainer(models, name, gradient_checkpointing=on, **more).train(job)
    assert losses[True] == pytest.approx(losses[False], abs=1e-6)


def test_fp16_is_not_trained_on_a_processor(models, tmp_path):
    with pytest.raises(UsageError, match=r"hf\.precision = 'fp16' needs a GPU.*bf16"):
        trainer(models, "hf", precision="fp16").train(TrainingJob(make_samples(2), tmp_path))


@pytest.mark.parametrize("name", ["minigpt4", "llava", "hf"])
def test_half_precision_gives_the_losses_of_full_but_for_rounding(models, tmp_path, name):
    losses = {}
    for kind in ("fp32", "bf16"):
        losses[kind] = []
        job = TrainingJob(
            make_samples(4), tmp_path / kind,
            report=lambda step, kind=kind: losses[kind].append(step.loss),
        )  # fmt: skip
        trainer(models, name, precision=kind).train(job)
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=5e-3)
    assert losses["bf16"] != losses["fp32"]
