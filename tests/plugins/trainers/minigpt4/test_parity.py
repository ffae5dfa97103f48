"""MiniGPT-4 gives the numbers of the original code: images, tokens, losses, training, answers.

Sizes, texts and file names come from the fixture, so that any other of its kind will do.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from ig4.core.contracts.training import Decoding, Prompt, TrainingJob
from ig4.core.files.images.decode import decode
from ig4.core.records import Image, Turn
from ig4.plugins.models.tokenizer import load_tokenizer
from ig4.plugins.models.weights import read_state
from ig4.plugins.trainers.minigpt4.build import read_projection
from ig4.plugins.trainers.minigpt4.generation import AnswerGenerator
from ig4.plugins.trainers.minigpt4.images import MEAN, STD, crop_tensor, image_tensor, random_crop
from ig4.plugins.trainers.minigpt4.model import (
    MiniGPT4,
    Sizes,
    fit_state,
    from_original,
    missing_weights,
    original_projection,
)
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options
from ig4.plugins.trainers.minigpt4.prompts import END, SYSTEM, chat_ids, training_ids
from ig4.plugins.trainers.minigpt4.schedule import WarmupCosine
from ig4.plugins.trainers.minigpt4.trainer import MiniGPT4Trainer, parameter_groups
from ig4.plugins.training.batches import Collator, Example
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.loop import fit
from ig4.plugins.training.placeholders import IGNORED, IMAGE, pad_rows, padding_mask
from ig4.plugins.training.plan import TrainingPlan

pytestmark = [pytest.mark.slow, pytest.mark.parity]

EMBEDDINGS, LOSS, GRADIENT, LOGITS, WEIGHTS = 1e-5, 5e-5, 1e-4, 5e-4, 2e-5
"""The largest differences allowed; what is reached is ten times smaller."""

QFORMER = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "cross_attention_frequency",
    "layer_norm_eps",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
)


@pytest.fixture(scope="module")
def sizes(golden) -> Sizes:
    config, vit, qformer = golden.config, golden.config["vit"], golden.config["qformer"]
    return Sizes(
        {
            "hidden_size": vit["embed_dim"],
            "num_hidden_layers": vit["depth"],
            "num_attention_heads": vit["num_heads"],
            "intermediate_size": vit["intermediate_size"],
            "layer_norm_eps": vit["layer_norm_eps"],
            "image_size": config["image_size"],
            "patch_size": config["patch_size"],
        },
        {name: qformer[name] for name in QFORMER if name in qformer},
        qformer["num_query_tokens"],
    )


@pytest.fixture
def model(golden, sizes) -> MiniGPT4:
    """The fixture's model, new for every test."""
    llm = AutoModelForCausalLM.from_pretrained(golden.folder / "llama", dtype=torch.float32)
    made = MiniGPT4(sizes, llm)
    state = fit_state(made, from_original(golden.state), source="the fixture")
    assert missing_weights(made, state) == []
    assert made.vision_model.post_layernorm.eps == golden.config["ln_vision_eps"]
    made.load_state_dict(state, strict=False)
    return made


@pytest.fixture(scope="module")
def tokens(golden):
    return load_tokenizer(str(golden.folder / "llama"))


@pytest.fixture(scope="module")
def records(golden):
    """(id, caption, PIL image) of all records of the fixture's data set, by file."""
    folder = golden.folder / "cc_sbu_align"
    listed = json.loads((folder / "filter_cap.json").read_text(encoding="utf-8"))["annotations"]
    return [
        (one["image_id"], one["caption"], decode(folder / "image" / f"{one['image_id']}.jpg"))
        for one in listed
    ]


def batch(
    golden, tokens, sizes, captions, pixels, prompt: str, max_answer_tokens: int | None = None
):
    """Return what the model is given for captions and (n, 3, side, side) pixels."""
    limit = golden.config["max_txt_len"] if max_answer_tokens is None else max_answer_tokens
    examples = []
    for caption, image in zip(captions, pixels[: len(captions)], strict=True):
        ids, labels = training_ids(
            tokens, [(prompt, caption)], images=1, vectors=sizes.num_query_tokens,
            max_answer_tokens=limit,
        )  # fmt: skip
        examples.append(Example(caption[:9], ids, labels, image[None]))
    made = Collator(tokens.eos_id)(examples)
    made.pop("sample_ids")
    return made


def batches(golden):
    """Return (captions, pixels) of all batches; the pixels of the first have no number."""
    numbers = [name.removeprefix("batch") for name in golden.json["captions"]
               if name.removeprefix("batch").isdigit()]  # fmt: skip
    return [
        (
            golden.json["captions"][f"batch{number}"],
            golden.tensors["pixel_values" + (f"_{int(number) + 1}" if int(number) else "")],
        )
        for number in sorted(numbers, key=int)
    ]


def question(golden, index: int) -> str:
    return golden.config["raw_prompts"][index].replace("<Img><ImageHere></Img> ", "")


def until(ids, end: int):
    """Return ids up to the end of a sequence, which is not an answer's."""
    return ids[: ids.index(end)] if end in ids else ids


def test_the_tokenizer_cuts_every_text_as_the_original(golden, tokens):
    for text, ids in golden.json["tokenizer_probe"].items():
        assert tokens.encode(text) == ids, text
    for caption, ids in zip(*(golden.json["quirks"][key] for key in ("captions", "ids_unpadded")),
                            strict=True):  # fmt: skip
        assert tokens.encode(caption + golden.config["end_sym"]) == ids


def test_images_are_decoded_and_resized_to_the_bit(golden, records, sizes):
    assert {f"raw_image_{name}" for name, _, _ in records} == {
        name for name in golden.tensors if name.startswith("raw_image_")
    }
    for name, _, picture in records:
        assert np.array_equal(np.asarray(picture), golden.tensors[f"raw_image_{name}"].numpy())
    assert torch.tensor(MEAN).tolist() == torch.tensor(golden.config["mean"]).tolist()
    assert torch.tensor(STD).tolist() == torch.tensor(golden.config["std"]).tolist()
    at = 0
    for captions, pixels in batches(golden):
        part = records[at : at + len(pixels)]
        at += len(pixels)
        assert [caption for _, caption, _ in part] == captions
        seen = torch.stack([image_tensor(picture, sizes.image_size) for _, _, picture in part])
        assert torch.equal(seen, pixels)
    named = golden.json["captions"]["file_ids"]
    assert at <= len(named)
    assert [name for name, _, _ in records[: len(named)]] == named


def test_crops_are_cut_and_resized_to_the_bit(golden, records, sizes):
    """The boxes were all drawn on one image, which the fixture does not name."""
    boxes = [tuple(box) for box in golden.tensors["rrc_boxes_ijhw"].tolist()]
    cuts = [
        torch.stack([crop_tensor(picture, box, sizes.image_size) for box in boxes])
        for _, _, picture in records
    ]
    assert any(torch.equal(cut, golden.tensors["rrc_output"]) for cut in cuts)
    for _, _, picture in records:
        width, height = picture.size
        top, left, tall, wide = random_crop(width, height, np.random.default_rng(0))
        assert 0 <= top <= height - tall
        assert 0 <= left <= width - wide


def test_prompts_are_cut_at_the_image_and_tokenised_in_two_parts(golden, tokens, sizes):
    for index, told in enumerate(golden.json["prompts"]):
        template = golden.config["prompt_template"]
        assert told["text"] == template.format(golden.config["raw_prompts"][index])
        ids, labels = training_ids(
            tokens, [(question(golden, index), "")], images=1, vectors=sizes.num_query_tokens,
            max_answer_tokens=golden.config["max_txt_len"],
        )  # fmt: skip
        asked = [
            golden.config["bos_id"], *told["before_ids"], *[IMAGE] * sizes.num_query_tokens,
            *told["after_ids"],
        ]  # fmt: skip
        assert ids == asked + tokens.encode(golden.config["end_sym"])
        assert set(labels[: len(asked)]) == {IGNORED}
    assert (tokens.bos_id, tokens.eos_id) == (golden.config["bos_id"], golden.config["eos_id"])
    assert tokens.eos_id == golden.config["pad_id"]
    assert golden.config["end_sym"] == END


def test_every_stage_of_the_image_is_the_original_one(golden, model):
    pixels = golden.tensors["pixel_values"]
    blocks: list[torch.Tensor] = []

    def keep(_module, _given, result):
        blocks.append(result[0] if isinstance(result, tuple) else result)

    layers = model.vision_model.encoder.layers
    for layer in (layers[0], layers[-1]):
        layer.register_forward_hook(keep)
    with torch.no_grad():
        seen = model.vision_model(pixels).last_hidden_state
        queries = model.query_tokens.expand(len(pixels), -1, -1)
        answers = model.qformer(query_embeds=queries, encoder_hidden_states=seen)
        golden.close("vit_block0", blocks[0], EMBEDDINGS)
        golden.close("vit_out", blocks[-1], EMBEDDINGS)
        golden.close("ln_vision_out", seen, EMBEDDINGS)
        golden.close("qformer_out", answers.last_hidden_state, EMBEDDINGS)
        golden.close("image_embeds", model.encode_images(pixels), EMBEDDINGS)


def test_each_prompt_gives_the_original_mask_labels_and_loss(golden, model, tokens, sizes):
    captions, pixels = batches(golden)[0]
    for index, prompt in enumerate(golden.json["prompts"]):
        made = batch(golden, tokens, sizes, captions, pixels, question(golden, index))
        assert torch.equal(made["attention_mask"], golden.tensors[f"prompt{index}_attention_mask"])
        assert torch.equal(made["labels"], golden.tensors[f"prompt{index}_labels"])
        with torch.no_grad():
            assert abs(float(model(**made).loss) - prompt["loss"]) <= LOSS


def test_embeddings_and_logits_of_the_language_model_are_the_original_ones(
    golden, model, tokens, sizes
):
    captions, pixels = batches(golden)[0]
    made = batch(golden, tokens, sizes, captions, pixels, question(golden, 0))
    with torch.no_grad():
        embed_prompts = model.embed(made["input_ids"], made["pixel_values"])
        logits = model(**made).logits
    golden.close("prompt0_inputs_embeds", embed_prompts, EMBEDDINGS)
    mask = made["attention_mask"].bool()
    difference = (logits - golden.tensors["prompt0_logits"])[mask]
    assert float(difference.abs().max()) <= LOGITS


def test_captions_alone_give_the_original_losses(golden, model, tokens, sizes):
    singles = [one for captions, pixels in batches(golden)
               for one in zip(captions, pixels, strict=True)]  # fmt: skip
    for (caption, image), loss in zip(singles, golden.json["loss_single"], strict=True):
        made = batch(golden, tokens, sizes, [caption], image[None], question(golden, 0))
        with torch.no_grad():
            assert abs(float(model(**made).loss) - loss) <= LOSS


def test_caption_ids_and_their_mask_are_the_original_ones(golden, tokens):
    captions = golden.json["captions"]["batch0"]
    rows = [tokens.encode(caption + golden.config["end_sym"]) for caption in captions]
    assert rows == golden.json["caption_ids_unpadded"]
    assert torch.equal(pad_rows(rows, golden.config["pad_id"]), golden.tensors["caption_ids"])
    assert torch.equal(padding_mask(rows), golden.tensors["caption_attention_mask"])


def test_long_captions_are_truncated_as_in_the_original(golden, model, tokens, sizes):
    told = golden.json["truncated"]
    captions, pixels = batches(golden)[0]
    made = batch(golden, tokens, sizes, captions, pixels, question(golden, told["prompt_index"]),
                 told["max_txt_len"])  # fmt: skip
    assert torch.equal(made["attention_mask"], golden.tensors["truncated_attention_mask"])
    assert torch.equal(made["labels"], golden.tensors["truncated_labels"])
    with torch.no_grad():
        assert abs(float(model(**made).loss) - told["loss"]) <= LOSS


def test_odd_captions_are_masked_as_in_the_original(golden, model, tokens, sizes):
    told = golden.json["quirks"]
    pixels = golden.tensors["pixel_values"]
    made = batch(
        golden, tokens, sizes, told["captions"], pixels, question(golden, told["prompt_index"])
    )
    assert torch.equal(made["attention_mask"], golden.tensors["quirks_attention_mask"])
    assert torch.equal(made["labels"], golden.tensors["quirks_labels"])
    with torch.no_grad():
        assert abs(float(model(**made).loss) - told["loss"]) <= LOSS


def test_training_mode_changes_no_loss_for_the_frozen_parts_stay_in_evaluation(
    golden, model, tokens, sizes
):
    captions, pixels = batches(golden)[0]
    made = batch(golden, tokens, sizes, captions, pixels, question(golden, 0))
    model.train()
    assert not model.qformer.training
    loss = float(model(**made).loss.detach())
    assert abs(loss - golden.json["loss_prompt0_in_train_mode"]) <= LOSS


def test_gradients_are_the_original_ones_and_reach_the_projection_only(
    golden, model, tokens, sizes
):
    captions, pixels = batches(golden)[0]
    model.train()
    model(**batch(golden, tokens, sizes, captions, pixels, question(golden, 0))).loss.backward()
    golden.close("grad_llama_proj_weight", model.language_projection.weight.grad, GRADIENT)
    golden.close("grad_llama_proj_bias", model.language_projection.bias.grad, GRADIENT)
    with_gradient = {name for name, value in model.named_parameters() if value.grad is not None}
    assert with_gradient == {"language_projection.weight", "language_projection.bias"}


def schedule_of(run) -> WarmupCosine:
    return WarmupCosine(
        run["init_lr"], run["min_lr"], run["warmup_lr"], run["warmup_steps"],
        run["iters_per_epoch"], run["max_epoch"],
    )  # fmt: skip


def test_all_learning_rates_of_the_published_schedule(golden):
    trace = golden.tensors["lr_trace_stage2"].tolist()
    published = schedule_of(golden.config["stage2_yaml"]["run"])
    assert published.steps == len(trace)
    assert [published(step) for step in range(len(trace))] == pytest.approx(trace, rel=1e-12)


class Trace(torch.utils.data.Dataset):
    """The examples of a golden training, in its order."""

    def __init__(self, golden, tokens, sizes, told) -> None:
        self.rows = []
        for number, prompt in zip(told["batch"], told["prompt_index"], strict=True):
            captions, pixels = batches(golden)[number]
            for caption, image in zip(captions, pixels, strict=True):
                ids, labels = training_ids(
                    tokens, [(question(golden, prompt), caption)], images=1,
                    vectors=sizes.num_query_tokens,
                    max_answer_tokens=golden.config["max_txt_len"],
                )  # fmt: skip
                self.rows.append(Example("one", ids, labels, image[None]))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place):
        return self.rows[place]


@pytest.mark.parametrize("micro", [None, 1], ids=["whole batches", "accumulated"])
@pytest.mark.parametrize("name", ["train_stage2", "train_hot"])
def test_training_gives_the_original_losses_rates_and_weights(
    golden, model, tokens, sizes, tmp_path, name, micro
):
    told = golden.json[name]
    run = told["run"]
    examples = Trace(golden, tokens, sizes, told)
    steps = len(told["lr"])
    plan = TrainingPlan(
        name="minigpt4",
        model=model,
        examples=examples,
        collate=Collator(tokens.eos_id),
        groups=parameter_groups(model, run["weight_decay"]),
        rate=schedule_of(run),
        steps=steps,
        batch=len(examples) // steps,
        steps_per_epoch=run["iters_per_epoch"],
    )
    reported = []
    options = MiniGPT4Options(device="cpu", workers=0, micro_batch_size=micro)
    fit(plan, options, TrainingJob((), tmp_path, report=reported.append))
    assert [one.learning_rate for one in reported] == pytest.approx(told["lr"], rel=1e-12)
    assert [one.loss for one in reported] == pytest.approx(told["loss"], abs=LOSS)
    done = [epoch * run["iters_per_epoch"] + i + 1
            for epoch, i in zip(told["epoch"], told["iter"], strict=True)]  # fmt: skip
    assert [one.step for one in reported] == done
    assert [one.epoch for one in reported] == pytest.approx(
        [step / run["iters_per_epoch"] for step in done], abs=1e-6
    )
    golden.close(f"{name}_final_llama_proj_weight", model.language_projection.weight.data, WEIGHTS)
    golden.close(f"{name}_final_llama_proj_bias", model.language_projection.bias.data, WEIGHTS)


@pytest.mark.parametrize("name", ["train_stage2", "train_hot"])
def test_the_optimiser_has_the_original_groups(golden, model, name):
    told = golden.json[name]
    names = {id(value): name for name, value in from_named(model)}
    for own, group in zip(
        parameter_groups(model, told["run"]["weight_decay"]), told["groups"], strict=True
    ):
        assert [names[id(value)] for value in own["params"]] == group["params"]
        assert own["weight_decay"] == group["weight_decay"]
        assert list(TrainingPlan.__dataclass_fields__["betas"].default) == group["betas"]
        assert TrainingPlan.__dataclass_fields__["eps"].default == group["eps"]


def from_named(model):
    """Yield the parameters that learn by their original names."""
    for name, value in model.named_parameters():
        if value.requires_grad:
            yield name.replace("language_projection", "llama_proj"), value


def test_the_original_checkpoint_loads(golden, model, tokens, sizes):
    told = golden.json["checkpoint"]
    file = golden.folder / f"checkpoint_{told['epoch']}.pth"
    projection = read_projection(file)
    assert {name.replace("language_projection", "llama_proj") for name in projection} == {
        name for name in told["model_keys"] if name.startswith("llama_proj.")
    }
    model.load_state_dict(fit_state(model, read_projection(file), source=str(file)), strict=False)
    captions, pixels = batches(golden)[0]
    made = batch(golden, tokens, sizes, captions, pixels, question(golden, 0))
    with torch.no_grad():
        assert abs(float(model(**made).loss) - told["loss_prompt0_after_load"]) <= LOSS


def test_checkpoints_have_what_the_original_writes(golden, model, tmp_path):
    told = golden.json["checkpoint"]
    state = original_projection(model)
    assert {name: list(value.shape) for name, value in state.items()} == told["model_keys"]
    original = read_state(golden.folder / f"checkpoint_{told['epoch']}.pth")
    assert told["unexpected_keys"] == []  # the original has a place for all of it
    for name, value in original.items():
        if not name.startswith("llama_proj."):
            torch.testing.assert_close(state[name], value, msg=name, check_dtype=False)


def test_a_training_writes_a_checkpoint_of_the_original_layout(golden, model, tmp_path, sizes):
    from ig4.core.testing import make_samples
    from ig4.plugins.trainers.minigpt4.build import save_model

    save_model(model, tmp_path / "model")
    told = golden.json["checkpoint"]
    trainer = MiniGPT4Trainer(
        MiniGPT4Options(
            llm=str(golden.folder / "llama"),
            model=tmp_path / "model",
            device="cpu",
            workers=0,
            batch_size=2,
            epochs=told["epoch"] + 1,
            steps_per_epoch=1,
        )
    )
    trainer.train(TrainingJob(make_samples(2), tmp_path / "out"))
    kept = torch.load(tmp_path / "out" / f"checkpoint_{told['epoch']}.pth", weights_only=True)
    assert list(kept) == told["top_level_keys"]
    assert set(kept["model"]) == set(told["model_keys"])
    assert kept["epoch"] == told["epoch"]
    assert kept["scaler"] == told["scaler"]
    assert list(kept["optimizer"]["state"]) == told["optimizer_keys"]["state"]
    assert len(kept["optimizer"]["param_groups"]) == told["optimizer_keys"]["param_groups"]


def answering(golden, model, sampling: Sampling) -> AnswerGenerator:
    options = MiniGPT4Options(llm=str(golden.folder / "llama"), device="cpu")
    made = AnswerGenerator(model, options, Decoding(temperature=0.0))
    made.sampling = sampling
    return made


def test_answers_are_the_original_tokens_greedy_with_beams_and_penalty(golden, model, tokens,
                                                                       sizes):  # fmt: skip
    for told in golden.json["generation"]:
        turns = (Turn("user", told["question"]),)
        ids = chat_ids(tokens, turns, images=1, vectors=sizes.num_query_tokens)
        before, after = told["segment_ids"]
        assert ids == [*before, *[IMAGE] * sizes.num_query_tokens, *after]
        assert told["prompt_text"] == (
            f"{SYSTEM}{END}Human: <Img><ImageHere></Img> {told['question']}{END}Assistant:"
        )
        assert tokens.decode(told["new_token_ids"]) == told["text"]
        picture = golden.folder / "cc_sbu_align" / "image" / f"{told['image_file_id']}.jpg"
        sampling = Sampling(max_new_tokens=len(told["new_token_ids"]), **told["kwargs"])
        asked = answering(golden, model, sampling)
        ready = asked.prepare(Prompt("one", turns, (Image(picture),)))
        with torch.no_grad():
            inputs = asked.embed_prompts([ready])
        golden.close(f"{told['key']}_context_embeds", inputs["inputs_embeds"], EMBEDDINGS)
        rows = generate(
            model.language_model, inputs, ["one"], sampling, seed=0, eos=tokens.eos_id,
            pad=tokens.eos_id,
        )  # fmt: skip
        assert rows == [until(told["new_token_ids"], tokens.eos_id)], told["key"]
        forced = torch.tensor([told["new_token_ids"][:-1]])
        embed_prompts = torch.cat(
            (inputs["inputs_embeds"], model.language_model.get_input_embeddings()(forced)), dim=1
        )
        with torch.no_grad():
            logits = model.language_model(inputs_embeds=embed_prompts).logits[
                0, -len(told["new_token_ids"]) :
            ]
        golden.close(f"{told['key']}_step_logits", logits, LOGITS)
        if told["greedy_consistent"]:
            top = logits.topk(2).values
            margin = float((top[:, 0] - top[:, 1]).min())
            assert margin == pytest.approx(told["min_top2_margin"], abs=2 * LOGITS)


def test_batched_answers_are_those_of_the_current_original(golden, model, tokens, sizes):
    """Left padding; prompts end with a space there, so their ids are made as it makes them."""
    file = golden.folder / "golden_head.json"
    if not file.is_file():
        pytest.skip("the fixture has no golden_head.json")
    head = json.loads(file.read_text(encoding="utf-8"))
    told = head["batch_generate"]
    rows = []
    for text in told["texts"]:
        before, after = text.split("<ImageHere>")
        places = [IMAGE] * sizes.num_query_tokens
        rows.append([tokens.bos_id, *tokens.encode(before), *places, *tokens.encode(after)])
    assert list(map(len, rows)) == told["left_padded_lengths"]
    asked = answering(golden, model, Sampling(max_new_tokens=len(told["new_token_ids"][0])))
    with torch.no_grad():
        pixels = golden.tensors["pixel_values"][: len(rows)]
        inputs = asked.embed_prompts(
            [(ids, one[None]) for ids, one in zip(rows, pixels, strict=True)]
        )
    answers = generate(
        model.language_model, inputs, list(map(str, range(len(rows)))), asked.sampling, seed=0,
        eos=tokens.eos_id, pad=tokens.eos_id,
    )  # fmt: skip
    assert answers == [until(ids, tokens.eos_id) for ids in told["new_token_ids"]]
    assert [asked.text(ids) for ids in answers] == [
        text.split(END)[0].split("Assistant:")[-1].strip() for text in told["answers"]
    ]


def test_the_current_original_gives_the_same_losses(golden, model, tokens, sizes):
    file = golden.folder / "golden_head.json"
    if not file.is_file():
        pytest.skip("the fixture has no golden_head.json")
    head = json.loads(file.read_text(encoding="utf-8"))
    captions, pixels = batches(golden)[0]
    for index, loss in enumerate(head["loss_per_prompt"]):
        made = batch(golden, tokens, sizes, captions, pixels, question(golden, index))
        with torch.no_grad():
            assert abs(float(model(**made).loss) - loss) <= LOSS


def test_the_current_original_learns_end_tokens_in_captions_for_it_pads_with_another(
    golden, model, tokens, sizes
):
    """That is the only difference: with those labels put back the loss is its loss."""
    file = golden.folder / "golden_head.json"
    if not file.is_file():
        pytest.skip("the fixture has no golden_head.json")
    head = json.loads(file.read_text(encoding="utf-8"))
    assert tokens.model.piece_to_id(head["pad_token"]) == head["pad_token_id"]
    told = golden.json["quirks"]
    pixels = golden.tensors["pixel_values"]
    made = batch(
        golden, tokens, sizes, told["captions"], pixels, question(golden, told["prompt_index"])
    )
    inside = (made["input_ids"] == tokens.eos_id) & made["attention_mask"].bool()
    made["labels"] = torch.where(inside, made["input_ids"], made["labels"])
    with torch.no_grad():
        assert abs(float(model(**made).loss) - head["quirks_loss"]) <= LOSS
