"""CLIP models: named, found, loaded once, and refused in a sentence."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.host.fingerprint import sha256_of
from ig4.plugins.models import cliploader, clipoptions
from ig4.plugins.models.clipoptions import ClipModelOptions, clip_identity
from ig4.plugins.models.openclip import acquire, release

pytestmark = pytest.mark.slow

pytest.importorskip("open_clip")


def refusal(error, **options):
    """The message with which loading is refused."""
    with pytest.raises(error) as caught:
        acquire(ClipModelOptions(**{"device": "cpu", **options}))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Naming


def test_the_usual_architectures_have_default_weights_that_open_clip_knows():
    import open_clip

    for model, tag in clipoptions.DEFAULT_PRETRAINED.items():
        assert tag in open_clip.list_pretrained_tags_by_model(model)
        assert ClipModelOptions(model=model).tag == tag


def test_a_slash_in_a_name_means_what_open_clip_writes_with_a_dash():
    assert ClipModelOptions(model="ViT-B/32").tag == ClipModelOptions(model="ViT-B-32").tag


def test_models_that_bring_their_weights_refuse_others():
    for model in ("ig4-tiny", "hf-hub:someone/clip", "local-dir:/models/clip"):
        with pytest.raises(ValidationError, match="brings its own weights"):
            ClipModelOptions(model=model, pretrained="openai")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:1", ""])
def test_a_device_torch_cannot_have_is_refused(device):
    with pytest.raises(ValidationError):
        ClipModelOptions(device=device)


def test_an_unknown_architecture_is_refused_with_the_nearest_name():
    assert "did you mean ViT-L-14?" in refusal(UsageError, model="VIT-L14", pretrained="openai")


def test_an_unknown_tag_is_refused_with_those_there_are():
    told = refusal(UsageError, model="ViT-B-32", pretrained="laion2b_s34b_b79")
    assert "did you mean laion2b_s34b_b79k?" in told
    assert "openai" in told


def test_an_architecture_without_default_weights_asks_for_them():
    assert "pretrained = " in refusal(UsageError, model="RN50")


def test_weights_trained_with_quick_gelu_get_it_in_any_architecture():
    assert cliploader.wants_quick_gelu("ViT-B-32", "openai")
    assert not cliploader.wants_quick_gelu("ViT-B-32", "laion2b_s34b_b79k")
    assert not cliploader.wants_quick_gelu("ViT-B-32", "/models/own.pt")


# Identity


def test_identity_imports_neither_torch_nor_open_clip():
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ig4.plugins.scorers.clip import Clip\n"
        "clip = Clip(Clip.Options())\n"
        "print(clip.identity(lambda path: 'd'), clip.embedder().use)\n"
        "assert not {'torch', 'open_clip', 'safetensors'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)


def test_a_checkpoint_counts_by_its_content_not_by_its_place(checkpoint, tmp_path):
    given = checkpoint()
    copy = tmp_path / "copy.pt"
    copy.write_bytes(Path(given["pretrained"]).read_bytes())
    first = clip_identity(ClipModelOptions(**given), sha256_of)
    assert clip_identity(ClipModelOptions(**{**given, "pretrained": str(copy)}), sha256_of) == first
    copy.write_bytes(b"else")
    assert clip_identity(ClipModelOptions(**{**given, "pretrained": str(copy)}), sha256_of) != first


def test_a_folder_counts_by_its_content_not_by_its_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "open_clip_config.json").write_text("{}")
    one, two = (
        clip_identity(
            ClipModelOptions(model=f"local-dir:{tmp_path / name}", precision="fp32"), sha256_of
        )
        for name in ("one", "two")
    )
    assert one == two


def test_device_and_cache_folder_change_no_result():
    plain = clip_identity(ClipModelOptions(precision="fp32"), sha256_of)
    elsewhere = ClipModelOptions(precision="fp32", device="cuda:1", cache_dir="/tmp")
    assert clip_identity(elsewhere, sha256_of) == plain


def test_the_precision_in_use_is_part_of_the_identity():
    auto = clip_identity(ClipModelOptions(device="cpu"), sha256_of)["precision"]
    assert auto in ("fp32", "bf16")
    assert (
        clip_identity(ClipModelOptions(device="cpu", precision=auto), sha256_of)["precision"]
        == auto
    )
    assert clip_identity(ClipModelOptions(precision="fp16"), sha256_of)["precision"] == "fp16"


@pytest.mark.parametrize(
    "options", [{"pretrained": "no/such.pt"}, {"model": "local-dir:no/such"}], ids=str
)
def test_a_checkpoint_that_is_not_there_is_said_before_any_work(options):
    with pytest.raises(PrerequisiteError, match="there is no such"):
        clip_identity(ClipModelOptions(**options), sha256_of)


# Loading


def test_equal_options_share_one_model_until_the_last_lets_go(checkpoint):
    given = ClipModelOptions(**checkpoint())
    first = acquire(given)
    second = acquire(ClipModelOptions(**checkpoint()))
    assert first is second
    release(given)
    assert acquire(given) is first
    release(given)
    release(given)
    assert acquire(given) is not first
    release(given)


def test_another_precision_is_another_model(checkpoint):
    one, two = (
        ClipModelOptions(**checkpoint()),
        ClipModelOptions(**{**checkpoint(), "precision": "bf16"}),
    )
    assert acquire(one) is not acquire(two)
    release(one)
    release(two)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ""])
def test_a_checkpoint_file_may_be_of_any_kind(checkpoint, tmp_path, suffix):
    import torch
    from safetensors.torch import save_file

    given = checkpoint()
    state = torch.load(given["pretrained"], weights_only=True)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3}, path)
    options = ClipModelOptions(**{**given, "pretrained": str(path)})
    loaded = acquire(options).model.state_dict()
    release(options)
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", ["plain", "custom", "pooled-last", "resnet", "coca"])
def test_every_kind_of_model_works_in_low_precision(checkpoint, kind, precision):
    import torch

    pixels = list(torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    seen = []
    for wanted in ("fp32", precision):
        options = ClipModelOptions(**{**checkpoint(kind), "precision": wanted})
        clip = acquire(options)
        texts = clip.encode_texts(clip.tokenizer(["a dog", "a red bus"]))
        seen.append((clip.encode_images(pixels), texts))
        release(options)
    for full, low in zip(*seen, strict=True):
        assert low.dtype == torch.float32
        assert torch.cosine_similarity(full, low).min() > 0.999


def test_loading_leaves_logging_and_warnings_as_they_were(checkpoint, capfd):
    import logging

    options = ClipModelOptions(**checkpoint())
    acquire(options)
    release(options)
    assert logging.root.manager.disable == logging.NOTSET
    assert capfd.readouterr() == ("", "")


# Refusals


def test_weights_of_another_shape_are_refused(checkpoint):
    given = {**checkpoint("plain"), "model": checkpoint("resnet")["model"]}
    assert "holds no weights that fit" in refusal(PrerequisiteError, **given)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"], ids=repr)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused(checkpoint, tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    told = refusal(PrerequisiteError, **{**checkpoint(), "pretrained": str(path)})
    assert str(path) in told
    assert "holds no weights that fit" in told


def test_a_pickle_that_would_run_code_is_refused(checkpoint, tmp_path):
    import torch

    path = tmp_path / "evil.pt"
    torch.save({"state_dict": Runs(str(tmp_path / "ran"))}, path)
    told = refusal(PrerequisiteError, **{**checkpoint(), "pretrained": str(path)})
    assert "not a plain checkpoint" in told
    assert not (tmp_path / "ran").exists()


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_folder_without_weights_is_never_run_with_random_ones(checkpoint, tmp_path):
    import open_clip

    config = {"model_cfg": open_clip.get_model_config(checkpoint()["model"])}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    told = refusal(PrerequisiteError, model=f"local-dir:{tmp_path}")
    assert "holds no weights that fit" in told


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """A hub whose door is shut: a port of this machine that nobody listens on."""
    from huggingface_hub import constants

    with socket.socket() as deaf:  # bound, so that nobody else gets the port
        deaf.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        yield str(tmp_path / "cache")


@pytest.mark.parametrize("model", ["ViT-B-32", "hf-hub:someone/clip"])
def test_weights_that_cannot_be_had_offline_come_with_three_ways_to_get_them(no_network, model):
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    told = refusal(PrerequisiteError, model=model, cache_dir=no_network)
    for way in ("network", "clip.pretrained=", "HF_HOME", "HF_ENDPOINT"):
        assert way in told
    assert before == constants.HF_HUB_OFFLINE


def test_a_device_that_torch_does_not_have_is_refused(checkpoint):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert "set device" in refusal(PrerequisiteError, **{**checkpoint(), "device": "cuda"})
