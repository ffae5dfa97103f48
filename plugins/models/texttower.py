"""Text towers of CLIP models: which may be run on fewer positions than their context, and how.

A causal tower lets no position see a later one. Where it is also read off at the text's end
token, what comes after that token changes nothing, and texts may be cut to the longest of their
batch: several times less work than always 77 positions.
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

    `module` is the model's `encode_text` as a module around it. `path` is where the tower hangs
    in the model ("" or "text."); None where it must always get its whole context. `end_id` is
    the end token's id where that is not simply the greatest id of a text.
    """

    module: torch.nn.Module
    path: str | None = None
    end_id: int | None = None

    def ends(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return how many positions (n,) decide each text's embedding."""
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
        # open_clip adds all rows of these to whatever it is given; so it is given fewer rows.
        short = {
            f"{name}positional_embedding": tower.positional_embedding[:length],
            f"{name}attn_mask": tower.attn_mask[:length, :length],
        }
        embeddings: torch.Tensor = functional_call(self.module, short, (tokens[:, :length],))
        return embeddings


def text_tower(model: Any) -> TextTower:
    """Look at a loaded open_clip model's text tower.

    It may be cut only if it is open_clip's own plain tower, causal by its mask, and pooled at
    its end token. SigLIP, CoCa and Hugging Face towers always get their whole context.
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
    """Let open_clip's plain text blocks run on (length, n, width) inside, for speed alone.

    Given (n, length, width), torch's attention turns it around by a view, and multiplies that
    with a copy of the weights for each text: ViT-B-32's texts took 1.1 times as long in fp32 and
    1.6 times in bf16. The vision tower, with fewer and longer rows, gains nothing by this.
    """
    from open_clip.transformer import ResidualAttentionBlock, Transformer

    # The text tower of plain CLIP lies open in the model.
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
    """Tell of each text whether its tokens (n, context) had to leave some of it out.

    Asks the tokenizer again with one position more: a text that fits leaves that one padded.
    """
    context = tokens.shape[1]
    padding = int(tokenizer([""], context_length=context + 1)[0, -1])
    cut = [False] * len(texts)
    # Padding may be the id of a word too ("!" in CLIP), so the last place is only a first hint.
    full = [at for at, last in enumerate(tokens[:, -1].tolist()) if last != padding]
    if full:
        wider = tokenizer([texts[at] for at in full], context_length=context + 1)
        for at, last in zip(full, wider[:, -1].tolist(), strict=True):
            cut[at] = last != padding
    return cut
