"""Checks that a model keeps packed samples apart, before it is trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ig4.core.errors import UsageError
from ig4.plugins.models.loading import one_line
from ig4.plugins.models.pretrained import precision_context
from ig4.plugins.trainers.hf.examples import Packer, Row
from ig4.plugins.training.batches import SAMPLE_IDS
from ig4.plugins.training.placeholders import IGNORED

if TYPE_CHECKING:
    from ig4.plugins.training.options import TrainingOptions
    from ig4.plugins.training.plan import TrainingPlan

_TOLERANCE = {"fp32": 1e-5, "bf16": 5e-3, "fp16": 1e-3}
"""The relative difference of losses that rounding may cause."""

_MAX_INFLUENCE = 1e-5
"""The relative change of a loss that another sample's text may cause."""

_COMPARED = 8


def check_packing(plan: TrainingPlan, options: TrainingOptions) -> None:
    """Compare the losses of packed samples, in both orders, with their losses one by one.

    It takes the shortest and the longest of the first few: a wrong mask may show in one order only.
    Models that mark image tokens by `token_type_ids` (Gemma) let these attend to each other, which
    transformers loses in packed rows, by less than rounding to bf16.

    Raises:
        UsageError: the model attends from one sample to the next, or counts positions differently.
    """
    candidates: list[Row] = [
        plan.examples[place]
        for place in range(min(_COMPARED, len(plan.examples)))  # type: ignore[arg-type]
    ]
    candidates.sort(key=_length)
    rows = [candidates[0], candidates[-1]]
    if any(bool(row.tensors.get("token_type_ids", torch.zeros(1)).any()) for row in rows):
        raise UsageError(_refusal("the tokens of an image attend to each other"))
    was_training = plan.model.training
    plan.model.train()  # some models attend differently in training mode
    for part in plan.model.modules():
        if isinstance(part, nn.Dropout):
            part.eval()
    try:
        separate, packed = _losses(plan.model, rows, options)
        influence = max(
            _influence(plan.model, one, other, options) for one, other in (rows, rows[::-1])
        )
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise UsageError(
            _refusal(f"it does not take packed rows ({one_line(error, 160)})")
        ) from error
    finally:
        plan.model.train(was_training)
    if influence > _MAX_INFLUENCE:
        raise UsageError(_refusal("it attends from one sample to the next"))
    learned = [int((row.tensors["labels"][:, 1:] != IGNORED).sum()) for row in rows]
    mean = sum(n * loss for n, loss in zip(learned, separate, strict=True)) / max(1, sum(learned))
    furthest = max(packed, key=lambda loss: abs(loss - mean))
    if abs(furthest - mean) > _TOLERANCE[options.resolved_precision] * max(1.0, abs(mean)):
        raise UsageError(
            _refusal(f"its loss on two packed samples is {furthest:.4f}, separately {mean:.4f}")
        )


def _losses(
    model: Any, rows: list[Row], options: TrainingOptions
) -> tuple[list[float], list[float]]:
    """Return the loss of each row on its own, and those of all rows packed in both orders."""
    with torch.no_grad(), precision_context(options.resolved_device, options.resolved_precision):
        separate = [_loss(model, {**row.tensors, SAMPLE_IDS: [row.name]}, options) for row in rows]
        return separate, [_loss(model, Packer()(some), options) for some in (rows, rows[::-1])]


def _influence(model: Any, before: Row, row: Row, options: TrainingOptions) -> float:
    """Return the relative change of a row's loss if the sample before it changes."""
    tensors = before.tensors
    answered = tensors["labels"] != IGNORED
    some = tensors["input_ids"][answered][:1]
    unlearned = {**tensors, "labels": torch.full_like(tensors["labels"], IGNORED)}
    altered = {**unlearned, "input_ids": tensors["input_ids"].masked_fill(answered, int(some))}
    with torch.no_grad(), precision_context(options.resolved_device, options.resolved_precision):
        first, second = (
            _loss(model, Packer()([Row(before.name, one), row]), options)
            for one in (unlearned, altered)
        )
    return abs(first - second) / max(1.0, abs(first))


def _length(row: Row) -> int:
    return int(row.tensors["input_ids"].shape[1])


def _loss(model: Any, batch: dict[str, Any], options: TrainingOptions) -> float:
    device = options.resolved_device
    given = {name: one.to(device) for name, one in batch.items() if isinstance(one, Tensor)}
    return float(model(**given).loss)


def _refusal(why: str) -> str:
    return f"hf.packing: this model cannot be trained on packed samples: {why}; leave packing off"
