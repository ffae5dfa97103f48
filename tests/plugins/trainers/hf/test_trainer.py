"""Models of every family train, are saved, come back and answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from ig4.core.contracts.training import Checkpoint, Decoding, Prompt, TrainingJob
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.records import Turn
from ig4.core.testing import make_samples
from ig4.plugins.trainers.hf.build import build, load_processor
from ig4.plugins.trainers.hf.examples import Collator, Examples, Packer
from ig4.plugins.trainers.hf.model import AnswerModel
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.trainers.hf.trainer import HuggingFaceTrainer

from ....tiny_families import FAMILIES

pytestmark = pytest.mark.slow

PACKABLE = ["internvl", "llava", "smolvlm"]
USUAL = {"device": "cpu", "precision": "fp32", "workers": 0, "epochs": 1, "batch_size": 4,
         "learning_rate": 0.01, "lora_dropout": 0.0}  # fmt: skip


def trainer(place, **more) -> HuggingFaceTrainer:
    return HuggingFaceTrainer(HuggingFaceOptions(model=str(place), **{**USUAL, **more}))


def trained(place, output, samples=8, **more) -> tuple[Checkpoint, list[float]]:
    losses = []
    job = TrainingJob(make_samples(samples), output, report=lambda step: losses.append(step.loss))
    return trainer(place, **more).train(job), losses


def asked(count=3):
    return [
        Prompt(f"p{n}", (Turn("user", "What is this?"),), one.images)
        for n, one in enumerate(make_samples(count))
    ]


def rows_of(processor, count=4):
    samples = make_samples(count)
    usual = {"system": None, "max_pixels": None, "max_length": 4096}
    made = Examples(samples, torch.arange(count).numpy(), processor, **usual)
    return [made[place] for place in range(count)]


def loss_of(model, batch) -> float:
    tensors = {name: one for name, one in batch.items() if isinstance(one, torch.Tensor)}
    with torch.no_grad():
        return float(model(**tensors).loss)


WAYS = [*((name, "lora") for name in FAMILIES), ("smolvlm", "projector"), ("gemma3", "full"),
        ("internvl", "full")]  # fmt: skip


@pytest.mark.parametrize(("name", "trains"), WAYS)
def test_what_was_trained_comes_back_and_answers(families, tmp_path, name, trains):
    checkpoint, losses = trained(families[name], tmp_path, trains=trains)
    assert len(losses) == 2
    short = Decoding(max_new_tokens=4)
    first = list(trainer(families[name], trains=trains).generate(checkpoint, asked(), short))
    again = Checkpoint.read(tmp_path)
    options = HuggingFaceOptions.model_validate(again.options)
    second = list(HuggingFaceTrainer(options).generate(again, asked(), short))
    assert first == second
    assert all(isinstance(one, str) for one in first)


def test_only_what_is_meant_to_learn_changes(families, tmp_path):
    trained(families["qwen2.5-vl"], tmp_path / "projector", trains="projector")
    saved = load_file(tmp_path / "projector" / "model.safetensors")
    before = dict(build(HuggingFaceOptions(model=str(families["qwen2.5-vl"]), device="cpu"))
                  .named_parameters())  # fmt: skip
    assert saved
    assert all("merger" in name for name in saved)
    assert any(not torch.equal(value, before[name]) for name, value in saved.items())
    trained(families["qwen2.5-vl"], tmp_path / "full", trains="full")
    after = dict(build(HuggingFaceOptions(model=str(tmp_path / "full"), device="cpu"))
                 .named_parameters())  # fmt: skip
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {"visual.blocks" in name for name in changed} == {False}
    assert any("language_model" in name for name in changed)
    assert any("merger" in name for name in changed)


@pytest.mark.parametrize("name", ["qwen2.5-vl", "smolvlm"])
def test_a_batch_in_pieces_is_the_batch_in_one(families, tmp_path, name):
    """Also for models that by themselves would weigh every piece alike, as Qwen-VL does."""
    _, whole = trained(families[name], tmp_path / "one", trains="projector", micro_batch_size=4)
    _, pieces = trained(families[name], tmp_path / "two", trains="projector", micro_batch_size=1)
    assert pieces == pytest.approx(whole, abs=5e-6)
    ours = load_file(tmp_path / "one" / "model.safetensors")
    for tensor, value in load_file(tmp_path / "two" / "model.safetensors").items():
        assert float((ours[tensor] - value).abs().max()) < 2e-5, tensor


@pytest.mark.parametrize("name", FAMILIES)
def test_the_loss_is_the_mean_over_the_tokens_of_answers(families, processors, name):
    model = AnswerModel(build(HuggingFaceOptions(model=str(families[name]), device="cpu")))
    rows = rows_of(processors[name], 3)
    alone = [loss_of(model, row.tensors) for row in rows]
    tokens = [int((row.tensors["labels"][:, 1:] >= 0).sum()) for row in rows]
    mean = sum(n * loss for n, loss in zip(tokens, alone, strict=True)) / sum(tokens)
    batch = Collator(processors[name].tokenizer.pad_token_id)(rows)
    assert loss_of(model, batch) == pytest.approx(mean, abs=5e-6)


@pytest.mark.parametrize("name", PACKABLE)
def test_packed_samples_have_the_losses_they_have_apart(families, processors, name):
    model = AnswerModel(build(HuggingFaceOptions(model=str(families[name]), device="cpu")))
    rows = rows_of(processors[name])
    packed = Packer()(rows)
    assert packed["input_ids"].shape[0] == 1
    assert "attention_mask" not in packed
    apart = loss_of(model, Collator(processors[name].tokenizer.pad_token_id)(rows))
    assert loss_of(model, packed) == pytest.approx(apart, abs=5e-6)


@pytest.mark.parametrize("name", ["llava", "smolvlm"])
def test_training_on_packed_samples_is_training_on_them(families, tmp_path, name):
    usual = {"trains": "projector", "micro_batch_size": 2}
    _, apart = trained(families[name], tmp_path / "apart", **usual)
    _, packed = trained(families[name], tmp_path / "packed", packing=True, **usual)
    assert packed == pytest.approx(apart, abs=5e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["qwen2.5-vl", "gemma3"])
def test_models_that_count_positions_or_attend_otherwise_are_not_packed(
    families, tmp_path, name, precision
):
    with pytest.raises(UsageError, match=r"hf\.packing: .*leave packing off"):
        trained(families[name], tmp_path, packing=True, precision=precision)


def test_samples_without_images_train_too(families, tmp_path):
    samples = [replace(one, images=()) for one in make_samples(4)]
    job = TrainingJob(samples, tmp_path)
    done = trainer(families["qwen2.5-vl"], trains="projector", micro_batch_size=1).train(job)
    assert done.metrics["steps"] == 1


def test_an_adapter_for_another_model_is_refused(families, tmp_path):
    checkpoint, _ = trained(families["llava"], tmp_path, samples=4)
    other = trainer(families["internvl"])
    with pytest.raises(PrerequisiteError, match="another architecture"):
        list(other.generate(checkpoint, asked(1), Decoding(max_new_tokens=2)))


def test_weights_that_lack_a_part_are_refused(families, tmp_path):
    from shutil import copytree

    from safetensors.torch import save_file

    copytree(families["llava"], tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    kept = {name: one for name, one in load_file(file).items() if "projector" not in name}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(PrerequisiteError, match=r"4 weights of a Llava.*missing, the first is"):
        build(HuggingFaceOptions(model=str(tmp_path / "model"), device="cpu"))


def test_weights_of_other_sizes_are_refused(families, tmp_path):
    from shutil import copytree

    copytree(families["llava"], tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    config = json.loads(file.read_text())
    config["text_config"]["intermediate_size"] *= 2
    file.write_text(json.dumps(config))
    with pytest.raises(PrerequisiteError, match="no model that can be loaded"):
        build(HuggingFaceOptions(model=str(tmp_path / "model"), device="cpu"))


def test_a_language_model_is_no_vision_language_model(tiny):
    with pytest.raises(PrerequisiteError, match=r"no model that can be loaded|image-text-to-text"):
        trainer(tiny / "llama").footprint(TrainingJob(make_samples(2), tiny / "unused"))


def test_a_projector_that_ig4_does_not_know_is_named_by_the_user(families, tmp_path):
    with pytest.raises(UsageError, match=r"name it by -o hf\.projector=REGEX"):
        trained(families["llava"], tmp_path, projector="nothing")
    trained(families["llava"], tmp_path, projector=r"linear_2$", trains="projector")
    saved = load_file(tmp_path / "model.safetensors")
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in saved} == {"linear_2"}


@pytest.mark.parametrize("trains", ["projector", "lora", "full"])
def test_the_footprint_counts_what_learns(families, tmp_path, trains):
    told = trainer(families["smolvlm"], trains=trains).footprint(
        TrainingJob(make_samples(8), tmp_path)
    )
    checkpoint, _ = trained(families["smolvlm"], tmp_path, trains=trains)
    assert checkpoint.path is not None
    saved = sum(
        value.numel() for file in tmp_path.glob("*.safetensors")
        for value in load_file(file).values()
    )  # fmt: skip
    assert (told.steps, told.batch) == (2, 4)
    if trains == "full":
        assert told.trained < sum(told.parameters.values()) == saved
    else:
        assert told.trained == saved


def test_the_processor_is_saved_beside_the_weights(families, tmp_path):
    trained(families["gemma3"], tmp_path, samples=4, trains="projector")
    again = load_processor(HuggingFaceOptions(), name_or_path=str(tmp_path))
    assert (
        again.chat_template
        == load_processor(HuggingFaceOptions(model=str(families["gemma3"]))).chat_template
    )
