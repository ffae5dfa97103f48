"""Loads causal language models through transformers, and reads their next-token chances."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ig4.core.contracts import Options
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.plugins.models import hardware
from ig4.plugins.models.hub import check_device, offline_if_unreachable
from ig4.plugins.models.loading import explain_loading_errors, quiet_transformers
from ig4.plugins.models.rewardmodels import folder_of


class CausalModelOptions(Options):
    """How precise a causal language model is, where it runs, and how much it reads."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 or fp16 on a GPU, fp32 on a processor."
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1, mps."
    )
    cache_dir: str | None = Field(None, description="Folder for downloaded weights.")
    max_length: int | None = Field(
        None, ge=16, description="Most tokens of a prompt; by default what the model can read."
    )
    batch_size: int = Field(
        256, ge=1, description="Samples sorted, scored and committed at a time."
    )
    forward_batch_size: int = Field(8, ge=1, description="Prompts in one forward pass.")

    @property
    def resolved_device(self) -> str:
        """The torch device in use."""
        return hardware.device(self.device)

    @property
    def resolved_precision(self) -> hardware.Precision:
        """The precision in use; on a processor fp32."""
        if self.precision == "auto" and self.resolved_device == "cpu":
            return "fp32"
        return hardware.precision(self.precision, self.resolved_device)


class DigitModel:
    """A causal language model on its device, asked for the chances of digits after a prompt."""

    def __init__(self, model: Any, tokenizer: Any, options: CausalModelOptions, name: str) -> None:
        self.options = options
        self._model = model
        self._tokenizer = tokenizer
        self._name = name
        accepted = inspect.signature(model.forward).parameters
        self._accepts = {name for name in ("position_ids", "logits_to_keep") if name in accepted}

    def digit_logprobs(self, prompts: Sequence[str], levels: int) -> list[list[float] | str]:
        """Return for each prompt the natural log-probabilities (k,) of the digits 1 to `levels`.

        They are those of the next token, among all tokens. A prompt that is longer than the model
        can read gets the reason instead: nothing is cut off it.

        Raises:
            UsageError: the tokenizer has no token for a digit.
        """
        ids = self._digit_ids(levels)
        encoded = [self._encode(prompt) for prompt in prompts]
        result: list[list[float] | str] = [
            f"the prompt has {len(one):,} tokens, and {self._name} reads {self._limit:,}"
            for one in encoded
        ]
        fitting = [at for at, one in enumerate(encoded) if len(one) <= self._limit]
        # Prompts of similar length share a forward pass.
        fitting.sort(key=lambda at: len(encoded[at]), reverse=True)
        for rows in _cut(fitting, self.options.forward_batch_size):
            found = self._forward([encoded[at] for at in rows], ids)
            for at, row in zip(rows, found, strict=True):
                result[at] = row
        return result

    @property
    def _limit(self) -> int:
        own = getattr(self._model.config, "max_position_embeddings", None) or 10**9
        return min(own, self._tokenizer.model_max_length or 10**9, self.options.max_length or 10**9)

    def _encode(self, prompt: str) -> list[int]:
        # No tokenizer accepts lone surrogates.
        text = prompt.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids: list[int] = self._tokenizer(text)["input_ids"]
        return ids

    def _digit_ids(self, levels: int) -> list[int]:
        """Return the token of each digit as it stands at the start of a line."""
        ids = []
        for digit in map(str, range(1, levels + 1)):
            number = self._tokenizer.convert_tokens_to_ids(digit)
            if number is None or number == self._tokenizer.unk_token_id:
                raise UsageError(
                    f"the tokenizer of {self._name} has no token for the digit {digit}: name "
                    "another model"
                )
            ids.append(int(number))
        return ids

    def _forward(self, rows: Sequence[Sequence[int]], digits: Sequence[int]) -> list[list[float]]:
        """Return the log-probabilities of digits after each row, padded on the left."""
        import torch

        longest = max(map(len, rows))
        device = self.options.resolved_device
        # What stands at padded places means nothing: no place attends to it.
        tokens = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for n, row in enumerate(rows):
            tokens[n, longest - len(row) :] = torch.tensor(row)
            mask[n, longest - len(row) :] = 1
        more: dict[str, Any] = {}
        if "position_ids" in self._accepts:
            more["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0).to(device)
        if "logits_to_keep" in self._accepts:
            more["logits_to_keep"] = 1
        with torch.inference_mode():
            output = self._model(
                input_ids=tokens.to(device), attention_mask=mask.to(device), use_cache=False, **more
            )
            chances = output.logits[:, -1].float().log_softmax(-1)
        found: list[list[float]] = chances[:, list(digits)].tolist()
        return found


def load_digit_model(
    name: str, revision: str | None, options: CausalModelOptions, *, component: str, option: str
) -> DigitModel:
    """Return a causal language model of the hub or a folder; code that comes with it never runs.

    `option` is where its name comes from, as in `deita-local.model`, and `component` whose.

    Raises:
        PrerequisiteError: weights or device are not there.
    """
    import torch
    import transformers

    loaders: Any = transformers  # whose types depend on what is installed
    device, folder = options.resolved_device, folder_of(name)
    check_device(device, requested=options.device, component=component)
    check_folder(folder)
    shared: dict[str, Any] = {"cache_dir": options.cache_dir, "trust_remote_code": False}
    if revision is not None:
        shared["revision"] = revision

    def explain(message: str) -> str:
        return _explanation(name, folder, option, message)

    with (
        quiet_transformers(),
        explain_loading_errors(name, device, explain),
        offline_if_unreachable(local=folder is not None),
    ):
        tokenizer = loaders.AutoTokenizer.from_pretrained(str(folder or name), **shared)
        model, info = loaders.AutoModelForCausalLM.from_pretrained(
            str(folder or name), output_loading_info=True, **shared
        )
    if info["missing_keys"]:  # transformers would go on with random numbers in their place
        missing = sorted(info["missing_keys"])
        raise PrerequisiteError(
            f"{folder or name} is of another architecture, or not complete: {len(missing)} weights "
            f"are missing, the first is {missing[0]}"
        )
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    model.to(device, dtypes[options.resolved_precision])
    model.eval().requires_grad_(requires_grad=False)
    return DigitModel(model, tokenizer, options, name)


def check_folder(folder: Path | None) -> None:
    """Check that a model's folder exists, where it has one.

    Raises:
        PrerequisiteError: it does not.
    """
    if folder is not None and not folder.is_dir():
        raise PrerequisiteError(f"{folder}: there is no such folder; name the model's own")


def _explanation(name: str, folder: Path | None, option: str, message: str) -> str:
    if folder is not None:
        return f"{folder} holds no causal language model that transformers can load: {message}"
    return (
        f"the weights of {name} are not on this machine and cannot be downloaded. Run once with a "
        f"network, or name a folder, -o {option}=/path/to/model, or copy the Hugging Face cache of "
        f"another machine and set HF_HOME. The download said: {message[:200]}"
    )


def _cut(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
