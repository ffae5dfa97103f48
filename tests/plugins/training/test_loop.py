"""The loop: what stops it says why, and what is left behind can be gone on from."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from transformers.modeling_outputs import CausalLMOutput

from ig4.core.contracts.training import TrainingError, TrainingJob
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.files.images.decode import ImageError
from ig4.plugins.models.weights import read_state
from ig4.plugins.training.batches import SAMPLE_IDS
from ig4.plugins.training.loop import fit
from ig4.plugins.training.memory import explain_memory_errors, out_of_memory_advice
from ig4.plugins.training.options import TrainingOptions, existing_path
from ig4.plugins.training.parts import (
    language_name,
    linear_names,
    parameter_groups,
    projector_names,
    set_trainable,
)
from ig4.plugins.training.plan import TrainingPlan, split_batch
from ig4.plugins.training.schedules import CosineSchedule
from ig4.plugins.training.states import newest_state, remove_states
from ig4.plugins.training.trainable import LoraSettings

pytestmark = pytest.mark.slow


class Line(nn.Module):
    """Learns a factor; a sample of value nan has no loss that is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, input_ids, pixel_values, labels=None):
        return CausalLMOutput(loss=((self.factor * pixel_values - 2) ** 2).mean())


class Values(torch.utils.data.Dataset):
    def __init__(self, values, fail_at=None, error=None):
        self.values, self.fail_at, self.error = values, fail_at, error

    def __len__(self):
        return len(self.values)

    def __getitem__(self, place):
        if place == self.fail_at:
            raise self.error
        return place, self.values[place]


def collate(rows):
    return {
        "input_ids": torch.zeros(len(rows), 1, dtype=torch.long),
        "pixel_values": torch.tensor([[value] for _, value in rows]),
        SAMPLE_IDS: [f"sample-{place}" for place, _ in rows],
    }


def plan(values, *, batch=2, **more) -> TrainingPlan:
    model = Line()
    return TrainingPlan(
        name="line", model=model, examples=Values(values, **more), collate=collate,
        groups=[{"params": [model.factor], "lr": 0.1, "weight_decay": 0.0}],
        rate=lambda step: 1.0 / (step + 1), steps=len(values) // batch, batch=batch,
        steps_per_epoch=2,
    )  # fmt: skip


def options(**more) -> TrainingOptions:
    return TrainingOptions(**{"device": "cpu", "workers": 0, "save_every": 1, **more})


def test_rates_are_those_of_the_plan_and_losses_those_before_the_step(tmp_path):
    steps = []
    fitted = fit(plan([1.0] * 8), options(), TrainingJob((), tmp_path, report=steps.append))
    assert [one.learning_rate for one in steps] == pytest.approx([0.1, 0.05, 0.1 / 3, 0.025])
    assert steps[0].loss == 1.0  # (1 x 1 - 2) squared
    assert [one.epoch for one in steps] == [0.5, 1.0, 1.5, 2.0]
    assert fitted.metrics["steps"] == 4
    assert fitted.metrics["loss"] == steps[-1].loss


def test_a_loss_that_is_no_number_stops_with_step_and_sample(tmp_path):
    steps = []
    values = [1.0, 1.0, 1.0, float("nan"), 1.0, 1.0]
    with pytest.raises(TrainingError, match=r"loss of step 2 is nan, with sample 'sample-3'"):
        fit(plan(values), options(), TrainingJob((), tmp_path, report=steps.append))
    assert [one.step for one in steps] == [1]
    assert newest_state(tmp_path / "state").name == "checkpoint-1"


def test_an_image_that_vanished_names_the_sample_and_keeps_what_was_saved(tmp_path):
    error = ImageError("sample 'x': x.jpg: the image file is missing")
    with pytest.raises(TrainingError, match=r"sample 'x'.*continues from the last saved state"):
        fit(plan([1.0] * 6, fail_at=4, error=error), options(), TrainingJob((), tmp_path))
    assert newest_state(tmp_path / "state") is not None


@pytest.mark.parametrize("workers", [0, 1])
def test_what_went_wrong_in_another_process_is_told_in_the_same_sentence(tmp_path, workers):
    error = ImageError("sample 'x': x.jpg: the image file is missing")
    broken = plan([1.0] * 6, fail_at=3, error=error)
    with pytest.raises(TrainingError) as caught:
        fit(broken, options(workers=workers), TrainingJob((), tmp_path))
    assert str(caught.value).startswith("sample 'x': x.jpg: the image file is missing: an image")
    assert "Traceback" not in str(caught.value)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    """The loss was one, but not its gradient; the loss of the next step would blame its sample."""
    broken = plan([1.0, 1.0, 4.0, 4.0, 1.0, 1.0])
    broken.model.factor.register_hook(
        lambda gradient: gradient * (float("nan") if gradient.abs() > 3 else 1)
    )
    with pytest.raises(TrainingError, match=r"after step 2 the weights factor are not finite"):
        fit(broken, options(), TrainingJob((), tmp_path))
    assert newest_state(tmp_path / "state").name == "checkpoint-1"


def test_what_only_images_reach_has_no_gradient_but_zero_without_them(tmp_path):
    class Blind(Line):
        def forward(self, input_ids, labels=None):
            return CausalLMOutput(loss=torch.ones(1, requires_grad=True).sum())

    def without_images(rows):
        return {name: one for name, one in collate(rows).items() if name != "pixel_values"}

    blind = plan([1.0] * 4)
    blind.model, blind.collate = Blind(), without_images
    blind.groups = [{"params": [blind.model.factor], "lr": 0.1, "weight_decay": 0.0}]
    blind.image_parameters = [blind.model.factor]
    states = []
    blind.on_epoch_end = lambda epoch, optimizer, scaler: states.append(optimizer["state"][0])
    fit(blind, options(), TrainingJob((), tmp_path))
    assert (int(states[0]["step"]), float(states[0]["exp_avg"])) == (2, 0.0)
    assert blind.model.factor.tolist() == [1.0]


def test_epochs_are_told_with_the_state_of_the_optimiser(tmp_path):
    told = []
    whole = plan([1.0] * 10)  # five steps, two of them an epoch
    whole.on_epoch_end = lambda epoch, optimizer, scaler: told.append(
        (epoch, int(optimizer["state"][0]["step"]), scaler)
    )
    fit(whole, options(), TrainingJob((), tmp_path))
    assert told == [(0, 2, None), (1, 4, None), (2, 5, None)]


def test_the_state_of_an_epoch_has_the_rate_of_its_last_step(tmp_path):
    rates = []
    whole = plan([1.0] * 4)
    whole.rate = lambda step: 0.5 + step
    whole.on_epoch_end = lambda epoch, optimizer, scaler: rates.append(
        (optimizer["param_groups"][0]["lr"], whole.groups[0]["lr"])
    )
    fit(whole, options(), TrainingJob((), tmp_path))
    assert rates == [(pytest.approx(1.5 * whole.groups[0]["lr"]), whole.groups[0]["lr"])]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    ],
)
def test_running_out_of_memory_says_which_knobs_are_left(tmp_path, error):
    with pytest.raises(TrainingError, match=r"line\.micro_batch_size=1 .*gradient_checkpointing"):
        fit(plan([1.0] * 6, fail_at=2, error=error), options(), TrainingJob((), tmp_path))


def test_knobs_that_are_turned_already_are_not_named():
    said = out_of_memory_advice("hf", options(micro_batch_size=1, gradient_checkpointing=True))
    assert "micro_batch_size" not in said
    assert "quantize=4bit" in said


def test_where_all_learns_less_could():
    from ig4.plugins.trainers.hf.options import HuggingFaceOptions

    said = out_of_memory_advice("hf", HuggingFaceOptions(device="cpu", trains="full"))
    assert "-o hf.trains=lora" in said
    assert "4bit" not in said  # weights in 4 bits cannot learn


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_model_too_large_to_load_says_which_knob(error):
    with pytest.raises(PrerequisiteError) as caught, explain_memory_errors("line", options()):
        raise error
    assert "-o line.quantize=4bit" in str(caught.value)
    assert "micro_batch_size" not in str(caught.value)


def test_other_errors_while_loading_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), explain_memory_errors("line", options()):
        raise RuntimeError("shapes")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", ""])
def test_devices_that_do_not_exist_are_no_options(device):
    with pytest.raises(ValidationError, match="device"):
        TrainingOptions(device=device)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has such a device")
def test_a_device_that_is_not_there_is_told_before_a_model_is_loaded():
    wanted = pytest.raises(PrerequisiteError, match="cannot use the device 'mps'")
    with wanted, explain_memory_errors("line", options(device="mps")):
        raise AssertionError("nothing is loaded")


def test_other_errors_of_torch_are_not_taken_for_a_lack_of_memory(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"):
        fit(plan([1.0] * 4, fail_at=1, error=RuntimeError("shapes")), options(),
            TrainingJob((), tmp_path))  # fmt: skip


def test_a_state_that_a_kill_left_half_written_is_not_gone_on_from(tmp_path):
    stop = RuntimeError("stop")
    with pytest.raises(RuntimeError, match="stop"):
        fit(plan([1.0] * 8, fail_at=6, error=stop), options(), TrainingJob((), tmp_path))
    folder = tmp_path / "state"
    newest = newest_state(folder)
    (folder / "checkpoint-99").mkdir()
    (folder / "checkpoint-99" / "model.safetensors").write_bytes(b"half")
    assert newest_state(folder) == newest
    assert not (folder / "checkpoint-99").exists()


def test_the_states_go_once_the_training_is_finished(tmp_path):
    fit(plan([1.0] * 4), options(), TrainingJob((), tmp_path))
    remove_states(tmp_path)
    assert not (tmp_path / "state").exists()


def test_losses_are_reported_to_tensorboard(tmp_path, monkeypatch):
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    fit(plan([1.0] * 4), options(report_to=("tensorboard",)), TrainingJob((), tmp_path))
    os.environ.pop("TENSORBOARD_LOGGING_DIR", None)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert len(events.Scalars("train/loss")) == 2


def test_a_reporter_that_is_not_installed_is_named(tmp_path):
    lacking = [name for name in ("wandb", "mlflow") if find_spec(name) is None]
    if not lacking:
        pytest.skip("all reporters are installed")
    with pytest.raises(PrerequisiteError, match=rf"cannot report to .*: pip install {lacking[0]}"):
        fit(plan([1.0] * 4), options(report_to=lacking), TrainingJob((), tmp_path))


def test_batches_are_dealt_to_pieces_and_processes(monkeypatch):
    assert split_batch(12, options(), name="x") == (12, 1)
    assert split_batch(12, options(micro_batch_size=4), name="x") == (4, 3)
    assert split_batch(12, options(micro_batch_size=40), name="x") == (12, 1)
    with pytest.raises(UsageError, match="take 1, 2, 3, 4, 6, 12"):
        split_batch(12, options(micro_batch_size=5), name="x")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert split_batch(12, options(), name="x") == (3, 1)
    with pytest.raises(UsageError, match="4 processes"):
        split_batch(10, options(), name="x")


def test_the_usual_piece_is_the_largest_that_divides():
    class Wide(TrainingOptions):
        default_micro_batch = 16

    assert split_batch(128, Wide(), name="x") == (16, 8)
    assert split_batch(24, Wide(), name="x") == (12, 2)
    assert split_batch(5, Wide(), name="x") == (5, 1)


def test_a_gpu_is_chosen_outside(tmp_path):
    with pytest.raises((UsageError, PrerequisiteError), match=r"CUDA_VISIBLE_DEVICES|cannot use"):
        fit(plan([1.0] * 4), options(device="cuda:1"), TrainingJob((), tmp_path))


def test_cosine_warms_up_from_nothing_and_ends_at_nothing():
    factor = CosineSchedule(100, 0.03)
    assert factor(0) == 0
    assert factor(3) == 1
    assert factor(1) == pytest.approx(1 / 3)
    assert factor(99) < 0.001
    assert all(factor(n) >= factor(n + 1) for n in range(3, 99))


def test_names_that_look_like_paths_must_be_there(tmp_path):
    assert existing_path("org/model") is None
    assert existing_path(str(tmp_path)) == tmp_path
    with pytest.raises(UsageError, match="no such file or folder"):
        existing_path("/nowhere/model")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch " + str(tmp_path / "ran"),)

    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(PrerequisiteError, match="no checkpoint of plain tensors"):
        read_state(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_state_dicts_are_unwrapped(tmp_path):
    torch.save({"model": {"a": torch.ones(2)}, "epoch": 3}, tmp_path / "new.pth")
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("new.pth", "old.pth"):
        assert read_state(tmp_path / name)["a"].tolist() == [1, 1]
    with pytest.raises(PrerequisiteError, match="missing"):
        read_state(tmp_path / "none.pth")


@pytest.fixture
def vlm():
    """A model of LLaVA's kind."""
    import transformers

    from ...tiny_models import clip_config, llama_config

    config = transformers.LlavaConfig(vision_config=clip_config(), text_config=llama_config())
    return transformers.LlavaForConditionalGeneration(config)


LORA = LoraSettings(4, 8, 0.0)


def trainable(model) -> set[str]:
    return {name for name, value in model.named_parameters() if value.requires_grad}


def test_the_parts_of_a_model_are_found(vlm):
    assert projector_names(vlm) == ["model.multi_modal_projector"]
    assert language_name(vlm) == "model.language_model"
    assert len(linear_names(vlm)) == 14  # seven in each of two layers
    with pytest.raises(UsageError, match="no module matches 'nothing'"):
        projector_names(vlm, "nothing")


def test_the_projector_alone_learns(vlm):
    model, _ = set_trainable(vlm, "projector", lora=LORA)
    assert trainable(model) == {
        f"model.multi_modal_projector.linear_{n}.{kind}"
        for n in (1, 2)
        for kind in ("weight", "bias")
    }


def test_full_training_leaves_the_tower_alone(vlm):
    model, _ = set_trainable(vlm, "full", lora=LORA)
    names = trainable(model)
    assert not any("vision_tower" in name for name in names)
    assert {"lm_head.weight", "model.language_model.embed_tokens.weight"} <= names


def test_adapters_learn_beside_the_projector(vlm):
    model, projectors = set_trainable(vlm, "lora", lora=LORA)
    names = trainable(model)
    assert all("lora_" in name or "multi_modal_projector" in name for name in names)
    assert not any("vision_tower" in name or "lm_head" in name for name in names)
    sorted_ = parameter_groups(model, projectors, rate=2e-4, projector_rate=2e-5, weight_decay=0.1)
    rates = {(group["lr"], group["weight_decay"]): len(group["params"]) for group in sorted_}
    assert rates == {(2e-4, 0.1): 28, (2e-5, 0.1): 2, (2e-5, 0.0): 2}


def test_weights_in_few_bits_cannot_all_learn(vlm):
    vlm.is_quantized = True
    with pytest.raises(UsageError, match="8 or 4 bits cannot learn"):
        set_trainable(vlm, "full", lora=LORA)
