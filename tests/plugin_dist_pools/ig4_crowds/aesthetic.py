"""Scores how beautiful an image is: a linear head on its CLIP vector, as LAION's is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from ig4.core.contracts import Digest, Options, Scorer
from ig4.core.records import JSON, Choice, Failure, Sample, Score


class BeautyOptions(Options):
    """The model of the vectors, and the head."""

    model: str = Field("ViT-L-14", description="open_clip's name of the model.")
    seed: int = Field(0, description="Of the head; a real one would be a file of weights.")


class Beauty(Scorer):
    """The dot product of a unit CLIP vector and a unit head, -1 to 1."""

    version = "1"
    needs_answer = False
    Options = BeautyOptions
    options: BeautyOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """What the results depend on."""
        return {"model": self.options.model, "seed": self.options.seed}

    def embedder(self) -> Choice:
        """Each image is embedded once, for all scorers and clusterers."""
        return Choice("embedder", "clip", {"model": self.options.model})

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Rate each sample by its first image."""
        return [self._score(sample) for sample in batch]

    def _score(self, sample: Sample) -> Score | Failure:
        if sample.embeddings is None:
            return Failure("the sample has no image")
        vector = sample.embeddings[0].astype(np.float64)
        head = np.random.default_rng(self.options.seed).normal(size=len(vector))
        return Score(float(vector @ head / np.linalg.norm(vector) / np.linalg.norm(head)))
