"""A vision-language model of transformers, with one loss for all of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.loss.loss_utils import ForCausalLMLoss
from transformers.modeling_outputs import CausalLMOutput


class AnswerModel(nn.Module):
    """Takes the processor's tensors and returns logits and the loss of the answers.

    Many models (Qwen-VL, Gemma) return the mean over each forward pass, however many tokens of the
    batch it has. A batch in several micro-batches or on several devices would then weigh tokens
    differently from the same batch in one pass.
    """

    accepts_loss_kwargs = True  # for transformers' Trainer

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def gradient_checkpointing_enable(self, **settings: Any) -> None:
        """Trade time for memory."""
        self.model.gradient_checkpointing_enable(**settings)

    def forward(self, labels: Tensor, num_items_in_batch: Any = None, **given: Any) -> Any:
        """Return the logits, and the sum of the labels' losses divided by `num_items_in_batch`.

        Without `num_items_in_batch` it is the mean over the labels (n, length).
        """
        logits = self.model(**given, use_cache=False).logits
        loss = ForCausalLMLoss(
            logits, labels, vocab_size=logits.shape[-1], num_items_in_batch=num_items_in_batch
        )
        return CausalLMOutput(loss=loss, logits=logits)
