"""Loads language models, and vision-language models, through transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from ig4.core.errors import MissingExtraError, PrerequisiteError
from ig4.plugins.models.hardware import Precision
from ig4.plugins.models.hub import offline_if_unreachable
from ig4.plugins.models.loading import one_line, quiet_transformers
from ig4.plugins.training.memory import is_out_of_memory
from ig4.plugins.training.options import TrainingOptions, existing_path

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def load(
    auto_class: Any,
    name_or_path: str,
    options: TrainingOptions,
    *,
    dtype: torch.dtype,
    option: str,
    unquantized: Sequence[str] | None = None,
) -> Any:
    """Return `auto_class.from_pretrained` of a folder or a name on the hub; its code never runs.

    `option` names the option that `name_or_path` comes from, for messages. If the options ask for
    quantisation, the modules `unquantized` stay as they are; None quantises nothing.

    Raises:
        PrerequisiteError: the weights are not there, or do not fit.
        MissingExtraError: quantising needs bitsandbytes.
    """
    folder = existing_path(name_or_path)
    quantization: dict[str, Any] = {}
    if unquantized is not None and options.quantize != "none":
        quantization["quantization_config"] = _quantization(options, list(unquantized))
        quantization["device_map"] = {"": options.resolved_device}
    with (
        quiet_transformers(),
        explain_errors(name_or_path, folder, option),
        offline_if_unreachable(local=folder is not None),
    ):
        model, info = auto_class.from_pretrained(
            str(folder or name_or_path), dtype=dtype, cache_dir=options.cache_dir,
            trust_remote_code=False, output_loading_info=True, **quantization,
        )  # fmt: skip
    missing = sorted(info["missing_keys"])
    if missing:  # transformers would go on with random numbers in their place
        raise PrerequisiteError(
            f"{folder or name_or_path} is of another architecture, or not complete: {len(missing)} "
            f"weights of a {type(model).__name__} are missing, the first is {missing[0]}"
        )
    return model


def load_config(name_or_path: str, options: TrainingOptions, *, option: str) -> Any:
    """Return a model's configuration, which is all that `--dry-run` reads of it.

    Raises:
        PrerequisiteError: it is not there.
    """
    from transformers import AutoConfig

    folder = existing_path(name_or_path)
    with (
        quiet_transformers(),
        explain_errors(name_or_path, folder, option),
        offline_if_unreachable(local=folder is not None),
    ):
        return AutoConfig.from_pretrained(
            str(folder or name_or_path), cache_dir=options.cache_dir, trust_remote_code=False
        )


_LLAMA: dict[str, dict[str, Any]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
           "num_attention_heads": 32},
    "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
            "num_attention_heads": 40},
}  # fmt: skip
"""The sizes of Llama and Vicuna; vocabulary 32,000."""


def llama_config(
    name_or_path: str, options: TrainingOptions, *, option: str
) -> tuple[Any, str | None]:
    """Return a language model's configuration; Llama's of its size where it is missing.

    The second value is a note that says so, for a `--dry-run` that has no weights to read.

    Raises:
        PrerequisiteError: it is not there, and its name does not tell its size.
    """
    from transformers import LlamaConfig

    try:
        return load_config(name_or_path, options, option=option), None
    except PrerequisiteError:
        size = next((size for size in ("13b", "7b") if size in name_or_path.lower()), None)
        if size is None or existing_path(name_or_path) is not None:
            raise
        note = (
            f"{name_or_path} is not on this machine: counted with the sizes of Llama {size.upper()}"
        )
        return LlamaConfig(vocab_size=32_000, **_LLAMA[size]), note


def precision_context(device: str, precision: Precision) -> AbstractContextManager[Any]:
    """Return the context in which a model answers: autocast, unless in fp32."""
    if precision == "fp32":
        return nullcontext()
    kind = device.partition(":")[0]
    return torch.autocast(kind, dtype=DTYPES[precision])


def _quantization(options: TrainingOptions, unquantized: list[str]) -> Any:
    try:
        import bitsandbytes  # noqa: F401 - transformers needs it, and says so less clearly
    except ImportError as error:
        raise MissingExtraError(
            f'quantize = "{options.quantize}" needs bitsandbytes: pip install "ig4[quantize]"'
        ) from error
    from transformers import BitsAndBytesConfig

    if options.quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=unquantized or None)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        llm_int8_skip_modules=unquantized or None,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[options.resolved_precision],
    )


@contextmanager
def explain_errors(name_or_path: str, folder: Path | None, option: str) -> Iterator[None]:
    """Turn what goes wrong while loading into one sentence that says what to do."""
    try:
        yield
    except PrerequisiteError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise  # the caller says what to do
        message = one_line(error)
        if folder is not None:
            raise PrerequisiteError(
                f"{folder} holds no model that can be loaded here: {message}"
            ) from error
        raise PrerequisiteError(
            f"{name_or_path} is not on this machine and cannot be downloaded. Run once with a "
            f"network, name a folder with -o {option}=/path/to/model, or copy the Hugging Face "
            f"cache of another machine and set HF_HOME. The download said: {message[:200]}"
        ) from error
