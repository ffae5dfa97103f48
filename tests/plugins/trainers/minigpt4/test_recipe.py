"""MiniGPT-4's second stage by its published recipe: texts, crops, rates, examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image as Pillow

from ig4.core.contracts.training import UNREADABLE, TrainingJob
from ig4.core.records import Sample, Turn
from ig4.core.testing import make_samples
from ig4.core.testing.samples import sample_with_unreadable_image
from ig4.plugins.models.tokenizer import load_tokenizer
from ig4.plugins.trainers.minigpt4.examples import Examples, check_example
from ig4.plugins.trainers.minigpt4.images import crop_tensor, image_tensor, random_crop
from ig4.plugins.trainers.minigpt4.model import Sizes
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options
from ig4.plugins.trainers.minigpt4.prompts import PROMPTS, chat_ids, training_ids
from ig4.plugins.trainers.minigpt4.schedule import WarmupCosine
from ig4.plugins.trainers.minigpt4.trainer import MiniGPT4Trainer
from ig4.plugins.training.placeholders import IGNORED, IMAGE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokens(tiny):
    return load_tokenizer(str(tiny / "llama"))


def test_the_defaults_are_the_published_values():
    usual = MiniGPT4Options()
    assert (usual.epochs, usual.steps_per_epoch, usual.batch_size) == (5, 200, 12)
    assert (usual.weight_decay, usual.max_answer_tokens) == (0.05, 160)
    assert MiniGPT4Trainer(usual).schedule == WarmupCosine(3e-5, 1e-5, 1e-6, 200, 200, 5)
    assert MiniGPT4Trainer(usual).steps == 1000
    assert Sizes().image_size == 224


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 1e-6), (199, 2.9855e-5), (200, 2.8090e-5), (999, 1.000005e-5)]
)
def test_rates_are_those_the_specification_names(step, rate):
    assert WarmupCosine()(step) == pytest.approx(rate, rel=2e-5)


def test_the_warm_up_counts_within_the_epoch():
    rate = WarmupCosine(peak=1.0, least=0.0, warmup=0.0, warmup_steps=6, steps_per_epoch=3,
                        epochs=4)  # fmt: skip
    assert [rate(step) for step in range(3)] == [rate(step) for step in range(3, 6)]
    assert rate(6) == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))


def test_fewer_steps_leave_the_rates_as_they_are():
    short = MiniGPT4Trainer(MiniGPT4Options(steps=10))
    assert short.steps == 10
    assert short.schedule(9) == WarmupCosine()(9)


def test_sequences_are_put_together_piece_by_piece(tokens):
    ids, labels = training_ids(
        tokens, [("What?", "A boat.")], images=1, vectors=3, max_answer_tokens=160
    )
    asked = [
        tokens.bos_id, *tokens.encode("###Human: <Img>"), IMAGE, IMAGE, IMAGE,
        *tokens.encode("</Img> What? ###Assistant: "),
    ]  # fmt: skip
    said = tokens.encode("A boat.###")
    assert ids == asked + said
    assert labels == [IGNORED] * len(asked) + said


def test_long_answers_lose_their_end_mark_and_end_tokens_in_them_are_not_learned(tokens):
    ids, labels = training_ids(
        tokens, [("What?", "A boat.</s> A lake.")], images=0, vectors=3, max_answer_tokens=8
    )
    whole_answer = tokens.encode("A boat.</s> A lake.###")
    assert ids[-8:] == whole_answer[:8]
    at = ids.index(tokens.eos_id)
    assert labels[at] == IGNORED
    assert labels[at - 1] == ids[at - 1]


def test_marks_in_texts_make_no_images(tokens):
    ids, _ = training_ids(
        tokens, [("<ImageHere> <Img>", "<ImageHere>")], images=1, vectors=2, max_answer_tokens=99
    )
    assert ids.count(IMAGE) == 2


def test_further_exchanges_follow_in_the_same_words(tokens):
    ids, labels = training_ids(
        tokens, [("One?", "First."), ("Two?", "Second.")], images=0, vectors=2,
        max_answer_tokens=99,
    )  # fmt: skip
    learned = [one for one in labels if one != IGNORED]
    assert learned == tokens.encode("First.###") + tokens.encode("Second.###")
    assert len(ids) == len(labels)


def test_chats_end_where_the_next_answer_begins(tokens):
    turns = (Turn("user", "One?"), Turn("assistant", "First."), Turn("user", "Two?"))
    ids = chat_ids(tokens, turns, images=1, vectors=2)
    text = tokens.decode([one for one in ids if one >= 0])
    said = text.replace(" ", "")  # each piece begins with the space of its own
    assert said.endswith("One?###Assistant:First.###Human:Two?###Assistant:")
    assert ids[-1] != tokens.encode(": ")[-1]  # no space at the end
    assert text.count("Give the following image") == 1


def test_boxes_are_half_to_all_of_the_image_and_nearly_square():
    rng = np.random.default_rng(0)
    for _ in range(200):
        top, left, height, width = random_crop(400, 300, rng)
        assert 0 <= top <= 300 - height
        assert 0 <= left <= 400 - width
        assert 0.49 <= height * width / (400 * 300) <= 1
        assert 0.74 <= width / height <= 1.35


@pytest.mark.parametrize(
    ("size", "box"), [((1000, 10), (0, 493, 10, 13)), ((10, 1000), (493, 0, 13, 10))]
)
def test_the_middle_is_taken_where_no_box_fits(size, box):
    assert random_crop(*size, np.random.default_rng(1)) == box


def test_whole_images_are_resized_without_keeping_proportions():
    picture = Pillow.new("RGB", (80, 20), (255, 0, 0))
    assert image_tensor(picture, 16).shape == (3, 16, 16)
    assert crop_tensor(picture, (0, 0, 10, 10), 16).equal(image_tensor(picture, 16))


def examples(tokens, samples, order, **more) -> Examples:
    usual = {"max_answer_tokens": 160, "crop": True, "published": True}
    sizes = Sizes({"image_size": 16}, {}, 4)
    return Examples(samples, np.array(order), tokens, sizes, 7, **{**usual, **more})


def test_one_prompt_is_drawn_for_each_batch_and_a_crop_for_each_example(tokens):
    samples = make_samples(3)
    made = examples(tokens, samples, [[0, 1, 2]] * 12)
    assert len(made) == 36

    def prompt(place):
        text = tokens.decode([one for one in made[place].ids if one >= 0])
        return next(number for number, one in enumerate(PROMPTS) if one in text)

    rows = [[prompt(3 * step + n) for n in range(3)] for step in range(12)]
    assert all(len(set(row)) == 1 for row in rows)
    assert {row[0] for row in rows} == {0, 1, 2, 3}
    assert not made[0].pixels.equal(made[3].pixels)  # one sample, two places
    assert made[0].pixels.equal(examples(tokens, samples, [[0, 1, 2]] * 12)[0].pixels)
    plain = examples(tokens, samples, [[0, 1, 2]] * 2, crop=False)
    assert plain[0].pixels.equal(plain[3].pixels)


def own(text: str) -> Sample:
    turns = (Turn("user", text), Turn("assistant", "Yes."))
    return Sample("own", text, "Yes.", turns)


@pytest.mark.parametrize(
    ("prompts", "text", "published"),
    [
        ("auto", PROMPTS[2], True),
        ("auto", "", True),
        ("auto", "Who is this?", False),
        ("published", "Who is this?", True),
        ("own", PROMPTS[2], False),
    ],
)
def test_published_prompts_are_taken_where_samples_say_nothing_else(
    tmp_path, prompts, text, published
):
    trainer = MiniGPT4Trainer(MiniGPT4Options(prompts=prompts))
    job = TrainingJob([own(text)], tmp_path)
    assert trainer._uses_published_prompts(job) is published


def test_what_a_user_should_know_is_said(tiny, tmp_path):
    told: list[str] = []
    MiniGPT4Trainer(
        MiniGPT4Options(llm=str(tiny / "llama"), model=tiny / "minigpt4", device="cpu", workers=0,
                        epochs=1, steps_per_epoch=1, batch_size=3)
    ).train(TrainingJob(make_samples(2), tmp_path, notice=told.append))  # fmt: skip
    assert any("2 samples are fewer than a batch of 3" in one for one in told)
    assert any("own instructions are the prompts" in one for one in told)


@pytest.mark.parametrize(("size", "width"), [("7b", 4096), ("13b", 5120)])
def test_the_footprint_is_known_without_any_weights(monkeypatch, tmp_path, size, width):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    trainer = MiniGPT4Trainer(
        MiniGPT4Options(llm=f"Vision-CAIR/vicuna-{size}", cache_dir=tmp_path, device="cpu",
                        precision="bf16")
    )  # fmt: skip
    told = trainer.footprint(TrainingJob(make_samples(2), tmp_path))
    assert told.trained == 768 * width + width == told.parameters["projection"]
    assert told.parameters["Q-Former"] == 105_137_664
    assert told.parameters["language model"] == {"7b": 6_738_415_616, "13b": 13_015_864_320}[size]
    assert (told.steps, told.batch) == (1000, 12)
    assert any("is not on this machine" in note for note in told.notes)


def test_before_a_training_cut_answers_are_counted(tokens):
    turns = (Turn("user", "What?"), Turn("assistant", "A boat."))
    (sample,) = make_samples(1)
    length = len(tokens.encode("A boat.###"))
    check = check_example(tokens, Sample("a", "What?", "A boat.", turns, sample.images), 3)
    assert (check.problem, check.cut) == (None, length - 3)
    assert check.limit == "minigpt4.max_answer_tokens"
    assert check_example(tokens, sample_with_unreadable_image(), 160).reason == UNREADABLE
