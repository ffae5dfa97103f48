"""The reward score: a reward model's rating of an answer to its instruction."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ig4.core.contracts import Scorer
from ig4.core.engine.selecting.scaling import times_ten
from ig4.core.errors import UsageError
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.models import rewardmodels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON

_ROLES = ("user", "assistant", "system")


class RewardOptions(rewardmodels.RewardModelOptions):
    """Options of the scorer `reward`."""

    chat_template: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Show conversations through the model's chat template; auto: if it has one. "
        "Otherwise the model gets the pair of instruction and answer.",
    )
    max_length: int | None = Field(
        None, ge=8, description="Maximum number of tokens of a text; by default the model's own."
    )
    batch_size: int = Field(
        256, ge=1, description="Samples sorted, scored and committed at a time."
    )
    forward_batch_size: int = Field(16, ge=1, description="Texts in one forward pass.")


@dataclass(frozen=True, slots=True)
class _EncodedText:
    """The model's inputs for a text, and how many of its tokens were left out."""

    inputs: Mapping[str, list[int]]
    truncated: int

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])


class Reward(Scorer):
    """A reward model's one logit for (instruction, answer) (InstructionGPT-4, section 3.1)."""

    version = "1"
    Options = RewardOptions
    options: RewardOptions
    _model: Any = None
    _tokenizer: Any = None

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model (a folder by its content), precision, and how texts are shown to it."""
        folder = self.options.folder
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder; name the reward model's own")
        return {
            "model": "folder" if folder else self.options.model,
            "weights": f"sha256:{digest(folder)}" if folder else self.options.revision,
            "chat_template": self.options.chat_template,
            "max_length": self.options.max_length,
            "precision": self.options.resolved_precision,
        }

    def open(self) -> None:
        """Load the model.

        Raises:
            PrerequisiteError: weights or device are not there.
            UsageError: it is not a reward model, or has no chat template and the options need one.
        """
        self._model, self._tokenizer = rewardmodels.load(self.options)
        if self.options.chat_template == "always" and not self._tokenizer.chat_template:
            raise UsageError(
                f"{self.options.model} has no chat template: use chat_template = never"
            )

    def close(self) -> None:
        """Free the model."""
        self._model = self._tokenizer = None

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return the logit of each sample; texts of similar length share a forward pass."""
        texts = [self._encode(sample) for sample in batch]
        order = sorted(range(len(batch)), key=lambda at: len(texts[at]), reverse=True)
        scores: list[Score | Failure] = [Failure("not yet scored")] * len(batch)
        size = self.options.forward_batch_size
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            logits = self._logits([texts[at] for at in rows])
            for at, logit in zip(rows, logits, strict=True):
                details = {"truncated_tokens": texts[at].truncated} if texts[at].truncated else None
                scores[at] = Score(logit, details)
        return scores

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 10 x logit, the paper's scale."""
        return times_ten(values)

    @property
    def _limit(self) -> int:
        """The maximum number of tokens of a text."""
        own = min(
            getattr(self._model.config, "max_position_embeddings", None) or 10**9,
            self._tokenizer.model_max_length or 10**9,
        )
        return min(own, self.options.max_length or 10**9)

    def _encode(self, sample: Sample) -> _EncodedText:
        limit = self._limit
        template = self._tokenizer.chat_template and self.options.chat_template != "never"
        if template:
            text = self._tokenizer.apply_chat_template(_messages(sample), tokenize=False)
            encoding = self._tokenizer(_valid_unicode(text), add_special_tokens=False)
            length = len(encoding["input_ids"])
            return _EncodedText(
                {name: ids[-limit:] for name, ids in encoding.items()}, _excess(length, limit)
            )
        pair = (_valid_unicode(sample.instruction), _valid_unicode(sample.answer))
        encoding = self._tokenizer(*pair)
        length = len(encoding["input_ids"])
        if length > limit:
            encoding = self._tokenizer(*pair, truncation="longest_first", max_length=limit)
        return _EncodedText(dict(encoding), _excess(length, limit))

    def _logits(self, texts: Sequence[_EncodedText]) -> list[float]:
        import torch
        from transformers import DataCollatorWithPadding

        padded = DataCollatorWithPadding(self._tokenizer)([dict(text.inputs) for text in texts])
        # Some tokenizers return more than their model accepts (token_type_ids).
        accepted = inspect.signature(self._model.forward).parameters
        inputs = {
            name: values.to(self.options.resolved_device)
            for name, values in padded.items()
            if name in accepted
        }
        with torch.inference_mode():
            logits: list[float] = self._model(**inputs).logits.float().flatten().tolist()
        return logits


def _excess(length: int, limit: int) -> int:
    return max(0, length - limit)


def _valid_unicode(text: str) -> str:
    """Return text with lone surrogates replaced, which no tokenizer accepts."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _messages(sample: Sample) -> list[dict[str, str]]:
    """Return a sample as the messages that chat templates take."""
    turns = [(turn.role, turn.text) for turn in sample.turns if turn.role in _ROLES]
    turns = turns or [("user", sample.instruction), ("assistant", sample.answer)]
    return [{"role": role, "content": text} for role, text in turns]
