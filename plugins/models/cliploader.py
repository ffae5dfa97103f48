"""Loads CLIP models through open_clip, and says in a sentence why that did not work."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.suggest import did_you_mean
from ig4.plugins import demo
from ig4.plugins.models.hub import check_device, straight_to_cache
from ig4.plugins.models.precision import lower
from ig4.plugins.models.texttower import sequence_first

if TYPE_CHECKING:
    from ig4.plugins.models.clipoptions import ClipModelOptions


def load(options: ClipModelOptions) -> tuple[Any, Any, Any]:
    """Return open_clip's model, evaluation transform and tokenizer.

    The model is on its device, in its precision, and set to evaluation.

    Raises:
        UsageError: an unknown architecture or tag.
        PrerequisiteError: weights or device are not there.
    """
    import open_clip

    check_device(options.resolved_device, asked=options.device, scorer="clip")
    name, weights = named(options)
    with _quiet(), _explained(options), straight_to_cache(local=options.path is not None):
        model, _, preprocess = open_clip.create_model_and_transforms(
            name,
            pretrained=weights,
            force_quick_gelu=wants_quick_gelu(name, weights),
            cache_dir=options.cache_dir,
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(name, cache_dir=options.cache_dir)
        lower(model, options.resolved_precision)
        sequence_first(model)
        model.to(options.resolved_device)
    model.eval().requires_grad_(requires_grad=False)
    return model, preprocess, tokenizer


def named(options: ClipModelOptions) -> tuple[str, str | None]:
    """Return the architecture and the weights for open_clip, after checking both by name.

    Raises:
        UsageError: an unknown architecture or tag, or no weights are named.
    """
    import open_clip

    if options.tiny:
        open_clip.add_model_config(demo.tiny_clip_config())
    if options.path is not None:
        _check_architecture(options)
        # As a whole path: a file that is called like a tag must not be taken for it.
        return options.architecture, None if options.hosted else str(options.path.resolve())
    if options.hosted:
        return options.architecture, None
    _check_architecture(options)
    tags = open_clip.list_pretrained_tags_by_model(options.architecture)
    if options.tag is None:
        raise UsageError(
            f"say which weights of {options.model} to take: pretrained = a checkpoint file, or one "
            f"of {', '.join(tags) or '(open_clip knows none)'}"
        )
    if options.tag not in tags:
        raise UsageError(
            f"{options.tag!r} is neither a file nor weights of {options.model}"
            f"{did_you_mean(options.tag, tags)} (there are: {', '.join(tags) or 'none'})"
        )
    return options.architecture, options.tag


def _check_architecture(options: ClipModelOptions) -> None:
    import open_clip

    known = open_clip.list_models()
    if not options.hosted and options.architecture not in known:
        raise UsageError(
            f"open_clip has no model {options.model!r}{did_you_mean(options.model, known)} "
            "(see open_clip.list_models(); hf-hub:NAME and local-dir:FOLDER work too)"
        )


def wants_quick_gelu(name: str, weights: str | None) -> bool:
    """Tell whether weights were trained with QuickGELU, whatever their architecture says.

    open_clip only warns of it: "openai" weights in a plain ViT-B-32 would give other scores.
    """
    import open_clip

    known = open_clip.get_pretrained_cfg(name, weights) if weights else None
    return bool((known or {}).get("quick_gelu", False))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip's log lines and warnings off the terminal while it loads."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextmanager
def _explained(options: ClipModelOptions) -> Iterator[None]:
    """Turn what goes wrong while loading into one sentence that says what to do."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise PrerequisiteError(
            f"{options.model} does not fit into the memory of {options.resolved_device}: take a "
            "smaller model, a lower precision, or another device"
        ) from error
    except Exception as error:
        told = " ".join(str(error).split())[:300] or type(error).__name__
        if options.path is None:
            raise PrerequisiteError(_three_ways(options, told)) from error
        if "weights_only" in told or "Weights only" in told:
            told = "it is not a plain checkpoint; save the model's state_dict, or safetensors"
        raise PrerequisiteError(
            f"{options.path} holds no weights that fit {options.model}: {told}"
        ) from error


def _three_ways(options: ClipModelOptions, told: str) -> str:
    return (
        f"the weights of {options.model} ({options.tag or 'its own'}) are not on this machine and "
        "cannot be downloaded. Three ways to get them: run once with a network (they stay in the "
        "cache, or in cache_dir); name a checkpoint file, -o clip.pretrained=/path/to/weights.pt; "
        "or copy the Hugging Face cache of another machine and set HF_HOME (or set HF_ENDPOINT to "
        f"a mirror). The download said: {told[:200]}"
    )
