"""Callbacks of the training loop: they set rates, end epochs and report losses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from ig4.core.contracts.training import TrainingJob, TrainingStep, is_main_process

if TYPE_CHECKING:
    from ig4.plugins.training.plan import TrainingPlan


class RateCallback(TrainerCallback):
    """Sets each step's learning rate from the plan, also after a step that fp16 skipped."""

    def __init__(self, plan: TrainingPlan, optimizer: torch.optim.Optimizer) -> None:
        self.plan = plan
        self.optimizer = optimizer

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Set the rates of the step."""
        factor = self.plan.rate(state.global_step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


class EpochCallback(TrainerCallback):
    """Calls the plan's `on_epoch_end` after each epoch, before the state is saved.

    `check` raises if the weights are no longer finite; `states` returns the states of the
    optimiser and of the gradient scaler (None without one).
    """

    def __init__(
        self,
        plan: TrainingPlan,
        check: Callable[[], None],
        states: Callable[[], tuple[dict[str, Any], dict[str, Any] | None]],
    ) -> None:
        self.plan = plan
        self.check = check
        self.states = states

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Call `on_epoch_end` if an epoch ends with this step."""
        ended, done = self.plan.on_epoch_end, state.global_step / self.plan.steps_per_epoch
        over = math.floor(done) > math.floor(done - 1 / self.plan.steps_per_epoch)
        if ended is None or not is_main_process():
            return
        if over or state.global_step == self.plan.steps:
            self.check()
            optimizer, scaler = self.states()
            # Rates are set before each step; save those of the last one.
            factor = self.plan.rate(state.global_step - 1)
            groups = [
                {**group, "lr": group["initial_lr"] * factor} for group in optimizer["param_groups"]
            ]
            ended(math.ceil(done) - 1, {**optimizer, "param_groups": groups}, scaler)


class ReportCallback(TrainerCallback):
    """Reports every step to the job, and keeps the last loss."""

    def __init__(self, plan: TrainingPlan, job: TrainingJob) -> None:
        self.plan = plan
        self.job = job
        self.last_loss: float | None = None
        self.began = time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock of the step."""
        self.began = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Report the logged step."""
        if not logs or "loss" not in logs:
            return
        self.last_loss = float(logs["loss"])
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
