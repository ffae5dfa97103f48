"""CLIP models through open_clip: loaded once in a process for all components that want them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ig4.core import contracts
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.suggest import did_you_mean
from ig4.plugins import demo, hardware

if TYPE_CHECKING:
    import torch

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON

TINY = "ig4-tiny"
"""The model that ships with ig4, for demonstrations and tests."""

DEFAULT_PRETRAINED: Mapping[str, str] = {
    "ViT-B-32": "laion2b_s34b_b79k",
    "ViT-B-16": "laion2b_s34b_b88k",
    "ViT-L-14": "laion2b_s32b_b82k",
    "ViT-H-14": "laion2b_s32b_b79k",
    "ViT-g-14": "laion2b_s34b_b88k",
    "ViT-bigG-14": "laion2b_s39b_b160k",
}
"""The LAION-2B weights of the usual architectures, taken when no other are named."""

_SCHEMES = ("hf-hub:", "local-dir:")


class ModelOptions(contracts.Options):
    """Which CLIP model, how precise, and where."""

    model: str = Field(
        "ViT-B-32",
        description="open_clip architecture, hf-hub:NAME, local-dir:FOLDER, or ig4-tiny.",
    )
    pretrained: str | None = Field(
        None,
        description="Tag of open_clip, or path of a checkpoint file; by default the LAION-2B tag.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 or fp16 where the hardware is fast at it, else fp32."
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 or mps.")
    cache_dir: str | None = Field(None, description="Folder of downloaded weights.")

    @property
    def weights(self) -> str | None:
        """The tag or file to load; None where the model's name says it all."""
        if self.model == TINY:
            return str(demo.tiny_clip_weights())
        if self.model.startswith(_SCHEMES):
            return None
        return self.pretrained or DEFAULT_PRETRAINED.get(self.model)

    @property
    def resolved_device(self) -> str:
        """The torch device in use."""
        return hardware.device(self.device)

    @property
    def resolved_precision(self) -> hardware.Precision:
        """The precision in use."""
        return hardware.precision(self.precision, self.resolved_device)


def identity(options: ModelOptions, digest: Digest) -> dict[str, JSON]:
    """Return what embeddings depend on: architecture, weights by content, precision."""
    weights = options.weights
    if weights is not None and Path(weights).is_file():
        weights = "sha256:" + digest(Path(weights))
    if options.model.startswith("local-dir:"):
        weights = "sha256:" + digest(Path(options.model.removeprefix("local-dir:")))
    return {
        "model": options.model,
        "weights": weights,
        "precision": options.resolved_precision,
    }


@dataclass(slots=True)
class Clip:
    """A loaded model with what belongs to it."""

    model: Any
    preprocess: Any
    tokenizer: Any
    device: str
    dtype: torch.dtype
    cuts_text: bool

    def encode_images(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return embeddings (n, d) float32 on the CPU, not normalised."""
        import torch

        pixels = torch.stack(list(batch)).to(self.device, self.dtype)
        with torch.inference_mode():
            features: torch.Tensor = self.model.encode_image(pixels).float().cpu()
        return features

    def encode_texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return normalised embeddings (n, d) float32 of token ids (n, length) on the CPU.

        Where the tower allows it, tokens are cut to the longest text first.
        """
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            features: torch.Tensor
            if self.cuts_text:
                ends = int(tokens.argmax(dim=-1).max()) + 1
                features = _encode_cut(self.model, tokens[:, :ends].to(self.device))
            else:
                features = self.model.encode_text(tokens.to(self.device))
            normal: torch.Tensor = functional.normalize(features.float(), dim=-1).cpu()
        return normal


def _encode_cut(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Run open_clip's own text tower on fewer positions than its context.

    Causal attention lets no position see a later one, and the text is read off at its end
    token, so that what comes after it changes nothing.
    """
    import torch

    length = tokens.shape[1]
    dtype = model.transformer.get_cast_dtype()
    x = model.token_embedding(tokens).to(dtype) + model.positional_embedding[:length].to(dtype)
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x)
    x = x[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)]
    projection = model.text_projection
    result: torch.Tensor = x
    if isinstance(projection, torch.nn.Linear):
        result = projection(x)
    elif projection is not None:
        result = x @ projection
    return result


def can_cut_text(model: Any) -> bool:
    """Tell whether text may be cut after its end token without changing its embedding.

    True only for open_clip's plain CLIP with a causal mask that pools at the end token, known
    by its being the greatest id. SigLIP, CoCa and Hugging Face towers are never cut.
    """
    import open_clip
    import torch

    mask = getattr(model, "attn_mask", None)
    return (
        type(model) is open_clip.CLIP
        and getattr(model, "text_pool_type", None) == "argmax"
        and isinstance(mask, torch.Tensor)
        and bool(torch.isneginf(mask[~torch.ones_like(mask).tril().bool()]).all())
    )


_loaded: dict[tuple[Any, ...], tuple[Clip, int]] = {}


def acquire(options: ModelOptions) -> Clip:
    """Return the model of these options, loading it if no other component has.

    Give it back with `release`.

    Raises:
        UsageError: an unknown architecture or tag.
        PrerequisiteError: weights or device are not there.
    """
    key = _key(options)
    clip, users = _loaded[key] if key in _loaded else (_load(options), 0)
    _loaded[key] = (clip, users + 1)
    return clip


def release(options: ModelOptions) -> None:
    """Give a model back; the last one out frees it."""
    key = _key(options)
    if key in _loaded:
        clip, users = _loaded.pop(key)
        if users > 1:
            _loaded[key] = (clip, users - 1)


def _key(options: ModelOptions) -> tuple[Any, ...]:
    return (
        options.model,
        options.weights,
        options.resolved_precision,
        options.resolved_device,
        options.cache_dir,
    )


def _load(options: ModelOptions) -> Clip:
    import open_clip
    import torch

    _check_device(options.resolved_device)
    name, weights = _named(options)
    precision = options.resolved_precision
    with _quiet(), _explained(options):
        model, _, preprocess = open_clip.create_model_and_transforms(
            name,
            pretrained=weights,
            precision=precision,
            device=options.resolved_device,
            cache_dir=options.cache_dir,
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(name, cache_dir=options.cache_dir)
    model.eval().requires_grad_(requires_grad=False)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return Clip(
        model, preprocess, tokenizer, options.resolved_device, dtypes[precision],
        can_cut_text(model),
    )  # fmt: skip


def _named(options: ModelOptions) -> tuple[str, str | None]:
    """Return the architecture and the weights for open_clip, after checking both by name."""
    import open_clip

    if options.model == TINY:
        open_clip.add_model_config(demo.tiny_clip_config())
        return TINY, options.weights
    if options.model.startswith(_SCHEMES):
        return options.model, None
    known = open_clip.list_models()
    if options.model.replace("/", "-") not in known:
        raise UsageError(
            f"open_clip has no model {options.model!r}{did_you_mean(options.model, known)} "
            "(see open_clip.list_models(); hf-hub:NAME and local-dir:FOLDER work too)"
        )
    tags = open_clip.list_pretrained_tags_by_model(options.model)
    weights = options.weights
    if weights is None:
        raise UsageError(
            f"say which weights of {options.model} to take: pretrained = a checkpoint file, or one "
            f"of {', '.join(tags) or '(open_clip knows none)'}"
        )
    if weights not in tags and not Path(weights).is_file():
        raise UsageError(
            f"{weights!r} is neither a file nor weights of {options.model}"
            f"{did_you_mean(weights, tags)} (there are: {', '.join(tags)})"
        )
    return options.model, weights


def _check_device(device: str) -> None:
    import torch

    kind = device.partition(":")[0]
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if (kind == "cuda" and not cuda) or (kind == "mps" and not mps):
        raise PrerequisiteError(
            f'torch cannot use the device {device!r} here: set device = "cpu" (-o clip.device=cpu)'
        )


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
def _explained(options: ModelOptions) -> Iterator[None]:
    """Turn what goes wrong while loading into one sentence that says what to do."""
    weights = options.weights
    is_file = weights is not None and Path(weights).is_file()
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if is_file or options.model.startswith("local-dir:"):
            raise PrerequisiteError(
                f"{weights or options.model} holds no weights that fit {options.model}: "
                f"{first[:300]}"
            ) from error
        raise PrerequisiteError(
            f"the weights of {options.model} ({weights or 'its own'}) are not on this machine and "
            "cannot be downloaded. Three ways to get them: run once with a network (they stay in "
            "the cache); name a checkpoint file, -o clip.pretrained=/path/to/weights.pt; or copy "
            "the Hugging Face cache of another machine and set HF_HOME (or set HF_ENDPOINT to a "
            f"mirror). The download said: {first[:200]}"
        ) from error
