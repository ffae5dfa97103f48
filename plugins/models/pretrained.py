"""Loads language models through transformers, and says in a sentence why that did not work."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from ig4.core.errors import MissingExtraError, PrerequisiteError
from ig4.plugins.models.hardware import Precision
from ig4.plugins.models.hub import straight_to_cache
from ig4.plugins.training.memory import ran_out
from ig4.plugins.training.options import TrainingOptions, path_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def load(auto: Any, place: str, options: TrainingOptions, *, dtype: torch.dtype, option: str,
         exact: Sequence[str] | None = None) -> Any:  # fmt: skip
    """Return `auto.from_pretrained` of a folder or a name on the hub; no code of it is run.

    `option` names the option that `place` comes from, for messages. Where the options say that the
    model is to be quantised, the modules `exact` are left as they are; None quantises nothing.

    Raises:
        PrerequisiteError: the weights are not there, or do not fit.
        MissingExtraError: quantising needs bitsandbytes.
    """
    folder = path_of(place)
    more: dict[str, Any] = {}
    if exact is not None and options.quantize != "none":
        more["quantization_config"] = _quantization(options, list(exact))
        more["device_map"] = {"": options.resolved_device}
    with (
        quiet_transformers(),
        explain_errors(place, folder, option),
        straight_to_cache(local=folder is not None),
    ):
        model, found = auto.from_pretrained(
            str(folder or place), dtype=dtype, cache_dir=options.cache_dir,
            trust_remote_code=False, output_loading_info=True, **more,
        )  # fmt: skip
    lacking = sorted(found["missing_keys"])
    if lacking:  # transformers would go on with random numbers in their place
        raise PrerequisiteError(
            f"{folder or place} is of another architecture, or not complete: {len(lacking)} "
            f"weights of a {type(model).__name__} are missing, the first is {lacking[0]}"
        )
    return model


def config_of(place: str, options: TrainingOptions, *, option: str) -> Any:
    """Return a model's configuration, which is all that `--dry-run` reads of it.

    Raises:
        PrerequisiteError: it is not there.
    """
    from transformers import AutoConfig

    folder = path_of(place)
    with (
        quiet_transformers(),
        explain_errors(place, folder, option),
        straight_to_cache(local=folder is not None),
    ):
        return AutoConfig.from_pretrained(
            str(folder or place), cache_dir=options.cache_dir, trust_remote_code=False
        )


_LLAMA: dict[str, dict[str, Any]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
           "num_attention_heads": 32},
    "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
            "num_attention_heads": 40},
}  # fmt: skip
"""The sizes of Llama and Vicuna; vocabulary 32,000."""


def llama_config(place: str, options: TrainingOptions, *, option: str) -> tuple[Any, str | None]:
    """Return a language model's configuration; where it cannot be had, Llama's of its size.

    The second value says so, for a `--dry-run` that has no weights to read.

    Raises:
        PrerequisiteError: it is not there, and its name does not tell its size.
    """
    from transformers import LlamaConfig

    try:
        return config_of(place, options, option=option), None
    except PrerequisiteError:
        size = next((size for size in ("13b", "7b") if size in place.lower()), None)
        if size is None or path_of(place) is not None:
            raise
        note = f"{place} is not on this machine: counted with the sizes of Llama {size.upper()}"
        return LlamaConfig(vocab_size=32_000, **_LLAMA[size]), note


def precision_context(device: str, precision: Precision) -> AbstractContextManager[Any]:
    """Return the context in which a model answers: autocast, unless in fp32."""
    if precision == "fp32":
        return nullcontext()
    kind = device.partition(":")[0]
    return torch.autocast(kind, dtype=DTYPES[precision])


def _quantization(options: TrainingOptions, exact: list[str]) -> Any:
    try:
        import bitsandbytes  # noqa: F401 - transformers needs it, and says so less clearly
    except ImportError as error:
        raise MissingExtraError(
            f'quantize = "{options.quantize}" needs bitsandbytes: pip install "ig4[quantize]"'
        ) from error
    from transformers import BitsAndBytesConfig

    if options.quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=exact or None)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        llm_int8_skip_modules=exact or None,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[options.resolved_precision],
    )


@contextmanager
def explain_errors(place: str, folder: Path | None, option: str) -> Iterator[None]:
    """Turn what goes wrong while loading into one sentence that says what to do."""
    try:
        yield
    except PrerequisiteError:
        raise
    except Exception as error:
        if ran_out(error):
            raise  # whoever asked for the model says what to do
        told = " ".join(str(error).split())[:300] or type(error).__name__
        if folder is not None:
            raise PrerequisiteError(
                f"{folder} holds no model that can be loaded here: {told}"
            ) from error
        raise PrerequisiteError(
            f"{place} is not on this machine and cannot be downloaded. Run once with a network, "
            f"name a folder with -o {option}=/path/to/model, or copy the Hugging Face cache of "
            f"another machine and set HF_HOME. The download said: {told[:200]}"
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' bars and log lines off the terminal while it loads."""
    import transformers

    told: Any = transformers.utils.logging  # untyped
    bars = told.is_progress_bar_enabled()
    disabled = logging.root.manager.disable
    told.disable_progress_bar()
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.disable(disabled)
        if bars:
            told.enable_progress_bar()
