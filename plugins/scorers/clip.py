"""The CLIP score: how well an answer fits its image, 100 x cosine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core.contracts import Scorer
from ig4.core.records import NO_IMAGE, Choice, Failure, Sample, Score
from ig4.plugins.models import clipoptions, openclip
from ig4.plugins.models.cliptexts import EncodedText, encode_texts, sentences_of

if TYPE_CHECKING:
    from ig4.core.contracts import Digest
    from ig4.core.records import JSON


class ClipOptions(clipoptions.ClipModelOptions):
    """Options of the scorer `clip`."""

    text: Literal["sentences", "whole"] = Field(
        "sentences",
        description="sentences: mean over the answer's first ones, as the authors do; "
        "whole: the answer, cut to the context length.",
    )
    max_sentences: int = Field(10, ge=1, description="How many sentences count.")
    batch_size: int = Field(64, ge=1, description="Samples scored and committed at a time.")
    image_batch_size: int = Field(32, ge=1, description="Images in one forward pass.")
    text_batch_size: int = Field(64, ge=1, description="Texts in one forward pass.")


class Clip(Scorer):
    """The authors' rule (InstructionGPT-4, section 3.1).

    The answer is split at ".", the first ten sentences that are not blank are embedded and
    normalised, and the mean of their cosines with the image embedding is taken times 100. That
    equals the cosine with their averaged embedding before it is normalised again. Several
    images: the mean over them.
    """

    version = "1"
    Options = ClipOptions
    options: ClipOptions
    _clip: openclip.ClipModel | None = None

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, weights, precision and the rule."""
        rule: dict[str, JSON] = {"text": self.options.text}
        if self.options.text == "sentences":
            rule["max_sentences"] = self.options.max_sentences
        return {**clipoptions.clip_identity(self.options, digest), **rule}

    def embedder(self) -> Choice:
        """Name the embedder of the same model."""
        options = self.options.model_dump(include=set(clipoptions.ClipModelOptions.model_fields))
        options["batch_size"] = self.options.image_batch_size
        return Choice("embedder", "ig4/clip", options, "clip")

    def open(self) -> None:
        """Load the model, or share it with an embedder that has loaded it.

        Raises:
            PrerequisiteError: weights or device are not there.
            UsageError: an unknown architecture or tag.
        """
        self._clip = openclip.acquire(self.options)

    def close(self) -> None:
        """Release the model."""
        if self._clip is not None:
            self._clip = None
            openclip.release(self.options)

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Rate each sample; one without image or without text is a Failure."""
        texts = [() if _has_no_image(sample) else self._texts(sample.answer) for sample in batch]
        known = self._encode(list(dict.fromkeys(text for own in texts for text in own)))
        return [_rate(sample, own, known) for sample, own in zip(batch, texts, strict=True)]

    def _texts(self, answer: str) -> tuple[str, ...]:
        if self.options.text == "whole":
            return (answer,)
        return sentences_of(answer, self.options.max_sentences)

    def _encode(self, texts: Sequence[str]) -> dict[str, EncodedText]:
        """Return the embedding of each text of a batch, once each.

        No embedding is kept for the next batch: in low precision it depends a little on the texts
        beside it, and these must not depend on what was scored before.
        """
        if not texts:
            return {}
        assert self._clip is not None
        return encode_texts(self._clip, texts, self.options.text_batch_size)


def _has_no_image(sample: Sample) -> bool:
    return sample.embeddings is None or len(sample.embeddings) == 0


def _rate(
    sample: Sample, texts: Sequence[str], known: Mapping[str, EncodedText]
) -> Score | Failure:
    if _has_no_image(sample):
        return Failure(NO_IMAGE)
    if not texts:
        return Failure("the answer has no sentence to compare with the image")
    assert sample.embeddings is not None
    images = sample.embeddings.astype(np.float64)
    images /= np.linalg.norm(images, axis=1, keepdims=True).clip(1e-12)
    sentences = np.stack([known[text].vector for text in texts]).astype(np.float64)
    details: dict[str, JSON] = {"sentences": len(texts)}
    truncated = sum(known[text].truncated for text in texts)
    if truncated:
        details["truncated"] = truncated
    return Score(100.0 * float((sentences @ images.T).mean()), details)
