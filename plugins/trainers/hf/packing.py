"""Finds out whether a model keeps packed samples apart, before it is trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ig4.core.errors import UsageError
from ig4.plugins.trainers.hf.examples import Packer, Row
from ig4.plugins.training.batches import SAMPLE_IDS
from ig4.plugins.training.models import computing
from ig4.plugins.training.placeholders import IGNORED

if TYPE_CHECKING:
    from ig4.plugins.training.loop import Plan
    from ig4.plugins.training.options import TrainingOptions

_SAME = {"fp32": 1e-5, "bf16": 5e-3, "fp16": 1e-3}
"""How far losses may differ, relatively, and still be the same but for rounding."""


def require_apart(plan: Plan, options: TrainingOptions) -> None:
    """Compare the loss of two samples packed with their losses one by one.

    Raises:
        UsageError: the model sees from one sample into the next, or counts positions otherwise.
    """
    rows = [plan.examples[place] for place in range(min(2, len(plan.examples)))]  # type: ignore[arg-type]
    precision = options.resolved_precision
    was = plan.model.training
    plan.model.train()  # in which some models (Gemma) attend otherwise
    for part in plan.model.modules():
        if isinstance(part, nn.Dropout):
            part.eval()
    try:
        with torch.no_grad(), computing(options.resolved_device, precision):
            apart = [_loss(plan.model, Packer()([row]), options) for row in rows]
            together = _loss(plan.model, Packer()(rows), options)
            usual = [_loss(plan.model, _alone(row), options) for row in rows]
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        told = " ".join(str(error).split())[:160]
        raise UsageError(_refusal(f"it does not take packed rows ({told})")) from error
    finally:
        plan.model.train(was)
    weights = [int((row.tensors["labels"][:, 1:] != IGNORED).sum()) for row in rows]
    mean = sum(w * loss for w, loss in zip(weights, usual, strict=True)) / max(1, sum(weights))
    limit = _SAME[precision] * max(1.0, abs(mean))
    if abs(together - mean) > limit:
        raise UsageError(
            _refusal(f"its loss on two packed samples is {together:.4f}, apart {mean:.4f}")
        )
    if any(abs(a - b) > limit for a, b in zip(apart, usual, strict=True)):
        raise UsageError(_refusal("its loss changes with the positions that packing gives"))


def _alone(row: Row) -> dict[str, Any]:
    return {**row.tensors, SAMPLE_IDS: [row.name]}


def _loss(model: Any, batch: dict[str, Any], options: TrainingOptions) -> float:
    device = options.resolved_device
    given = {name: one.to(device) for name, one in batch.items() if isinstance(one, Tensor)}
    return float(model(**given).loss)


def _refusal(why: str) -> str:
    return f"hf.packing: this model cannot be trained on packed samples: {why}; leave packing off"
