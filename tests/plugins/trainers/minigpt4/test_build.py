"""MiniGPT-4 is put together from the original files at full size, and from what ig4 saved."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from ig4.core.contracts.training import TrainingJob
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.testing import make_samples
from ig4.plugins.trainers.minigpt4.build import build, meta_model, read_projection, save_model
from ig4.plugins.trainers.minigpt4.model import (
    LN_VISION_EPS,
    fit_state,
    from_original,
    missing_weights,
    resized_positions,
)
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options
from ig4.plugins.trainers.minigpt4.trainer import MiniGPT4Trainer

from . import published

pytestmark = pytest.mark.slow

VISION, QFORMER = "vision_model.", ("qformer.", "query_tokens")


def options(tiny, **more) -> MiniGPT4Options:
    return MiniGPT4Options(llm=str(tiny / "llama"), device="cpu", workers=0, **more)


@pytest.fixture(scope="module")
def full(tiny):
    """The outline at the published size, of no weights."""
    return meta_model(options(tiny))[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return published.write(tmp_path_factory.mktemp("original"), width=64)


def test_every_tensor_at_full_size_has_its_place_and_its_shape(full):
    state = from_original({**published.eva("visual_encoder."), **published.qformer()})
    own = {
        name: value.shape
        for name, value in full.state_dict().items()
        if not name.startswith("language_")
    }
    found = {name: value.shape for name, value in state.items() if name in own}
    assert found == own
    assert sum(name.startswith(VISION) for name in found) == 474
    assert sum(name.startswith("qformer.") for name in found) == 254


def test_the_parameters_at_full_size_are_those_published(full):
    def count(module):
        return sum(one.numel() for one in module.parameters())

    original = published.eva("visual_encoder.", blocks=published.BLOCKS)
    wanted = sum(
        value.numel() for name, value in original.items() if "fc_norm" not in name
        and "head" not in name
    )  # fmt: skip
    # ln_vision is a part of the tower here, and the bias of keys (zeros) is stored
    assert count(full.vision_model) == wanted + 2 * 1408 + 39 * 1408
    assert count(full.qformer) == 105_137_664
    assert full.query_tokens.shape == (1, 32, 768)
    assert full.language_projection.weight.shape == (64, 768)


def test_the_original_files_make_the_model_with_all_their_weights(tiny, files):
    model = build(options(tiny, **files))
    assert model.vision_model.post_layernorm.eps == LN_VISION_EPS
    assert len(model.vision_model.encoder.layers) == 39
    bias = model.vision_model.encoder.layers[38].self_attn.qkv.bias
    width = published.WIDTH
    assert bias[:width].unique().tolist() == [0.5]
    assert not bias[width : 2 * width].any()
    assert bias[2 * width :].unique().tolist() == [0.25]
    assert float(model.language_projection.weight.detach().mean()) == 0.5
    before = [value for name, value in model.named_parameters() if "language_model" not in name]
    assert all(value.dtype == torch.float32 and not value.is_meta for value in before)
    trainable = [name for name, value in model.named_parameters() if value.requires_grad]
    assert trainable == ["language_projection.weight", "language_projection.bias"]
    assert not model.qformer.training


def test_the_projection_begins_at_random_without_the_first_stage(tiny, files):
    parts = {name: files[name] for name in ("vit", "qformer")}
    model = build(options(tiny, **parts))
    assert float(model.language_projection.weight.detach().std()) > 0


@pytest.mark.parametrize("part", ["vit", "qformer"])
def test_parts_that_are_not_named_are_asked_for(tiny, files, part):
    given = {name: place for name, place in files.items() if name != part}
    with pytest.raises(UsageError, match=r"minigpt4\.vit=eva_vit_g\.pth"):
        build(options(tiny, **given))


def test_a_tower_that_lacks_blocks_is_found_out(tiny, files, tmp_path):
    torch.save(published.eva(blocks=38), tmp_path / "short.pth")
    with pytest.raises(PrerequisiteError, match=r"12 weights are missing, the first is vision_mo"):
        build(options(tiny, **{**files, "vit": tmp_path / "short.pth"}))


def test_a_tower_of_another_width_is_another_architecture(tiny, files, tmp_path):
    other = published.eva()
    other["blocks.3.mlp.fc1.weight"] = published.wide(4096, 1408)
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(PrerequisiteError, match=r"another architecture: .*layers\.3\.mlp\.fc1"):
        build(options(tiny, **{**files, "vit": tmp_path / "other.pth"}))


def test_half_a_bias_is_no_bias(tiny, files, tmp_path):
    broken = published.eva()
    del broken["blocks.7.attn.v_bias"]
    torch.save(broken, tmp_path / "broken.pth")
    with pytest.raises(PrerequisiteError, match=r"blocks\.7\.attn\.q_bias, but no v_bias"):
        build(options(tiny, **{**files, "vit": tmp_path / "broken.pth"}))


def test_a_projection_for_another_language_model_is_refused(tiny, files, tmp_path):
    torch.save({"model": published.projection(5120)}, tmp_path / "13b.pth")
    with pytest.raises(PrerequisiteError, match=r"language_projection.*\(5120, 768\).*\(64, 768\)"):
        build(options(tiny, **{**files, "checkpoint": tmp_path / "13b.pth"}))


def test_a_file_without_a_projection_is_none(files):
    with pytest.raises(PrerequisiteError, match="holds no projection"):
        read_projection(files["vit"])


def test_positions_are_brought_to_another_grid():
    corners = torch.tensor([[0.0], [0.0], [1.0], [2.0], [3.0]])[None]
    same = resized_positions(corners, 5)
    torch.testing.assert_close(same, corners)
    larger = resized_positions(corners, 17)
    assert larger.shape == (1, 17, 1)
    assert larger[0, 0] == 0
    assert float(larger[0, 1:].mean()) == pytest.approx(1.5)


def test_what_is_saved_is_what_is_loaded(tiny, tmp_path):
    first = build(options(tiny, model=tiny / "minigpt4"))
    save_model(first, tmp_path)
    again = build(options(tiny, model=tmp_path))
    assert again.sizes.to_dict() == first.sizes.to_dict()
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_folder_of_something_else_is_no_model(tiny, tmp_path):
    (tmp_path / "minigpt4.json").write_text(json.dumps({"layers": 3}))
    with pytest.raises(PrerequisiteError, match="is not a MiniGPT-4 that ig4 saved"):
        build(options(tiny, model=tmp_path))


def test_checkpoints_go_both_ways(tiny, tmp_path):
    """What ig4 writes for the original is what ig4 reads again, from either of its files."""
    trainer = MiniGPT4Trainer(
        options(tiny, model=tiny / "minigpt4", batch_size=2, epochs=2, steps_per_epoch=2,
                learning_rate=0.1)
    )  # fmt: skip
    trainer.train(TrainingJob(make_samples(4), tmp_path))
    own = read_projection(tmp_path)
    last = read_projection(tmp_path / "checkpoint_1.pth")
    earlier = read_projection(tmp_path / "checkpoint_0.pth")
    assert own.keys() == last.keys()
    assert all(torch.equal(own[name], last[name]) for name in own)
    assert any(not torch.equal(own[name], earlier[name]) for name in own)
    started = build(
        options(tiny, model=tiny / "minigpt4", checkpoint=tmp_path / "checkpoint_1.pth")
    )
    assert torch.equal(started.language_projection.weight, own["language_projection.weight"])
    kept = torch.load(tmp_path / "checkpoint_0.pth", weights_only=True)
    assert list(kept) == ["model", "optimizer", "config", "scaler", "epoch"]
    assert kept["optimizer"]["state"][0]["step"] == 2


def test_a_complete_checkpoint_starts_another_training(tiny, tmp_path):
    usual = {"batch_size": 2, "epochs": 1, "steps_per_epoch": 1}
    first = MiniGPT4Trainer(options(tiny, model=tiny / "minigpt4", complete=True, **usual))
    first.train(TrainingJob(make_samples(2), tmp_path / "one"))
    assert missing_weights(build(options(tiny, model=tiny / "minigpt4")),
                   load_file(tmp_path / "one" / "model.safetensors")) == []  # fmt: skip
    second = MiniGPT4Trainer(options(tiny, model=tmp_path / "one", **usual))
    second.train(TrainingJob(make_samples(2), tmp_path / "two"))
    assert fit_state(
        build(second.options), read_projection(tmp_path / "two"), source="two"
    ).keys() == {"language_projection.weight", "language_projection.bias"}
