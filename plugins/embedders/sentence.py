"""Vectors of texts by sentence encoders, as sentence-transformers publishes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ig4.core.contracts import Embedder
from ig4.core.contracts.embedder import Reads
from ig4.core.errors import UsageError
from ig4.plugins.models.encoders import (
    EncoderOptions,
    accepted,
    by_length,
    encoder_identity,
    load_encoder,
    read_settings,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON

_UNLIMITED = 10**6
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_OTHER_POOLINGS = ("pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens")


class SentenceOptions(EncoderOptions):
    """Options of the embedder `sentence`."""

    model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        description="Sentence encoder of the Hugging Face hub, or a folder.",
    )
    reads: Literal["instruction", "answer", "text"] = Field(
        "text", description="What is read: instruction, answer, or text (both)."
    )
    pooling: Literal["auto", "mean", "cls", "last", "max"] = Field(
        "auto", description="How tokens become one vector; auto: as the model's files say, or mean."
    )
    normalize: bool | None = Field(
        None, description="Divide vectors by their lengths; by default as the model's files say."
    )
    prompt: str | None = Field(
        None, description="What is put before each text; by default the model's default prompt."
    )
    max_length: int | None = Field(
        None,
        ge=4,
        description="Tokens that are read of a text; by default as the model's files say.",
    )
    batch_size: int = Field(
        256, ge=1, description="Texts sorted, embedded and committed at a time."
    )
    forward_batch_size: int = Field(32, ge=1, description="Texts in one forward pass.")


class Sentence(Embedder):
    """Embeds texts with a sentence encoder; what is longer than it can read is cut at the end.

    Pooling, normalisation, prompt and length are those that the model's sentence-transformers files
    state (modules.json, 1_Pooling, sentence_bert_config.json), where it has such.
    """

    version = "1"
    Options = SentenceOptions
    options: SentenceOptions
    _model: Any = None
    _tokenizer: Any = None
    _pooling: str = "mean"
    _normalize: bool = False
    _prompt: str = ""
    _limit: int = _UNLIMITED

    @property
    def reads(self) -> Reads:
        """What the options say."""
        return self.options.reads

    @property
    def batch_size(self) -> int:
        """How many texts are embedded, and committed, at a time."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, precision, and how texts are read and pooled."""
        kept = ("reads", "pooling", "normalize", "prompt", "max_length")
        return {
            **encoder_identity(self.options, digest),
            **self.options.model_dump(include=set(kept)),
        }

    def open(self) -> None:
        """Load the model.

        Raises:
            PrerequisiteError: weights or device are not there.
            UsageError: the model's files ask for what ig4 does not do.
        """
        model, tokenizer, _ = load_encoder(self.options, "sentence", "AutoTokenizer")
        self._tokenizer = tokenizer
        self._model = model.get_encoder() if model.config.is_encoder_decoder else model
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        self._read_files()

    def close(self) -> None:
        """Free the model."""
        self._model = self._tokenizer = None

    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, d) float32; texts of similar length share a forward pass."""
        texts = [self._prompt + text for text in batch]
        encoded = self._tokenizer(texts, truncation=True, max_length=self._limit)["input_ids"]
        vectors: list[NDArray[np.float32] | None] = [None] * len(texts)
        for places in by_length(list(map(len, encoded)), self.options.forward_batch_size):
            made = self._forward([texts[at] for at in places])
            for at, vector in zip(places, made, strict=True):
                vectors[at] = vector
        return np.stack([vector for vector in vectors if vector is not None])

    def _forward(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        inputs = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._limit, return_tensors="pt"
        ).to(self.options.resolved_device)
        with torch.inference_mode():
            hidden = self._model(**accepted(self._model, inputs)).last_hidden_state.float()
            pooled = pool(hidden, inputs["attention_mask"], self._pooling)
            if self._normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=-1)
        found: NDArray[np.float32] = pooled.cpu().numpy()
        return found

    def _read_files(self) -> None:
        options = self.options
        modules = read_settings(options, "modules.json") or []
        kinds = [str(one.get("type", "")).rpartition(".")[2] for one in modules]
        unknown = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
        if unknown:
            raise UsageError(
                f"{options.model} ends in {unknown[0]}, which the embedder sentence does not "
                "compute; embed with its own library, and `ig4 import-vectors`"
            )
        folder = next(
            (one["path"] for one, kind in zip(modules, kinds, strict=True) if kind == "Pooling"),
            "1_Pooling",
        )
        stated = read_settings(options, f"{folder}/config.json") or {}
        self._pooling = _pooling_of(options, stated)
        given = options.normalize
        self._normalize = "Normalize" in kinds if given is None else given
        prompts = read_settings(options, "config_sentence_transformers.json") or {}
        default = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"))
        self._prompt = (default or "") if options.prompt is None else options.prompt
        if self._prompt and stated.get("include_prompt") is False:
            raise UsageError(
                f"{options.model} leaves its prompt out when it pools, which the embedder sentence "
                "does not; set prompt to an empty text (-o sentence.prompt=)"
            )
        own = (read_settings(options, "sentence_bert_config.json") or {}).get("max_seq_length")
        limits = (
            own,
            options.max_length,
            self._tokenizer.model_max_length,
            getattr(self._model.config, "max_position_embeddings", None),
        )
        self._limit = min([_UNLIMITED, *(limit for limit in limits if limit)])


def _pooling_of(options: SentenceOptions, stated: Mapping[str, Any]) -> str:
    """Return how tokens are pooled: as the options say, else the model's files, else by the mean.

    Raises:
        UsageError: the files ask for another pooling, or for several at once.
    """
    if options.pooling != "auto":
        return options.pooling
    modes = [mode for key, mode in _POOLINGS.items() if stated.get(key)]
    modes += [key for key in _OTHER_POOLINGS if stated.get(key)]
    named = stated.get("pooling_mode")
    if named is not None:
        modes = [{"lasttoken": "last"}.get(str(named), str(named))]
    if not modes:
        return "mean"
    if len(modes) > 1 or modes[0] not in _POOLINGS.values():
        raise UsageError(
            f"{options.model} pools by {', '.join(modes)}, which the embedder sentence does not: "
            "set pooling to mean, cls, last or max (-o sentence.pooling=mean)"
        )
    return modes[0]


def pool(hidden: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """Return one vector (n, d) of the token vectors (n, length, d) that `mask` (n, length) keeps.

    Padding stands on the right, and counts for nothing.
    """
    import torch

    if how == "cls":
        return hidden[:, 0]
    if how == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(dim=1) - 1]
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    if how == "max":
        return hidden.masked_fill(kept == 0, float("-inf")).max(dim=1).values
    return (hidden * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1e-9)
