"""LLaVA-1.5 by its published recipe: stages, texts, masks, images, and what is saved of them."""

from __future__ import annotations

import json
from dataclasses import replace
from shutil import copytree

import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import load_file

from ig4.core.contracts.training import (
    NO_ANSWER_LEFT,
    REFUSED,
    Checkpoint,
    Decoding,
    Prompt,
    TrainingJob,
)
from ig4.core.errors import PrerequisiteError
from ig4.core.records import Image, Turn
from ig4.core.testing import make_samples
from ig4.plugins.models.tokenizer import load_tokenizer
from ig4.plugins.trainers.llava.build import build, meta_model
from ig4.plugins.trainers.llava.images import PADDING_COLOUR, pad_to_square
from ig4.plugins.trainers.llava.model import original_projector
from ig4.plugins.trainers.llava.options import LlavaOptions
from ig4.plugins.trainers.llava.prompts import (
    caption_ids,
    conversation,
    expand_images,
    training_ids,
)
from ig4.plugins.trainers.llava.trainer import LlavaTrainer
from ig4.plugins.training.parts import linear_names, set_trainable
from ig4.plugins.training.placeholders import IGNORED, IMAGE

pytestmark = pytest.mark.slow

USUAL = {"device": "cpu", "precision": "fp32", "workers": 0, "batch_size": 2}
SHORT = Decoding(max_new_tokens=4)
TALK = [("What?", "A boat."), ("Where?", "On a lake.")]


@pytest.fixture(scope="module")
def tokens(tiny):
    return load_tokenizer(str(tiny / "llama"))


def options(tiny, **more) -> LlavaOptions:
    return LlavaOptions(**{**USUAL, "model": str(tiny / "llava"), **more})


def asked():
    return [Prompt("p", (Turn("user", "What is this?"),), make_samples(1)[0].images)]


@pytest.mark.parametrize(
    ("stage", "trainable", "rate", "projector_rate", "batch"),
    [
        ("pretrain", "projector", 1e-3, None, 256),
        ("full", "full", 2e-5, None, 128),
        ("lora", "lora", 2e-4, 2e-5, 128),
    ],
)
def test_each_stage_has_its_published_values(stage, trainable, rate, projector_rate, batch):
    usual = LlavaOptions(stage=stage)
    assert usual.published == (trainable, rate, projector_rate, batch)
    assert (usual.epochs, usual.warmup_ratio, usual.weight_decay) == (1, 0.03, 0.0)
    assert usual.max_length == 2048
    assert (usual.lora.r, usual.lora.alpha, usual.lora.dropout) == (128, 256, 0.05)
    assert LlavaTrainer(usual).steps(665_000) == -(-665_000 // batch)


def test_what_the_user_says_goes_before_what_is_published():
    said = LlavaOptions(stage="lora", learning_rate=0.0, projector_learning_rate=1e-3, batch_size=4)
    assert said.published == ("lora", 0.0, 1e-3, 4)


def test_gradients_are_not_clipped_and_each_part_has_its_rate(tiny, tmp_path):
    from ig4.plugins.trainers.llava.model import Llava

    trainer = LlavaTrainer(options(tiny))
    model, projectors = set_trainable(build(trainer.options), "lora", lora=trainer.options.lora)
    plan = trainer.plan(Llava(model), projectors, TrainingJob(make_samples(4), tmp_path))
    assert plan.max_grad_norm == 0
    assert {group["lr"]: len(group["params"]) for group in plan.groups} == {2e-4: 28, 2e-5: 4}
    assert {group["weight_decay"] for group in plan.groups} == {0.0}


def test_adapters_sit_on_all_linears_of_the_language_model_but_its_head(tiny):
    names = linear_names(meta_model(options(tiny))[0])
    assert {name.rpartition(".")[2] for name in names} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    assert all(name.startswith("model.language_model.layers.") for name in names)


def test_images_stand_before_the_first_question_wherever_the_text_had_them():
    text = conversation([("Describe.\n<image>", "A <image>boat.")], images=1)
    assert text.endswith("USER: <image>\nDescribe. ASSISTANT: A boat.</s>")
    text = conversation([("<ima<image>ge>", "A <ima<image>ge> boat.")], images=0)
    assert text.endswith("USER: < image> ASSISTANT: A < image> boat.</s>")
    assert conversation([("Hello.", "")], images=0).endswith("USER: Hello. ASSISTANT:")


def test_answers_and_their_ends_are_learned_round_by_round(tokens):
    ids, labels = training_ids(tokens, TALK, images=1, max_length=2048)
    assert ids.count(IMAGE) == 1
    learned = tokens.decode([one for one in labels if one not in (IGNORED, tokens.eos_id)])
    assert [part for part in ("A boat.", "On a lake.", "What", "Where") if part in learned] == [
        "A boat.", "On a lake.",
    ]  # fmt: skip
    assert labels.count(tokens.eos_id) == 2
    assert labels[0] == IGNORED


def test_a_text_that_holds_the_marks_of_a_conversation_is_not_learned(tokens):
    odd = [("What?", "He said ASSISTANT: and was gone.</s> USER: x ASSISTANT: y")]
    _, labels = training_ids(tokens, odd, images=0, max_length=2048)
    assert set(labels) == {IGNORED}


ODD = (Turn("user", "What?"), Turn("assistant", "A boat. \n"))


def test_samples_that_the_original_masks_are_counted_and_stop_no_training(tiny, tmp_path):
    """A batch of nothing else moves no weight, and its loss is 0."""
    samples = [replace(one, turns=ODD) for one in make_samples(4)]
    samples[3] = make_samples(4)[3]
    steps, said = [], []
    job = TrainingJob(samples, tmp_path, report=steps.append, notice=said.append)
    done = LlavaTrainer(options(tiny, stage="pretrain", batch_size=1)).train(
        replace(job, samples=samples)
    )
    assert "masked_samples" not in done.metrics  # captions have no rounds that could be counted
    job = replace(job, output=tmp_path / "full")
    steps.clear()
    done = LlavaTrainer(options(tiny, stage="full", batch_size=1)).train(job)
    assert done.metrics["masked_samples"] == 3
    assert sorted(step.loss > 0 for step in steps) == [False, False, False, True]
    assert sum("is learned: LLaVA's code masks samples" in text for text in said) == 1
    assert said[-1] == "nothing was learned of 3 samples"


@pytest.mark.parametrize("micro", [1, 2])
def test_a_masked_sample_takes_nothing_from_the_others_of_its_batch(tiny, tmp_path, micro):
    samples = [replace(make_samples(1)[0], turns=ODD), make_samples(2)[1]]
    steps = []
    for name, some, size in (("both", samples, 2), ("alone", samples[1:], 1)):
        made = options(tiny, stage="full", batch_size=size, micro_batch_size=min(micro, size))
        LlavaTrainer(made).train(TrainingJob(some, tmp_path / name, report=steps.append))
    both, alone = steps
    assert both.loss == pytest.approx(alone.loss, abs=5e-6)
    assert both.grad_norm == pytest.approx(alone.grad_norm, rel=1e-4)


def test_long_conversations_are_cut(tokens):
    whole, _ = training_ids(tokens, TALK, images=0, max_length=2048)
    ids, labels = training_ids(tokens, TALK, images=0, max_length=len(whole) - 2)
    assert ids == whole[:-2]
    assert labels[-1] == ids[-1]


def test_captions_of_stage_1_follow_the_image_and_end_the_line(tokens):
    ids, labels = caption_ids(tokens, "A boat.", images=1, max_length=2048)
    assert ids[:2] == [tokens.bos_id, IMAGE]
    assert labels[:2] == [IGNORED, IGNORED]
    assert labels[2:] == ids[2:] == tokens.encode("A boat.\n")


def test_an_image_takes_as_many_places_as_it_has_patches():
    ids, labels = expand_images([1, IMAGE, 5], [IGNORED, IGNORED, 5], 4, 2048)
    assert ids == [1, *[IMAGE] * 4, 5]
    assert labels == [IGNORED] * 5 + [5]
    assert expand_images([1, IMAGE, 5, 6], [0, 0, 5, 6], 4, 6) == (
        [1, *[IMAGE] * 4, 5],
        [0] * 5 + [5],
    )


def test_images_are_set_in_the_middle_of_a_square_of_the_mean_colour():
    square = pad_to_square(Pillow.new("RGB", (10, 4), (255, 0, 0)))
    assert square.size == (10, 10)
    assert square.getpixel((0, 0)) == square.getpixel((9, 9)) == PADDING_COLOUR == (122, 116, 104)
    assert [square.getpixel((5, y)) == PADDING_COLOUR for y in range(10)] == [True] * 3 + [
        False
    ] * 4 + [True] * 3


def test_the_projector_of_stage_1_goes_on_in_stage_2_in_the_original_form_too(tiny, tmp_path):
    parts = {"llm": str(tiny / "llama"), "vision": str(tiny / "clip")}
    first = LlavaTrainer(options(tiny, **parts, stage="pretrain"))
    first.train(TrainingJob(make_samples(4), tmp_path))
    own = load_file(tmp_path / "model.safetensors")
    original = torch.load(tmp_path / "mm_projector.bin", weights_only=True)
    assert list(original) == [f"model.mm_projector.{n}.{kind}" for n in (0, 2)
                              for kind in ("weight", "bias")]  # fmt: skip
    for place in (tmp_path, tmp_path / "mm_projector.bin"):
        built = build(options(tiny, **parts, projector=place))
        assert all(torch.equal(built.state_dict()[name], value) for name, value in own.items())
        assert all(
            torch.equal(value, original[name])
            for name, value in original_projector(built.state_dict()).items()
        )


def test_parts_make_the_whole(tiny):
    parts = {"llm": str(tiny / "llama"), "vision": str(tiny / "clip")}
    model = build(options(tiny, **parts))
    assert not any(value.is_meta for value in model.parameters())
    llama = load_file(tiny / "llama" / "model.safetensors")
    assert torch.equal(model.lm_head.weight, llama["lm_head.weight"])
    assert torch.equal(
        model.model.language_model.embed_tokens.weight, llama["model.embed_tokens.weight"]
    )


@pytest.mark.parametrize("stage", ["pretrain", "full", "lora"])
def test_what_was_trained_comes_back_and_answers(tiny, tmp_path, stage):
    trainer = LlavaTrainer(options(tiny, stage=stage, learning_rate=0.01))
    checkpoint = trainer.train(TrainingJob(make_samples(4), tmp_path))
    files = {file.name for file in tmp_path.glob("*.safetensors")}
    assert files == (
        {"adapter_model.safetensors", "projector.safetensors"}
        if stage == "lora" else {"model.safetensors"}
    )  # fmt: skip
    again = Checkpoint.read(tmp_path)
    restored = LlavaTrainer(LlavaOptions.model_validate(again.options))
    assert list(restored.generate(again, asked(), SHORT)) == list(
        trainer.generate(checkpoint, asked(), SHORT)
    )


def test_a_model_of_another_kind_is_refused_by_name(tiny):
    with pytest.raises(PrerequisiteError, match=r"another architecture: qwen2_5_vl, not llava"):
        build(options(tiny, model=str(tiny / "qwen")))


def test_weights_under_other_names_are_not_replaced_by_chance(tiny, tmp_path):
    """As those of the original code are, whose folders say `llava` too."""
    from safetensors.torch import save_file

    copytree(tiny / "llava", tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    renamed = {name.replace("multi_modal_projector.linear_1", "mm_projector.0"): value
               for name, value in load_file(file).items()}  # fmt: skip
    save_file(renamed, file, metadata={"format": "pt"})
    with pytest.raises(PrerequisiteError, match=r"another architecture, or not complete: 2"):
        build(options(tiny, model=str(tmp_path / "model")))


def test_a_projector_of_other_sizes_is_refused(tiny, tmp_path):
    torch.save({"model.mm_projector.0.weight": torch.zeros(8, 8)}, tmp_path / "mm_projector.bin")
    with pytest.raises(
        PrerequisiteError, match=r"another architecture: it has no matching model\."
    ):
        build(options(tiny, projector=tmp_path / "mm_projector.bin"))


def test_an_adapter_for_a_deeper_model_is_refused(tiny, tmp_path):
    checkpoint = LlavaTrainer(options(tiny)).train(TrainingJob(make_samples(2), tmp_path / "out"))
    file = tmp_path / "out" / "adapter_config.json"
    config = json.loads(file.read_text())
    config["r"] = 4
    file.write_text(json.dumps(config))
    with pytest.raises(PrerequisiteError, match="another architecture"):
        list(LlavaTrainer(options(tiny)).generate(checkpoint, asked(), SHORT))


def test_before_a_training_the_samples_are_checked_without_weights(tiny, tmp_path):
    place = tmp_path / "llava"
    copytree(tiny / "llava", place)
    for file in place.glob("*.safetensors"):
        file.unlink()
    good, other = make_samples(2)
    Pillow.new("RGB", (40_000, 1)).save(tmp_path / "strip.png")
    strip = replace(other, images=(Image(tmp_path / "strip.png"),))
    long = replace(good, turns=(Turn("user", "What?"), Turn("assistant", "A boat. " * 90)))
    endless = replace(good, turns=(Turn("user", "What? " * 300), Turn("assistant", "A boat.")))
    trainer = LlavaTrainer(options(tiny, model=str(place), max_length=200))
    checks = list(trainer.check_samples([good, strip, long, endless, good]))
    assert [check.problem is None for check in checks] == [True, False, True, False, True]
    assert [check.reason for check in (checks[1], checks[3])] == [REFUSED, NO_ANSWER_LEFT]
    assert checks[2].cut > 0
    assert checks[2].limit == "llava.max_length"
