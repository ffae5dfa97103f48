"""The training loop: transformers' Trainer, with its own order, learning rate and saving.

Published recipes differ in these three. The order of the samples is fixed before the first step
(`TrainingPlan.examples`), so that a killed training continues with exactly the next batch.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn
from transformers import TrainingArguments

from ig4.core.contracts.training import TrainingError, TrainingJob, is_main_process
from ig4.core.counts import counted
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.plugins.models.weights import load_trained, save_trained
from ig4.plugins.training.batches import SAMPLE_IDS
from ig4.plugins.training.callbacks import EpochCallback, RateCallback, ReportCallback
from ig4.plugins.training.errors import (
    explain_errors,
    find_broken_samples,
    name_samples,
    quiet_libraries,
)
from ig4.plugins.training.placeholders import IGNORED
from ig4.plugins.training.plan import TrainingPlan, split_batch
from ig4.plugins.training.states import STATE, mark_complete, newest_complete, newest_state, step_of
from ig4.plugins.training.workererrors import (
    ErrorKeepingCollator,
    ErrorKeepingDataset,
    raise_errors,
)

if TYPE_CHECKING:
    from ig4.plugins.training.options import TrainingOptions


@dataclass(frozen=True, slots=True)
class FitResult:
    """The result of a training."""

    metrics: dict[str, Any]


def fit(plan: TrainingPlan, options: TrainingOptions, job: TrainingJob) -> FitResult:
    """Train, from the last saved state if the same job was interrupted.

    Raises:
        TrainingError: the loss is not finite, memory runs out, or an image is missing.
        PrerequisiteError: a device or a reporting library is missing.
    """
    _check_device(options, plan.name)
    _check_reporters(options)
    micro, accumulation = split_batch(plan.batch, options, name=plan.name)
    folder = job.output / STATE
    resumed = newest_state(folder) if is_main_process() else newest_complete(folder)
    job.started(plan.steps, 0 if resumed is None else step_of(resumed))
    if resumed is not None:
        job.notice(f"going on from step {step_of(resumed):,} of {plan.steps:,}")
    started = time.monotonic()
    with quiet_libraries(), explain_errors(plan, options):
        arguments = _arguments(plan, options, job, micro, accumulation)
        optimizer = torch.optim.AdamW(
            [dict(group) for group in plan.groups], betas=plan.betas, eps=plan.eps, lr=1.0
        )
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        if options.gradient_checkpointing:
            enable: Any = plan.model.gradient_checkpointing_enable
            enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        # transformers would use all GPUs in one process, and multiply the batch.
        arguments._n_gpu = min(1, arguments.n_gpu)
        trainer = PlannedTrainer(plan, job, arguments, optimizer)
        trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
        trainer.check_weights()
    if trainer.masked:
        job.notice(f"nothing was learned of {counted(len(trainer.masked), 'sample')}")
    metrics = {
        "steps": trainer.state.global_step,
        "loss": trainer.reports.last_loss,
        "seconds": round(time.monotonic() - started, 3),
    }
    if trainer.masked:
        metrics["masked_samples"] = len(trainer.masked)
    if torch.cuda.is_available() and options.resolved_device.startswith("cuda"):
        metrics["peak_memory"] = torch.cuda.max_memory_allocated()
    return FitResult(metrics)


def _check_device(options: TrainingOptions, name: str) -> None:
    """Refuse a GPU other than the first one, and fp16 without a GPU: transformers cannot train so.

    Raises:
        UsageError: the options ask for it; the message says what to set instead.
    """
    number = options.device.partition(":")[2]
    if number not in ("", "0"):
        raise UsageError(
            f"{name}.device = {options.device!r}: training uses the first visible GPU; choose it "
            f"with CUDA_VISIBLE_DEVICES={number}"
        )
    if options.resolved_precision == "fp16" and options.resolved_device == "cpu":
        raise UsageError(
            f"{name}.precision = 'fp16' needs a GPU for training: on a processor take bf16 or fp32"
        )


def _check_reporters(options: TrainingOptions) -> None:
    """Check before the first step that the reporting libraries are installed."""
    missing = [name for name in options.report_to if importlib.util.find_spec(name) is None]
    if missing:
        raise PrerequisiteError(
            f"cannot report to {', '.join(missing)}: pip install {' '.join(missing)}, or leave it "
            "out of report_to"
        )


class PlannedTrainer(transformers.Trainer):
    """transformers' Trainer with the plan's order and rates; it saves only trainable weights."""

    def __init__(
        self,
        plan: TrainingPlan,
        job: TrainingJob,
        arguments: TrainingArguments,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self.reports = ReportCallback(plan, job)
        constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        super().__init__(
            model=plan.model,
            args=arguments,
            data_collator=ErrorKeepingCollator(plan.collate),
            train_dataset=ErrorKeepingDataset(plan.examples),
            optimizers=(optimizer, constant),
            callbacks=[
                RateCallback(plan, optimizer),
                EpochCallback(plan, self.check_weights, self._states),
                self.reports,
            ],
        )
        for callback in (transformers.PrinterCallback, transformers.ProgressCallback):
            self.remove_callback(callback)
        self.plan = plan
        self.job = job
        self.masked: set[str] = set()
        """The ids of samples that were seen without any label."""

    def _states(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return the states of the optimiser and of the gradient scaler, if there is one."""
        assert self.optimizer is not None
        scaler = getattr(self.accelerator, "scaler", None)
        return self.optimizer.state_dict(), None if scaler is None else scaler.state_dict()

    def _get_train_sampler(self, *_: Any, **__: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.plan.examples)  # type: ignore[arg-type]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> Any:
        """Return the batches of a step, and raise errors of the processes that read them."""
        return super().get_batch_samples(raise_errors(epoch_iterator), num_batches, device)

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
        """Return the loss, and refuse one that is not finite before it changes the weights."""
        names = inputs.pop(SAMPLE_IDS, ())
        weight = 1.0
        if self._learns_nothing(inputs, names):
            # The mean over no token would be NaN. With several processes each needs a gradient, so
            # make it zero.
            inputs["labels"] = inputs["input_ids"].clamp(min=0)
            num_items_in_batch, weight = None, 0.0
        loss: Any = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not weight:
            loss = (loss[0] * weight, *loss[1:]) if return_outputs else loss * weight
        value = loss[0] if return_outputs else loss
        if not bool(torch.isfinite(value.detach())):
            step = self.state.global_step + 1
            found = find_broken_samples(self.plan.model, inputs, names)
            raise TrainingError(
                f"the loss of step {step:,} is {value.item()}, with {name_samples(found)} in the "
                f"batch; weights saved before are kept. Look at the sample, lower the learning "
                f"rate (-o {self.plan.name}.learning_rate=…), or train in bf16 or fp32"
            )
        if "pixel_values" not in inputs and self.plan.image_parameters and not return_outputs:
            # Without images these parameters have no gradient, but with several processes each
            # needs one. As in the original code it is zero.
            loss = loss + 0.0 * torch.stack([one.sum() for one in self.plan.image_parameters]).sum()
        return loss

    def _learns_nothing(self, inputs: Mapping[str, Any], names: Sequence[str]) -> bool:
        """Note the samples without a label; return whether a micro-batch has no label at all."""
        labels = inputs.get("labels")
        if labels is None:
            return False
        learned = (labels[:, 1:] != IGNORED).any(dim=1).tolist()
        if len(names) == len(learned):
            masked = {name for name, some in zip(names, learned, strict=True) if not some}
            if masked and not self.masked:
                self.job.notice(
                    f"nothing of {name_samples(sorted(masked))} is learned"
                    + (f": {self.plan.mask_reason}" if self.plan.mask_reason else "")
                )
            self.masked |= masked
        return not any(learned)

    def check_weights(self) -> None:
        """Raise a TrainingError if a weight is not finite; nothing is saved then."""
        for name, value in self.plan.model.named_parameters():
            if value.requires_grad and not bool(torch.isfinite(value.detach()).all()):
                raise TrainingError(
                    f"after step {self.state.global_step:,} the weights {name} are not finite: "
                    "the gradient of a finite loss was not finite; weights saved before are kept. "
                    f"Lower the learning rate (-o {self.plan.name}.learning_rate=…), or train in "
                    "bf16 or fp32"
                )

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None
              ) -> None:  # fmt: skip
        self.check_weights()
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_trained(self.plan.model, folder / "model.safetensors", state_dict)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        load_trained(self.plan.model, Path(resume_from_checkpoint) / "model.safetensors")

    def _save_checkpoint(self, *given: Any, **named: Any) -> None:
        super()._save_checkpoint(*given, **named)
        self.accelerator.wait_for_everyone()  # each process saves its own random state
        if self.args.should_save:
            state = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            mark_complete(state)


def _arguments(
    plan: TrainingPlan, options: TrainingOptions, job: TrainingJob, micro: int, accumulation: int
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
        max_grad_norm=plan.max_grad_norm,
        fp16=precision == "fp16",
        bf16=precision == "bf16",
        use_cpu=options.resolved_device == "cpu",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=options.save_every,
        save_total_limit=max(
            2, options.keep
        ),  # the older one is removed once the newer is complete
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
