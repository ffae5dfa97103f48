"""Tokenizers of language models: for Llama SentencePiece itself, as in the original code.

MiniGPT-4 and LLaVA were trained with the slow tokenizer of transformers 4: every text that is
tokenised on its own gets SentencePiece's prefix space, and special tokens are split out with the
white space around them. transformers 5 drops the prefix of texts that begin with a space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.hub import offline_if_unreachable
from ig4.plugins.models.loading import one_line


class Tokenizer(Protocol):
    """Turns text into token ids and back; `encode` adds no special tokens."""

    bos_id: int
    eos_id: int
    unk_id: int

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""


class SentencePieceTokenizer:
    """SentencePiece with a `tokenizer.model` and its control tokens."""

    def __init__(self, file: Path) -> None:
        import sentencepiece

        self.model = sentencepiece.SentencePieceProcessor(model_file=str(file))
        self.bos_id: int = self.model.bos_id()
        self.eos_id: int = self.model.eos_id()
        self.unk_id: int = self.model.unk_id()

    @cached_property
    def _special(self) -> tuple[dict[str, int], re.Pattern[str]]:
        ids = {self.model.id_to_piece(i): i for i in (self.bos_id, self.eos_id, self.unk_id)}
        names = "|".join(map(re.escape, ids))
        return ids, re.compile(rf"\s*({names})\s*")

    def encode(self, text: str) -> list[int]:
        """See `Tokens.encode`."""
        special, pattern = self._special
        ids: list[int] = []
        for part in pattern.split(text):
            if part in special:
                ids.append(special[part])
            elif part:
                ids += self.model.encode(part)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokens.decode`; it skips ids beyond the vocabulary (rows added to a model)."""
        control, top = set(self._special[0].values()), self.model.get_piece_size()
        kept = [int(i) for i in ids if int(i) not in control and 0 <= int(i) < top]
        text: str = self.model.decode(kept)
        return text


class FastTokenizer:
    """The tokenizer of a model without a `tokenizer.model`, such as Llama 3."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        eos = tokenizer.eos_token_id
        self.eos_id: int = eos
        self.bos_id: int = eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        self.unk_id: int = eos if tokenizer.unk_token_id is None else tokenizer.unk_token_id

    def encode(self, text: str) -> list[int]:
        """See `Tokens.encode`."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokens.decode`."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text


def load_tokenizer(model: str, *, cache_dir: Path | None = None) -> Tokenizer:
    """Return the tokenizer of a language model, by its folder or its name on the hub.

    Raises:
        PrerequisiteError: it has no tokenizer that can be read.
    """
    from transformers import AutoTokenizer
    from transformers.utils.hub import cached_file

    try:
        with offline_if_unreachable(local=Path(model).exists()):
            file = cached_file(
                model,
                "tokenizer.model",
                cache_dir=cache_dir,
                _raise_exceptions_for_missing_entries=False,
            )
            if file is not None:
                return SentencePieceTokenizer(Path(file))
            return FastTokenizer(AutoTokenizer.from_pretrained(model, cache_dir=cache_dir))
    except Exception as error:
        message = one_line(error, 200)
        raise PrerequisiteError(f"the tokenizer of {model} cannot be loaded: {message}") from error


def stop_sequences(tokenizer: Tokenizer, end: str) -> list[list[int]]:
    """Return the ids of `end` on its own and after other text; either of them ends a turn.

    For Llama's "###" these are [835] and [2277, 29937].
    """
    alone = tokenizer.encode(end)
    after = tokenizer.encode(f"a{end}")[len(tokenizer.encode("a")) :]
    return [ids for ids in (alone, after) if ids]
