"""Texts as CLIP models see them: their first sentences, or all of a text, cut to the context."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ig4.plugins.models.texttower import find_truncated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.plugins.models.openclip import ClipModel


class EncodedText(NamedTuple):
    """A text's normalised embedding (d,) float32, and whether the text was too long for it."""

    vector: NDArray[np.float32]
    truncated: bool


def sentences_of(text: str, most: int) -> tuple[str, ...]:
    """Return the first sentences of a text that are not blank: split at "." as the authors do."""
    sentences = (sentence.strip() for sentence in text.split("."))
    return tuple(islice(filter(None, sentences), most))


def encode_texts(clip: ClipModel, texts: Sequence[str], batch_size: int) -> dict[str, EncodedText]:
    """Return the embedding of each text, once each; of what is too long, of its beginning."""
    if not texts:
        return {}
    tokens = clip.tokenizer(list(texts))
    truncated = find_truncated(clip.tokenizer, texts, tokens)
    # Texts of similar length share a batch, which is cut to its longest text.
    order = clip.text.ends(tokens).argsort(stable=True)
    encoded: dict[str, EncodedText] = {}
    for start in range(0, len(texts), batch_size):
        part = order[start : start + batch_size]
        vectors = clip.encode_texts(tokens[part]).numpy()
        for at, vector in zip(part.tolist(), vectors, strict=True):
            # A copy: a row would keep its whole batch in memory.
            encoded[texts[at]] = EncodedText(vector.copy(), truncated[at])
    return encoded
