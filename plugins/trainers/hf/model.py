"""A vision-language model of transformers, with the one loss that all of them are trained by."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.loss.loss_utils import ForCausalLMLoss
from transformers.modeling_outputs import CausalLMOutput


class AnswerModel(nn.Module):
    """What the processor makes of samples in, logits and the loss of their answers out.

    Many models (Qwen-VL, Gemma) take the mean over what they are given at a time, however many
    tokens of the batch that is; then a batch in pieces, or on several devices, would weigh tokens
    otherwise than the same batch in one.
    """

    accepts_loss_kwargs = True  # which transformers' Trainer asks for

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def gradient_checkpointing_enable(self, **settings: Any) -> None:
        """Trade time for memory."""
        self.model.gradient_checkpointing_enable(**settings)

    def forward(self, labels: Tensor, num_items_in_batch: Any = None, **given: Any) -> Any:
        """Return the logits, and the sum over the labels of their losses by the items of the batch.

        Without `num_items_in_batch` it is the mean over the labels (n, length) that are given.
        """
        logits = self.model(**given, use_cache=False).logits
        loss = ForCausalLMLoss(
            logits, labels, vocab_size=logits.shape[-1], num_items_in_batch=num_items_in_batch
        )
        return CausalLMOutput(loss=loss, logits=logits)
