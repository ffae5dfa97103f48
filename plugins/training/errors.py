"""Errors that stop a training, in one sentence: what happened, at which sample, what to do."""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ig4.core.contracts.training import TrainingError
from ig4.core.errors import PrerequisiteError
from ig4.core.files.images.decode import ImageError
from ig4.plugins.models.loading import one_line
from ig4.plugins.training import memory

if TYPE_CHECKING:
    from ig4.plugins.training.options import TrainingOptions
    from ig4.plugins.training.plan import TrainingPlan


def find_broken_samples(
    model: nn.Module, inputs: Mapping[str, Any], names: Sequence[str]
) -> Sequence[str]:
    """Return the samples of a batch whose own loss is not finite; all, if there is none such."""
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


def name_samples(samples: Sequence[str]) -> str:
    """Return the names of samples in words, five at most."""
    shown = ", ".join(repr(name) for name in samples[:5])
    more = f" and {len(samples) - 5} more" if len(samples) > 5 else ""
    return f"sample{'s' * (len(samples) != 1)} {shown}{more}" if samples else "unknown samples"


@contextmanager
def explain_errors(plan: TrainingPlan, options: TrainingOptions) -> Iterator[None]:
    """Turn an error that stops a training into one sentence that says what to do."""
    try:
        yield
    except ImageError as error:
        raise TrainingError(
            f"{error}: an image that existed when training began cannot be read any more. "
            "Put it back and run the same command: it continues from the last saved state"
        ) from error
    except Exception as error:
        if memory.is_out_of_memory(error):
            raise TrainingError(memory.out_of_memory_advice(plan.name, options)) from error
        if isinstance(error, RuntimeError) and "DataLoader worker" in str(error):
            raise TrainingError(
                f"a process that reads images ahead died; read in this one with "
                f"-o {plan.name}.workers=0: {one_line(error, 200)}"
            ) from error
        reporter = type(error).__module__.partition(".")[0]
        if reporter in options.report_to:  # such as W&B without a login
            raise PrerequisiteError(f"cannot report to {reporter}: {one_line(error)}") from error
        raise
    finally:
        gc.collect()


@contextmanager
def quiet_libraries() -> Iterator[None]:
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
