"""LLaVA-1.5 gives the numbers of the original code: prompts, labels, losses, gradients, answers."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from ig4.core.files.images.decode import decode
from ig4.plugins.formats.llava import Llava as LlavaRecords
from ig4.plugins.models.tokenizer import load_tokenizer
from ig4.plugins.trainers.llava.images import padded_image_tensor
from ig4.plugins.trainers.llava.model import LAYER, Llava, from_original
from ig4.plugins.trainers.llava.prompts import chat_ids, conversation, expand_images, training_ids
from ig4.plugins.trainers.minigpt4.images import MEAN, STD
from ig4.plugins.training.batches import Collator, Example
from ig4.plugins.training.conversations import question_answer_pairs
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.parts import set_trainable
from ig4.plugins.training.placeholders import IGNORED, IMAGE
from ig4.plugins.training.trainable import LoraSettings

from ..conftest import allowed

pytestmark = [pytest.mark.slow, pytest.mark.parity]

EMBEDDINGS, LOSS, GRADIENT, LOGITS = 1e-5, 5e-5, 1e-4, 5e-4
LENGTH = 2048
CLIP = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "image_size",
    "patch_size",
    "hidden_act",
    "layer_norm_eps",
)


@pytest.fixture
def llava(golden_llava) -> Llava:
    config = golden_llava.config
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**{name: config["clip"][name] for name in CLIP}),
            text_config=LlamaConfig(**config["llama"]),
        )
    )
    state = from_original(golden_llava.state, model.state_dict())
    model.load_state_dict(state)
    return Llava(model).eval()


@pytest.fixture(scope="module")
def tokens(golden_llava):
    return load_tokenizer(str(golden_llava.folder / golden_llava.config["tokenizer_folder"]))


@pytest.fixture(scope="module")
def data(golden_llava):
    """The records of the data set, each with its exchanges and its image's pixels."""
    folder = golden_llava.folder.parent / "cc_sbu_align" / "image"
    side = golden_llava.config["clip"]["image_size"]
    found = []
    text = (golden_llava.folder / "data.json").read_text(encoding="utf-8")
    read = LlavaRecords(LlavaRecords.Options()).parser(folder)
    for record in json.loads(text):
        turns = read(record, 0).turns
        image = record.get("image")
        pixels = None if image is None else padded_image_tensor(decode(folder / image), side)
        found.append((question_answer_pairs(turns), pixels))
    return found


def test_prompts_ids_and_labels_are_the_original_ones(golden_llava, tokens, data):
    for (turns, pixels), told in zip(data, golden_llava.json["items"], strict=True):
        images = int(pixels is not None)
        assert conversation(turns, images=images) == told["prompt"]
        ids, labels = training_ids(tokens, turns, images=images, max_length=LENGTH)
        assert ids == told["input_ids"]
        assert labels == [IGNORED if one == IMAGE else one for one in told["labels"]]
        assert sum(one != IGNORED for one in labels) == told["n_target_tokens"]


def test_images_are_padded_and_resized_to_the_bit(golden_llava, data):
    for number, (_, pixels) in enumerate(data):
        name = f"item{number}_pixel_values"
        golden = golden_llava.tensors[name]
        if pixels is None:  # the original gives text an image of zeros, which it then cuts off
            assert not golden.any()
        else:
            assert torch.equal(pixels, golden), name
    clip = golden_llava.config["clip"]
    assert torch.tensor(MEAN).tolist() == torch.tensor(clip["image_mean"]).tolist()
    assert torch.tensor(STD).tolist() == torch.tensor(clip["image_std"]).tolist()


def test_the_fixture_is_of_what_is_built_here(golden_llava):
    config = golden_llava.config
    assert config["mm_vision_select_layer"] == LAYER
    assert config["image_token_index"] == IMAGE
    assert (config["mm_vision_select_feature"], config["mm_projector_type"]) == (
        "patch", "mlp2x_gelu",
    )  # fmt: skip
    assert (config["conv"], config["image_aspect_ratio"]) == ("vicuna_v1", "pad")


def test_tower_and_projector_are_the_original_ones(golden_llava, llava, data):
    """Of the first record that has an image."""
    pixels = next(seen for _, seen in data if seen is not None)[None]
    with torch.no_grad():
        golden_llava.close("vision_features", llava.vision_features(pixels), EMBEDDINGS)
        golden_llava.close("projected", llava.encode_images(pixels), EMBEDDINGS)


def batch(golden_llava, llava, tokens, data, name):
    """Return what the model is given for a golden batch."""
    examples = []
    for item in golden_llava.json[name]["items"]:
        turns, pixels = data[item]
        ids, labels = training_ids(tokens, turns, images=int(pixels is not None),
                                   max_length=LENGTH)  # fmt: skip
        wide, learned = expand_images(ids, labels, llava.vectors, LENGTH)
        empty = torch.empty(0, 3, llava.image_size, llava.image_size)
        examples.append(
            Example(str(item), wide, learned, empty if pixels is None else pixels[None])
        )
    made = Collator(golden_llava.config["pad_id"], hide_pad=True)(examples)
    made.pop("sample_ids")
    return made


BATCHES = ["batch_images", "batch_mixed"]


@pytest.mark.parametrize("name", BATCHES)
def test_batches_give_the_original_mask_labels_embeddings_logits_and_loss(
    golden_llava, llava, tokens, data, name
):
    made = batch(golden_llava, llava, tokens, data, name)
    mask = golden_llava.tensors[f"{name}_attention_mask"]
    assert torch.equal(made["attention_mask"].bool(), mask)
    assert torch.equal(made["labels"], golden_llava.tensors[f"{name}_labels"])
    with torch.no_grad():
        embedded = llava.embed(made["input_ids"], made.get("pixel_values"))
        output = llava(**made)
    for key, value, limit in (
        ("inputs_embeds", embedded, EMBEDDINGS),
        ("logits", output.logits, LOGITS),
    ):
        golden = golden_llava.tensors[f"{name}_{key}"]
        assert float((value - golden)[mask].abs().max()) <= allowed(golden[mask], limit), key
    assert abs(float(output.loss) - golden_llava.json[name]["loss"]) <= LOSS


def test_collated_ids_before_images_take_their_places(golden_llava, tokens, data):
    from ig4.plugins.training.placeholders import pad_rows

    for name in BATCHES:
        rows = [
            training_ids(tokens, data[item][0], images=int(data[item][1] is not None),
                         max_length=LENGTH)
            for item in golden_llava.json[name]["items"]
        ]  # fmt: skip
        ids = pad_rows([one for one, _ in rows], golden_llava.config["pad_id"])
        labels = pad_rows([one for _, one in rows], IGNORED)
        assert torch.equal(ids, golden_llava.tensors[f"{name}_input_ids"])
        golden = golden_llava.tensors[f"{name}_labels_in"]
        assert torch.equal(labels, golden.masked_fill(golden == IMAGE, IGNORED))
        mask = ids != golden_llava.config["pad_id"]
        assert torch.equal(mask, golden_llava.tensors[f"{name}_attention_mask_in"])


def test_gradients_are_the_original_ones(golden_llava, llava, tokens, data):
    set_trainable(llava.model, "full", lora=LoraSettings(1, 1, 0.0))
    llava(**batch(golden_llava, llava, tokens, data, "batch_images")).loss.backward()
    own = dict(llava.model.named_parameters())
    prefix = "batch_images_grad."
    names = [name for name in golden_llava.tensors if name.startswith(prefix)]
    assert names
    for name in names:
        renamed = next(iter(from_original({name.removeprefix(prefix): own}, own)))
        golden_llava.close(name, own[renamed].grad, GRADIENT)
    untouched = golden_llava.json["batch_images"]["params_without_grad"]
    without = {name for name, value in own.items() if value.grad is None}
    for original in golden_llava.state:
        renamed = next(iter(from_original({original: own}, own)), None)
        if renamed in own:
            assert (renamed in without) == original.startswith(tuple(untouched)), original


def test_greedy_answers_are_the_original_tokens(golden_llava, llava, tokens, data):
    for told in golden_llava.json["generation"]:
        ids = chat_ids(tokens, [(told["question"], "")], images=1)
        assert ids == told["input_ids"]
        assert conversation([(told["question"], "")], images=1) == told["prompt"]
        wide, _ = expand_images(ids, ids, llava.vectors, LENGTH)
        pixels = data[told["item"]][1]
        with torch.no_grad():
            embedded = llava.embed(torch.tensor([wide]), pixels[None])
        mask = torch.ones(1, len(wide), dtype=torch.long)
        golden = told["sequence"]
        if golden[0] == golden_llava.config["bos_id"]:
            golden = golden[1:]  # put there by the old `generate`
        rows = generate(
            llava.model, {"inputs_embeds": embedded, "attention_mask": mask}, ["one"],
            Sampling(max_new_tokens=len(golden)), seed=0, eos=golden_llava.config["eos_id"],
            pad=golden_llava.config["pad_id"],
        )  # fmt: skip
        end = golden_llava.config["eos_id"]
        forced = torch.tensor([golden[:-1]])
        embeds = llava.plain.get_input_embeddings()(forced)
        with torch.no_grad():
            logits = llava.model(inputs_embeds=torch.cat((embedded, embeds), dim=1)).logits
        top = logits[0, -len(golden) :].topk(2).values
        margin = float((top[:, 0] - top[:, 1]).min())
        assert margin == pytest.approx(told["min_top2_margin"], abs=2 * LOGITS)
        assert rows == [golden[: golden.index(end)] if end in golden else golden]
