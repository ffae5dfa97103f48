"""Vectors of texts without a model: hashed TF-IDF and a truncated SVD, fitted to the data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core.contracts import Needs, Options, PoolEmbedder
from ig4.plugins.embedders.tfidf.model import TfidfModel, fit
from ig4.plugins.embedders.tfidf.terms import TermCounter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import Sample

_CHUNK = 8192
_KEPT_CHARACTERS = 1 << 27  # of texts that are read once and not twice


class TextOptions(Options):
    """Options of the embedder `text`."""

    reads: Literal["instruction", "answer", "text"] = Field(
        "text", description="What is read: instruction, answer, or text (both)."
    )
    features: int = Field(
        1 << 16, ge=16, le=1 << 22, description="Into how many features terms are hashed."
    )
    dims: int = Field(128, ge=1, le=2048, description="Numbers of a vector.")
    ngrams: int = Field(2, ge=1, le=4, description="Words of the longest term.")
    fit_texts: int = Field(
        20_000, ge=2, description="How many distinct texts the weights are learned from, at most."
    )


class Text(PoolEmbedder):
    """Latent semantic analysis (Deerwester et al. 1990) on hashed terms.

    The texts that it learns from are those with the least hashes: a sample of the distinct texts
    that does not depend on their order. An empty text has no vector.
    """

    version = "1"
    Options = TextOptions
    options: TextOptions

    def needs(self) -> Needs:
        """Samples."""
        return Needs(samples=True)

    def embed_pool(self, pool: Pool) -> NDArray[np.float32]:
        """Return (n, d) float32, d at most `dims`; NaN for samples whose text is empty."""
        options = self.options
        counter = TermCounter(options.features, options.ngrams)
        learned, texts = self._survey(pool)
        model = fit(counter.count(learned), options.features, options.dims)
        vectors = np.full((pool.n, model.directions.shape[1]), np.nan, dtype=np.float32)
        row = 0
        chunk: list[str] = []
        for text in texts if texts is not None else self._texts(pool):
            chunk.append(text)
            if len(chunk) == _CHUNK:
                row = _fill(vectors, row, chunk, counter, model)
                chunk = []
        _fill(vectors, row, chunk, counter, model)
        return vectors

    def _texts(self, pool: Pool) -> Iterator[str]:
        reads = self.options.reads
        for sample in pool.samples:
            yield _text_of(sample, reads)

    def _survey(self, pool: Pool) -> tuple[list[str], list[str] | None]:
        """Return the texts to learn from, by their hashes, and all texts if these are few."""
        kept: dict[bytes, str] = {}
        seen: list[str] | None = []
        characters = 0
        most = self.options.fit_texts
        limit: bytes | None = None
        for text in self._texts(pool):
            if seen is not None:
                seen.append(text)
                characters += len(text)
                seen = seen if characters <= _KEPT_CHARACTERS else None
            if not text.strip():
                continue
            digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if limit is None or digest <= limit:
                kept[digest] = text
                if len(kept) >= 2 * most:
                    kept = dict(sorted(kept.items())[:most])
                    limit = next(reversed(kept))
        return [text for _, text in sorted(kept.items())[:most]], seen


def _text_of(sample: Sample, reads: str) -> str:
    if reads == "instruction":
        return sample.instruction
    if reads == "answer":
        return sample.answer
    return f"{sample.instruction}\n{sample.answer}"


def _fill(
    vectors: NDArray[np.float32],
    row: int,
    texts: list[str],
    counter: TermCounter,
    model: TfidfModel,
) -> int:
    """Write the vectors of texts from a row on; equal texts are looked at once."""
    distinct = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    if distinct:
        made = model.transform(counter.count(list(distinct)))
        made[[not text.strip() for text in distinct]] = np.nan
        vectors[row : row + len(texts)] = made[[distinct[text] for text in texts]]
    return row + len(texts)
