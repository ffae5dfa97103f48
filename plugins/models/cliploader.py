"""Loads CLIP models through open_clip."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean
from ig4.plugins import demo
from ig4.plugins.models.hub import check_device, offline_if_unreachable
from ig4.plugins.models.loading import explain_loading_errors, quiet_logging
from ig4.plugins.models.precision import cast_model
from ig4.plugins.models.texttower import use_sequence_first

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

    check_device(options.resolved_device, requested=options.device, component="clip")
    name, weights = resolve_weights(options)
    with (
        quiet_logging(),
        explain_loading_errors(
            options.model, options.resolved_device, partial(_explanation, options)
        ),
        offline_if_unreachable(local=options.path is not None),
    ):
        model, _, preprocess = open_clip.create_model_and_transforms(
            name,
            pretrained=weights,
            force_quick_gelu=wants_quick_gelu(name, weights),
            cache_dir=options.cache_dir,
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(name, cache_dir=options.cache_dir)
        cast_model(model, options.resolved_precision)
        use_sequence_first(model)
        model.to(options.resolved_device)
    model.eval().requires_grad_(requires_grad=False)
    return model, preprocess, tokenizer


def resolve_weights(options: ClipModelOptions) -> tuple[str, str | None]:
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


def _explanation(options: ClipModelOptions, message: str) -> str:
    """Return what to do about an error whose own message is `message`."""
    if options.path is not None:
        if "weights_only" in message or "Weights only" in message:
            message = "it is not a plain checkpoint; save the model's state_dict, or safetensors"
        return f"{options.path} holds no weights that fit {options.model}: {message}"
    return (
        f"the weights of {options.model} ({options.tag or 'its own'}) are not on this machine and "
        "cannot be downloaded. Three ways to get them: run once with a network (they stay in the "
        "cache, or in cache_dir); name a checkpoint file, -o clip.pretrained=/path/to/weights.pt; "
        "or copy the Hugging Face cache of another machine and set HF_HOME (or set HF_ENDPOINT to "
        f"a mirror). The download said: {message[:200]}"
    )
