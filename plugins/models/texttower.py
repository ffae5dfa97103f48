"""Text towers of CLIP models: which of them can run on fewer positions than their context.

In a causal tower no position sees a later one. If its embedding is also that of the text's end
token, what follows this token changes nothing, and texts can be cut to the longest of their batch:
several times less work than always 77 positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class TextTower:
    """How to encode token ids (n, length) of one model.

    `module` wraps the model's `encode_text`. `path` is the tower's place in the model ("" or
    "text."); None if it always needs its whole context. `end_id` is the id of the end token where
    that is not simply the greatest id of a text.
    """

    module: torch.nn.Module
    path: str | None = None
    end_id: int | None = None

    def ends(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the number of positions (n,) that each text's embedding depends on."""
        if self.path is None:
            return tokens.new_full((len(tokens),), tokens.shape[1])
        chosen = tokens if self.end_id is None else (tokens == self.end_id).int()
        return chosen.argmax(dim=-1) + 1

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return embeddings (n, d), not normalised, cutting tokens where the tower allows it."""
        if self.path is None:
            whole: torch.Tensor = self.module(tokens)
            return whole
        from torch.func import functional_call

        length = int(self.ends(tokens).max())
        name = f"model.{self.path}"
        tower: Any = self.module.get_submodule(name.rstrip("."))
        # open_clip adds all rows of these to its input, so pass it fewer rows.
        short = {
            f"{name}positional_embedding": tower.positional_embedding[:length],
            f"{name}attn_mask": tower.attn_mask[:length, :length],
        }
        embeddings: torch.Tensor = functional_call(self.module, short, (tokens[:, :length],))
        return embeddings


def text_tower(model: Any) -> TextTower:
    """Return the text tower of a loaded open_clip model.

    Its texts can be cut only if it is open_clip's own plain tower, causal by its mask, and pooled
    at its end token. SigLIP, CoCa and Hugging Face towers always get their whole context.
    """
    import open_clip
    from open_clip.transformer import TextTransformer

    module = _text_only(model)
    if type(model) is open_clip.CLIP:
        path, tower, pool, end_id = "", model, model.text_pool_type, "text_eos_id"
    elif type(model) is open_clip.CustomTextCLIP and type(model.text) is TextTransformer:
        path, tower, pool, end_id = "text.", model.text, model.text.pool_type, "eos_id"
    else:
        return TextTower(module)
    pads = getattr(tower, "use_pad_mask", False) or getattr(tower, "output_tokens", False)
    extra = getattr(tower, "cls_emb", None) is not None
    if pads or extra or pool not in ("argmax", "eos") or not _is_causal(tower.attn_mask):
        return TextTower(module)
    return TextTower(module, path, getattr(tower, end_id) if pool == "eos" else None)


def use_sequence_first(model: Any) -> None:
    """Make open_clip's plain text blocks run on (length, n, width) inside, for speed alone.

    Given (n, length, width), torch's attention turns it around by a view, and multiplies that
    with a copy of the weights for each text: ViT-B-32's texts took 1.1 times as long in fp32 and
    1.6 times in bf16. The vision tower, with fewer and longer rows, gains nothing by this.
    """
    from open_clip.transformer import ResidualAttentionBlock, Transformer

    # In plain CLIP the model itself is the text tower.
    tower = model.text if hasattr(model, "text") else model.transformer
    for part in tower.modules():
        if isinstance(part, Transformer):
            blocks: list[Any] = list(part.resblocks)
            if all(type(block) is ResidualAttentionBlock for block in blocks):
                part.batch_first = False
                for block in blocks:
                    block.attn.batch_first = False


def _is_causal(mask: torch.Tensor | None) -> bool:
    import torch

    if mask is None:
        return False
    later = torch.ones_like(mask, dtype=torch.bool).triu(1)
    return bool(torch.isneginf(mask[later]).all())


def _text_only(model: Any) -> torch.nn.Module:
    """Return a module whose forward is the model's `encode_text`, as functional_call needs it."""
    import torch

    class TextOnly(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            encoded: torch.Tensor = self.model.encode_text(tokens)
            return encoded

    return TextOnly()


def find_truncated(tokenizer: Any, texts: Sequence[str], tokens: torch.Tensor) -> list[bool]:
    """Return for each text whether its tokens (n, context) are truncated.

    Tokenises again with one more position: a text that fits leaves it padded.
    """
    context = tokens.shape[1]
    padding = int(tokenizer([""], context_length=context + 1)[0, -1])
    cut = [False] * len(texts)
    # Padding may also be the id of a word ("!" in CLIP), so the last position is only a hint.
    full = [at for at, last in enumerate(tokens[:, -1].tolist()) if last != padding]
    if full:
        wider = tokenizer([texts[at] for at in full], context_length=context + 1)
        for at, last in zip(full, wider[:, -1].tolist(), strict=True):
            cut[at] = last != padding
    return cut
