"""The training loop: transformers' Trainer, with order, learning rate and saving of our own.

Published recipes differ in these three. The order in which samples are seen is laid down before
the first step (`Plan.examples`), so that a killed training goes on with the very batch it would
have seen next.
"""

from __future__ import annotations

import gc
import importlib.util
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn
from transformers import TrainerCallback, TrainingArguments

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.images import ImageError
from ig4.core.training import TrainingError, TrainingJob, TrainingStep, is_main_process
from ig4.plugins.training import memory
from ig4.plugins.training.batches import SAMPLE_IDS
from ig4.plugins.training.placeholders import IGNORED
from ig4.plugins.training.reading import Careful, Joined, read
from ig4.plugins.training.states import STATE, complete, newest_complete, newest_state, step_of
from ig4.plugins.training.weights import load_trained, save_trained

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from ig4.plugins.training.options import TrainingOptions


@dataclass(slots=True)
class Plan:
    """What to train, on what, in which order and at which rates.

    `examples` holds every example to be seen, in order, with repetitions; the last of the `steps`
    may have fewer than `batch` of them. `rate` is the factor on each group's learning rate at a
    step (from 0). `seeing` are the parameters that learn and that only images reach. `epoch_ended`
    is told the number of an epoch (from 0) once it is over, or the training with it, and the states
    of optimiser and fp16's scaler. `masks` says why all of a sample may be masked.
    """

    name: str
    model: nn.Module
    examples: Dataset[Any]
    collate: Callable[[Sequence[Any]], dict[str, Any]]
    groups: Sequence[Mapping[str, Any]]
    rate: Callable[[int], float]
    steps: int
    batch: int
    steps_per_epoch: float
    clip: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    seeing: Sequence[nn.Parameter] = ()
    masks: str = ""
    epoch_ended: Callable[[int, Mapping[str, Any], Mapping[str, Any] | None], None] | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came out of the loop."""

    metrics: dict[str, Any]


def processes() -> int:
    """Return how many processes train together (`accelerate launch`)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def shares(batch: int, options: TrainingOptions, *, name: str) -> tuple[int, int]:
    """Return (samples a device takes at a time, how often before a step) for a batch.

    Where the user says nothing, it is the largest share up to what is usual for the trainer.

    Raises:
        UsageError: the batch cannot be dealt out evenly.
    """
    world = processes()
    if batch % world:
        raise UsageError(f"a batch of {batch} cannot be dealt to {world} processes evenly")
    own = batch // world
    micro = options.micro_batch_size
    if micro is None:
        usual = options.usual_micro_batch or own
        size = max(n for n in range(1, min(usual, own) + 1) if own % n == 0)
    else:
        size = min(micro, own)
    if own % size:
        fitting = ", ".join(str(n) for n in range(1, own + 1) if own % n == 0)
        raise UsageError(
            f"{name}.micro_batch_size = {micro} does not divide the batch of {own}: take {fitting}"
        )
    return size, own // size


def fit(plan: Plan, options: TrainingOptions, job: TrainingJob) -> Fitted:
    """Train, going on from what an interrupted training of the same job left in its folder.

    Raises:
        TrainingError: the loss is no number, memory runs out, an image is gone.
        PrerequisiteError: a device or a reporting library is not there.
    """
    _can_train(options, plan.name)
    _reporters_are_there(options)
    micro, accumulation = shares(plan.batch, options, name=plan.name)
    folder = job.output / STATE
    resumed = newest_state(folder) if is_main_process() else newest_complete(folder)
    job.started(plan.steps, 0 if resumed is None else step_of(resumed))
    if resumed is not None:
        job.notice(f"going on from step {step_of(resumed):,} of {plan.steps:,}")
    started = time.monotonic()
    with _quiet(), _explained(plan, options):
        arguments = _arguments(plan, options, job, micro, accumulation)
        optimizer = torch.optim.AdamW(
            [dict(group) for group in plan.groups], betas=plan.betas, eps=plan.eps, lr=1.0
        )
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        if options.gradient_checkpointing:
            enable: Any = plan.model.gradient_checkpointing_enable
            enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        # transformers would spread a process over all GPUs it sees, and multiply the batch.
        arguments._n_gpu = min(1, arguments.n_gpu)
        trainer = _Loop(plan, job, arguments, optimizer)
        trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
        trainer.refuse_broken()
    if trainer.masked:
        job.notice(f"nothing was learned of {len(trainer.masked):,} samples")
    metrics = {
        "steps": trainer.state.global_step,
        "loss": trainer.last_loss,
        "seconds": round(time.monotonic() - started, 3),
    }
    if trainer.masked:
        metrics["masked_samples"] = len(trainer.masked)
    if torch.cuda.is_available() and options.resolved_device.startswith("cuda"):
        metrics["peak_memory"] = torch.cuda.max_memory_allocated()
    return Fitted(metrics)


def _can_train(options: TrainingOptions, name: str) -> None:
    """Refuse what transformers does not train on: other GPUs than the first it sees, fp16 without.

    Raises:
        UsageError: the options say so; tells what to say instead.
    """
    number = options.device.partition(":")[2]
    if number not in ("", "0"):
        raise UsageError(
            f"{name}.device = {options.device!r}: training takes the first GPU it sees; choose it "
            f"with CUDA_VISIBLE_DEVICES={number}"
        )
    if options.resolved_precision == "fp16" and options.resolved_device == "cpu":
        raise UsageError(
            f"{name}.precision = 'fp16' needs a GPU for training: on a processor take bf16 or fp32"
        )


def _reporters_are_there(options: TrainingOptions) -> None:
    """Find out before the first step whether the libraries that are to report can be imported."""
    lacking = [name for name in options.report_to if importlib.util.find_spec(name) is None]
    if lacking:
        raise PrerequisiteError(
            f"cannot report to {', '.join(lacking)}: pip install {' '.join(lacking)}, or leave it "
            "out of report_to"
        )


class _Loop(transformers.Trainer):
    """transformers' Trainer with the plan's order and rates, saving only what learns."""

    def __init__(
        self,
        plan: Plan,
        job: TrainingJob,
        arguments: TrainingArguments,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        super().__init__(
            model=plan.model,
            args=arguments,
            data_collator=Joined(plan.collate),
            train_dataset=Careful(plan.examples),
            optimizers=(optimizer, constant),
            callbacks=[_Rates(plan, optimizer), _Epochs(plan, self), _Reports(plan, job, self)],
        )
        for callback in (transformers.PrinterCallback, transformers.ProgressCallback):
            self.remove_callback(callback)
        self.plan = plan
        self.job = job
        self.last_loss: float | None = None
        self.masked: set[str] = set()
        """The samples seen of which nothing is learned."""

    def _get_train_sampler(self, *_: Any, **__: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.plan.examples)  # type: ignore[arg-type]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> Any:
        """Return the batches of a step, raising what went wrong where they were read."""
        return super().get_batch_samples(read(epoch_iterator), num_batches, device)

    def _get_learning_rate(self) -> float:
        assert self.optimizer is not None
        return float(self.optimizer.param_groups[0]["lr"])

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss, refusing one that is no number before it spoils the weights."""
        names = inputs.pop(SAMPLE_IDS, ())
        weight = 1.0
        if self._learns_nothing(inputs, names):
            # The mean over no token would be no number. Several processes wait for the gradient,
            # which is one of zeros.
            inputs["labels"] = inputs["input_ids"].clamp(min=0)
            num_items_in_batch, weight = None, 0.0
        loss: Any = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not weight:
            loss = (loss[0] * weight, *loss[1:]) if return_outputs else loss * weight
        value = loss[0] if return_outputs else loss
        if not bool(torch.isfinite(value.detach())):
            step = self.state.global_step + 1
            guilty = _guilty(self.plan.model, inputs, names)
            raise TrainingError(
                f"the loss of step {step:,} is {value.item()}, with {_named(guilty)} in the "
                f"batch; weights saved before are kept. Look at the sample, lower the learning "
                f"rate (-o {self.plan.name}.learning_rate=…), or train in bf16 or fp32"
            )
        if "pixel_values" not in inputs and self.plan.seeing and not return_outputs:
            # Without images these parameters have no gradient, which several processes wait for;
            # the original code too lets their gradient be zero then.
            loss = loss + 0.0 * torch.stack([one.sum() for one in self.plan.seeing]).sum()
        return loss

    def _learns_nothing(self, inputs: Mapping[str, Any], names: Sequence[str]) -> bool:
        """Note which samples have no label; tell whether none of a piece of a batch has any."""
        labels = inputs.get("labels")
        if labels is None:
            return False
        learned = (labels[:, 1:] != IGNORED).any(dim=1).tolist()
        if len(names) == len(learned):
            masked = {name for name, some in zip(names, learned, strict=True) if not some}
            if masked and not self.masked:
                self.job.notice(
                    f"nothing of {_named(sorted(masked))} is learned"
                    + (f": {self.plan.masks}" if self.plan.masks else "")
                )
            self.masked |= masked
        return not any(learned)

    def refuse_broken(self) -> None:
        """Raise a TrainingError if the weights are no numbers any more: nothing is saved then."""
        for name, value in self.plan.model.named_parameters():
            if value.requires_grad and not bool(torch.isfinite(value.detach()).all()):
                raise TrainingError(
                    f"after step {self.state.global_step:,} the weights {name} are no numbers: "
                    "the gradient of a finite loss was not finite; weights saved before are kept. "
                    f"Lower the learning rate (-o {self.plan.name}.learning_rate=…), or train in "
                    "bf16 or fp32"
                )

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None
              ) -> None:  # fmt: skip
        self.refuse_broken()
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_trained(self.plan.model, folder / "model.safetensors", state_dict)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        load_trained(self.plan.model, Path(resume_from_checkpoint) / "model.safetensors")

    def _save_checkpoint(self, *given: Any, **named: Any) -> None:
        super()._save_checkpoint(*given, **named)
        self.accelerator.wait_for_everyone()  # each process keeps the state of its own chance
        if self.args.should_save:
            state = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            complete(state)


class _Rates(TrainerCallback):
    """Sets each step's learning rate by the plan, also where fp16 skipped a step before it."""

    def __init__(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        self.plan = plan
        self.optimizer = optimizer

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        factor = self.plan.rate(state.global_step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


class _Epochs(TrainerCallback):
    """Tells the plan of every epoch that is over, before the state after it is saved."""

    def __init__(self, plan: Plan, loop: _Loop) -> None:
        self.plan = plan
        self.loop = loop

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        ended, done = self.plan.epoch_ended, state.global_step / self.plan.steps_per_epoch
        over = math.floor(done) > math.floor(done - 1 / self.plan.steps_per_epoch)
        if ended is None or not is_main_process():
            return
        if over or state.global_step == self.plan.steps:
            self.loop.refuse_broken()
            scaler = getattr(self.loop.accelerator, "scaler", None)
            assert self.loop.optimizer is not None
            ended(
                math.ceil(done) - 1, self.loop.optimizer.state_dict(),
                None if scaler is None else scaler.state_dict(),
            )  # fmt: skip


class _Reports(TrainerCallback):
    """Tells the job of every step."""

    def __init__(self, plan: Plan, job: TrainingJob, loop: _Loop) -> None:
        self.plan = plan
        self.job = job
        self.loop = loop
        self.began = time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.began = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        self.loop.last_loss = float(logs["loss"])
        if not is_main_process():
            return
        norm = logs.get("grad_norm")
        self.job.report(
            TrainingStep(
                step=state.global_step,
                epoch=round(state.global_step / self.plan.steps_per_epoch, 6),
                loss=float(logs["loss"]),
                learning_rate=float(logs["learning_rate"]),
                grad_norm=None if norm is None else float(norm),
                seconds=time.monotonic() - self.began,
            )
        )


def _arguments(
    plan: Plan, options: TrainingOptions, job: TrainingJob, micro: int, accumulation: int
) -> TrainingArguments:
    precision = options.resolved_precision
    if "tensorboard" in options.report_to:
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(job.output / "tensorboard"))
    return TrainingArguments(
        output_dir=str(job.output / STATE),
        run_name=job.output.name,
        max_steps=plan.steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        max_grad_norm=plan.clip,
        fp16=precision == "fp16",
        bf16=precision == "bf16",
        use_cpu=options.resolved_device == "cpu",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=options.save_every,
        save_total_limit=max(2, options.keep),  # the older goes once the newer is complete
        dataloader_num_workers=options.workers,
        dataloader_pin_memory=options.resolved_device.startswith("cuda"),
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        log_level="error",
        report_to=list(options.report_to) or "none",
        seed=job.seed,
        data_seed=job.seed,
    )


def _guilty(model: nn.Module, inputs: Mapping[str, Any], names: Sequence[str]) -> Sequence[str]:
    """Return those samples of a batch whose loss alone is no number; all, if none alone is."""
    ids = inputs.get("input_ids")
    if ids is None or len(ids) != len(names) or len(names) < 2 or "pixel_values" not in inputs:
        return names
    if len(inputs["pixel_values"]) != len(names):
        return names
    found = []
    with torch.no_grad(), suppress(Exception):
        for row, name in enumerate(names):
            one = {key: value[row : row + 1] for key, value in inputs.items()
                   if isinstance(value, Tensor) and len(value) == len(names)}  # fmt: skip
            if not math.isfinite(float(model(**one).loss)):
                found.append(name)
    return found or names


def _named(samples: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in samples[:5])
    more = f" and {len(samples) - 5} more" if len(samples) > 5 else ""
    return f"sample{'s' * (len(samples) != 1)} {shown}{more}" if samples else "unknown samples"


@contextmanager
def _explained(plan: Plan, options: TrainingOptions) -> Iterator[None]:
    """Turn what stops a training into one sentence that says what to do."""
    try:
        yield
    except ImageError as error:
        raise TrainingError(
            f"{error}: an image that was there when training began cannot be read any more. "
            "Put it back and run the same command, which goes on from the last saved state"
        ) from error
    except Exception as error:
        if memory.ran_out(error):
            raise TrainingError(memory.remedies(plan.name, options)) from error
        if isinstance(error, RuntimeError) and "DataLoader worker" in str(error):
            raise TrainingError(
                f"a process that reads images ahead died; read in this one with "
                f"-o {plan.name}.workers=0: {' '.join(str(error).split())[:200]}"
            ) from error
        reporter = type(error).__module__.partition(".")[0]
        if reporter in options.report_to:  # such as W&B without a login
            told = " ".join(str(error).split())[:300]
            raise PrerequisiteError(f"cannot report to {reporter}: {told}") from error
        raise
    finally:
        gc.collect()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' log lines off the terminal; what matters is reported by events."""
    names = ("transformers", "accelerate", "torch.distributed", "bitsandbytes")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
