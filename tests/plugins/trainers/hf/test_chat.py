"""In the words of every model's own template, answers are learned and nothing else is."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import groupby
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import CLIPImageProcessor

from ig4.core.contracts.training import TrainingError
from ig4.core.errors import PrerequisiteError
from ig4.core.files.images.decode import ImageShapeError
from ig4.core.records import Sample, Turn
from ig4.core.testing import make_samples
from ig4.plugins.trainers.hf.build import load_processor
from ig4.plugins.trainers.hf.chat import (
    answer_mask,
    answer_spans,
    chat_messages,
    fit_picture,
    limit_pixels,
    render,
)
from ig4.plugins.trainers.hf.examples import Collator, Examples
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.training.placeholders import IGNORED

from ....tiny_families import FAMILIES, THINKING

pytestmark = pytest.mark.slow

TALK = (
    Turn("user", "What is this?"), Turn("assistant", "A red boat on a lake."),
    Turn("user", "Is the sky blue?"), Turn("assistant", "No, it is A red boat on a lake."),
)  # fmt: skip
ENDS = {
    "llava": "<|im_end|>\n", "qwen2.5-vl": "<|im_end|>\n", "internvl": "<|im_end|>\n",
    "smolvlm": "<end_of_utterance>\n", "gemma3": "<end_of_turn>\n",
}  # fmt: skip


def sample(*turns: Turn, images: int = 1) -> Sample:
    shown = tuple(one.images[0] for one in make_samples(images)) if images else ()
    return replace(make_samples(1)[0], id="talk", turns=turns, images=shown)


def examples(processor, **more) -> Examples:
    usual = {"system": None, "max_pixels": None, "max_length": 4096}
    return Examples([], np.empty(0, dtype=np.int64), processor, **{**usual, **more})


def said(processor, row) -> list[str]:
    """Return the texts that are learned, each run of tokens by itself."""
    ids, labels = row.tensors["input_ids"][0].tolist(), row.tensors["labels"][0].tolist()
    assert all(label in (one, IGNORED) for one, label in zip(ids, labels, strict=True))
    runs = groupby(labels, key=lambda label: label != IGNORED)
    return [processor.tokenizer.decode(list(run)) for trainable, run in runs if trainable]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("images", [0, 1, 2])
def test_all_answers_with_their_ends_are_learned_and_nothing_else(processors, name, images):
    processor = processors[name]
    row = examples(processor).row(sample(*TALK, images=images))
    space = " " if name == "smolvlm" else ""  # its template puts one in front of every text
    assert said(processor, row) == [
        f"{space}{turn.text}{ENDS[name]}" for turn in TALK if turn.role == "assistant"
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_ids_are_those_of_transformers_own_way(processors, name):
    """Templates that write BOS themselves get no second one."""
    processor = processors[name]
    row = examples(processor).row(sample(*TALK, images=0))
    own = processor.apply_chat_template(
        chat_messages(TALK, images=0), tokenize=True, return_dict=True, return_tensors="pt"
    )
    assert torch.equal(row.tensors["input_ids"], own["input_ids"])


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_of_a_batch_are_filled_up_and_the_filling_is_neither_seen_nor_learned(
    processors, name
):
    made = examples(processors[name])
    rows = [made.row(sample(*TALK)), made.row(sample(*TALK[:2], images=0))]
    pad = processors[name].tokenizer.pad_token_id
    batch = Collator(pad)(rows)
    short = rows[1].tensors["input_ids"].shape[1]
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    assert not batch["attention_mask"][1, short:].any()
    assert batch["labels"][1, short:].eq(IGNORED).all()
    assert batch["input_ids"][1, short:].eq(pad).all()
    assert torch.equal(batch["pixel_values"], rows[0].tensors["pixel_values"])


def test_turns_of_one_speaker_are_joined_and_images_stand_in_the_first_question():
    turns = (Turn("system", "Be kind."), Turn("user", "One."), Turn("tool", "42"),
             Turn("assistant", "Yes."))  # fmt: skip
    found = chat_messages(turns, images=2)
    assert [one["role"] for one in found] == ["system", "user", "assistant"]
    assert [part["type"] for part in found[1]["content"]] == ["image", "image", "text"]
    assert found[1]["content"][-1]["text"] == "One.\n42"
    assert (
        chat_messages(turns[1:], images=0, system="Be short.")[0]["content"][0]["text"]
        == "Be short."
    )


def test_a_template_that_refuses_a_conversation_is_explained(processors):
    turns = (Turn("system", "Be kind."), *TALK)
    with pytest.raises(TrainingError, match=r"'talk': .*template does not accept .*alternate"):
        examples(processors["gemma3"]).row(sample(*turns))


def test_earlier_answers_that_a_template_rewrites_are_looked_for(processors):
    processor = processors["llava"]
    usual = processor.chat_template
    processor.chat_template = THINKING
    try:
        chat = chat_messages(TALK, images=0)
        text = render(processor, chat)
        spans = answer_spans(processor, chat, text)
    finally:
        processor.chat_template = usual
    answers = [turn.text for turn in TALK if turn.role == "assistant"]
    assert [text[first:last] for first, last in spans] == answers


def test_an_answer_that_cannot_be_found_names_its_sample(processors):
    processor = processors["llava"]
    usual = processor.chat_template
    processor.chat_template = THINKING.replace("{{ c['text'] }}", "{{ c['text'] | upper }}")
    try:
        with pytest.raises(TrainingError, match=r"sample 'talk': .*the answer 'A red boat"):
            examples(processor).row(sample(*TALK))
    finally:
        processor.chat_template = usual


def test_a_processor_that_cuts_otherwise_than_its_tokenizer_is_found_out(processors):
    processor = processors["llava"]
    text = render(processor, chat_messages(TALK, images=0))
    spans = answer_spans(processor, chat_messages(TALK, images=0), text)
    ids = processor.tokenizer(text)["input_ids"]
    assert sum(answer_mask(processor, text, spans, ids)) > 0
    with pytest.raises(TrainingError, match="tokenise text differently"):
        answer_mask(processor, text, spans, [*ids[:-1], ids[0]])


def test_long_samples_lose_the_end_of_their_answers_and_say_so_if_nothing_is_left(processors):
    row = examples(processors["llava"]).row(sample(*TALK))
    length = row.tensors["input_ids"].shape[1]
    cut = examples(processors["llava"], max_length=length - 3).row(sample(*TALK))
    assert torch.equal(cut.tensors["labels"], row.tensors["labels"][:, :-3])
    assert torch.equal(cut.tensors["pixel_values"], row.tensors["pixel_values"])
    with pytest.raises(TrainingError, match=r"'talk': it has .* raise hf\.max_length, or lower"):
        examples(processors["llava"], max_length=5).row(sample(*TALK))


def test_larger_images_are_scaled_down_in_proportion():
    picture = Pillow.new("RGB", (400, 100))
    assert limit_pixels(picture, None) is picture
    assert limit_pixels(picture, 40_000) is picture
    assert limit_pixels(picture, 10_000).size == (200, 50)
    assert limit_pixels(Pillow.new("RGB", (9000, 1)), 10).size == (10, 1)


def test_the_limit_makes_fewer_tokens_where_tokens_follow_size(processors):
    processor = processors["qwen2.5-vl"]
    free = examples(processor).row(sample(*TALK))
    tight = examples(processor, max_pixels=300).row(sample(*TALK))
    assert tight.tensors["input_ids"].shape[1] < free.tensors["input_ids"].shape[1]


def test_a_model_without_a_fast_tokenizer_is_refused(tmp_path, families):
    from transformers import CLIPImageProcessor

    CLIPImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(PrerequisiteError, match=r"no processor|no model that can be loaded"):
        load_processor(HuggingFaceOptions(model=str(tmp_path)))


@pytest.mark.parametrize(
    ("size", "refused"),
    [
        ({"shortest_edge": 336}, True),
        ({"height": 336, "width": 336}, False),
        ({"shortest_edge": 336, "longest_edge": 1344}, False),
    ],
)
def test_a_strip_that_the_processor_would_make_enormous_is_refused(size, refused):
    processor = SimpleNamespace(image_processor=CLIPImageProcessor(size=size))
    strip = Pillow.new("RGB", (2, 200_000))
    with pytest.raises(ImageShapeError, match="too narrow") if refused else nullcontext():
        assert fit_picture(processor, strip, None) is strip
    assert fit_picture(processor, strip, 100).size[1] <= 100
