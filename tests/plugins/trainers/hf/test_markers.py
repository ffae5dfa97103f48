"""Texts that hold a model's own marks are only texts, in training and when it answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from ig4.core.contracts.training import Checkpoint, Decoding, Prompt, TrainingError, TrainingJob
from ig4.core.errors import PrerequisiteError
from ig4.core.records import Failure, Image, Turn
from ig4.core.testing import make_samples
from ig4.plugins.trainers.hf.build import load_processor
from ig4.plugins.trainers.hf.examples import Examples
from ig4.plugins.trainers.hf.markers import MediaMarkers
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.trainers.hf.trainer import HuggingFaceTrainer

from ....tiny_families import FAMILIES

pytestmark = pytest.mark.slow

OF_IMAGES = {
    "llava": ["<image>"],
    "qwen2.5-vl": ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"],
    "smolvlm": ["<image>", "<fake_token_around_image>"],
    "gemma3": ["<start_of_image>", "<image_soft_token>", "<end_of_image>"],
    "internvl": ["<IMG_CONTEXT>", "<img>", "</img>", "<video>"],
}
OF_TURNS = {
    "llava": "<|im_end|>", "qwen2.5-vl": "<|im_end|>", "internvl": "<|im_end|>",
    "smolvlm": "<end_of_utterance>", "gemma3": "<end_of_turn>",
}  # fmt: skip


def hostile(name: str) -> str:
    """A text with all marks of a family, one of them hidden within itself."""
    first = OF_IMAGES[name][0]
    nested = first[:3] + first + first[3:]
    return f"What {' '.join(OF_IMAGES[name])} is {nested} this {OF_TURNS[name]}?"


def trainer(place, **more) -> HuggingFaceTrainer:
    usual = {"device": "cpu", "precision": "fp32", "workers": 0, "epochs": 1, "batch_size": 2}
    return HuggingFaceTrainer(
        HuggingFaceOptions(model=str(place), trains="projector", **{**usual, **more})
    )


def answered(place, prompts, **more):
    options = trainer(place, **more)
    untrained = Checkpoint("hf", options.options.model_dump(mode="json"))
    return list(options.generate(untrained, prompts, Decoding(max_new_tokens=3)))


def prompt(number: int, text: str, image: Image | None = None) -> Prompt:
    shown = make_samples(4)[number % 4].images if image is None else (image,)
    return Prompt(f"p{number}", (Turn("user", text),), shown)


@pytest.mark.parametrize("name", FAMILIES)
def test_marks_of_images_and_turns_in_texts_become_text(processors, name):
    processor = processors[name]
    markers = MediaMarkers(processor)
    text = markers.break_markers(hostile(name))
    whole = [*OF_IMAGES[name], OF_TURNS[name]]
    assert not any(mark in text for mark in whole)
    assert text.replace(" ", "") == hostile(name).replace(" ", "")
    ids = set(processor.tokenizer(text, add_special_tokens=False)["input_ids"])
    assert not ids & set(processor.tokenizer.convert_tokens_to_ids(whole))


def test_other_texts_stay_as_they_are(processors):
    for processor in processors.values():
        for text in ("a < b, <b>bold</b>", "<|box_start|>(1,2)<|box_end|>", "", "image"):
            assert MediaMarkers(processor).break_markers(text) == text


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sample_whose_texts_hold_marks_is_learned_from_all_the_same(families, tmp_path, name):
    samples = [
        replace(one, turns=(Turn("user", hostile(name)), Turn("assistant", hostile(name))))
        for one in make_samples(2)
    ]
    done = trainer(families[name]).train(TrainingJob(samples, tmp_path))
    assert done.metrics["steps"] == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_a_question_that_holds_marks_is_answered_and_costs_no_other(families, name):
    plain = [prompt(n, "What is this?") for n in range(3)]
    usual = answered(families[name], plain)
    odd = answered(families[name], [plain[0], prompt(1, hostile(name)), plain[2]])
    assert isinstance(odd[1], str)
    assert [odd[0], odd[2]] == [usual[0], usual[2]]


def test_an_image_that_the_processor_refuses_fails_its_own_question_only(families, tmp_path):
    Pillow.new("RGB", (900, 2)).save(tmp_path / "strip.png")  # Qwen-VL takes up to 200:1
    strip = Image(tmp_path / "strip.png")
    place = families["qwen2.5-vl"]
    usual = answered(place, [prompt(n, "Hm?") for n in range(3)])
    odd = answered(place, [prompt(0, "Hm?"), prompt(1, "Hm?", strip), prompt(2, "Hm?")])
    assert isinstance(odd[1], Failure)
    assert "aspect ratio" in odd[1].reason
    assert [odd[0], odd[2]] == [usual[0], usual[2]]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_the_processor_refuses_stops_training_by_its_name(
    families, tmp_path, workers
):
    Pillow.new("RGB", (900, 2)).save(tmp_path / "strip.png")
    first, second = make_samples(2)
    odd = replace(second, id="the odd one", images=(Image(tmp_path / "strip.png"),))
    job = TrainingJob([first, odd], tmp_path / "out")
    with pytest.raises(TrainingError, match=r"sample 'the odd one'.*aspect ratio"):
        trainer(families["qwen2.5-vl"], workers=workers).train(job)


def test_a_conversation_that_the_template_refuses_fails_alone(families):
    refused = Prompt("p9", (Turn("system", "Be kind."), Turn("user", "Hm?")))
    given = answered(families["gemma3"], [prompt(0, "Hm?"), refused])
    assert isinstance(given[0], str)
    assert isinstance(given[1], Failure)
    assert "chat template" in given[1].reason


def test_a_model_without_a_chat_template_answers_nothing(families, tmp_path):
    processor = load_processor(HuggingFaceOptions(model=str(families["llava"])))
    processor.chat_template = processor.tokenizer.chat_template = None
    made = Examples([], np.empty(0, dtype=np.int64), processor, system=None, max_pixels=None,
                    max_length=99)  # fmt: skip
    with pytest.raises(PrerequisiteError, match="has no chat template"):
        made.row(make_samples(1)[0])


def test_prompts_of_a_batch_are_filled_up_as_the_processor_itself_does(processors, families):
    """Each is processed on its own, so that one that fails takes no other with it."""
    from ig4.plugins.trainers.hf.build import build
    from ig4.plugins.trainers.hf.generation import AnswerGenerator

    for name in ("llava", "qwen2.5-vl", "gemma3"):
        options = HuggingFaceOptions(model=str(families[name]), device="cpu", precision="fp32")
        made = AnswerGenerator(build(options), processors[name], options, Decoding())
        prompts = [prompt(0, "Hm?"), prompt(1, "What is this, and what is it not?")]
        ours = made.batch([made.prepare(one) for one in prompts])
        own = processors[name](
            text=[made.text(one) for one in prompts], padding=True, return_tensors="pt",
            images=[[image.pixels() for image in one.images] for one in prompts],
            padding_side="left", add_special_tokens=name != "gemma3",
        )  # fmt: skip
        for key, value in ours.items():
            assert torch.equal(value, own[key]), (name, key)
