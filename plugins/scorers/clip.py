"""The CLIP score: how well an answer fits its image, 100 x cosine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core.contracts import Scorer
from ig4.core.records import Choice, Failure, Sample, Score
from ig4.plugins import openclip

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON

_CACHE_BYTES = 256 * 2**20


class ClipOptions(openclip.ModelOptions):
    """Options of the scorer `clip`."""

    text: Literal["sentences", "whole"] = Field(
        "sentences",
        description="sentences: mean over the answer's first ones, as the authors do; "
        "whole: the answer, cut to the context length.",
    )
    max_sentences: int = Field(10, ge=1, description="How many sentences count.")
    batch_size: int = Field(64, ge=1, description="Samples handed over and committed at a time.")
    image_batch_size: int = Field(32, ge=1, description="Images in one forward pass.")
    text_batch_size: int = Field(64, ge=1, description="Texts in one forward pass.")


class Clip(Scorer):
    """The authors' rule (InstructionGPT-4, section 3.1, and its published code).

    The answer is split at ".", the first ten sentences that are not blank are embedded and
    normalised, and the mean of their cosines with the image embedding is taken times 100. That
    equals the cosine with their averaged embedding before it is normalised again. Several
    images: the mean over them.
    """

    version = "1"
    Options = ClipOptions
    options: ClipOptions
    _clip: openclip.Clip | None = None
    _known: OrderedDict[str, tuple[NDArray[np.float32], bool]]

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, weights, precision and the rule."""
        rule: dict[str, JSON] = {"text": self.options.text}
        if self.options.text == "sentences":
            rule["max_sentences"] = self.options.max_sentences
        return {**openclip.identity(self.options, digest), **rule}

    def embedder(self) -> Choice:
        """Name the embedder of the same model."""
        options = self.options.model_dump(include=set(openclip.ModelOptions.model_fields))
        options["batch_size"] = self.options.image_batch_size
        return Choice("embedder", "ig4/clip", options, "clip")

    def open(self) -> None:
        """Load the model, or share it with the embedder that has it.

        Raises:
            PrerequisiteError: weights or device are not there.
            UsageError: an unknown architecture or tag.
        """
        self._clip = openclip.acquire(self.options)
        self._known = OrderedDict()

    def close(self) -> None:
        """Give the model back."""
        if self._clip is not None:
            self._clip = None
            self._known.clear()
            openclip.release(self.options)

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Rate each sample; one without image or without text is a Failure."""
        texts = [self._texts(sample.answer) for sample in batch]
        wanted = dict.fromkeys(
            text for sample, own in zip(batch, texts, strict=True)
            if sample.embeddings is not None for text in own
        )  # fmt: skip
        known = self._embedded(list(wanted))
        return [self._rate(sample, own, known) for sample, own in zip(batch, texts, strict=True)]

    def _texts(self, answer: str) -> list[str]:
        if self.options.text == "whole":
            return [answer]
        sentences = (sentence.strip() for sentence in answer.split("."))
        return [sentence for sentence in sentences if sentence][: self.options.max_sentences]

    def _rate(
        self,
        sample: Sample,
        texts: Sequence[str],
        known: Mapping[str, tuple[NDArray[np.float32], bool]],
    ) -> Score | Failure:
        if sample.embeddings is None:
            return Failure("the sample has no image to compare its answer with")
        if not texts:
            return Failure("the answer has no sentence to compare with the image")
        images = sample.embeddings.astype(np.float64)
        images /= np.linalg.norm(images, axis=1, keepdims=True).clip(1e-12)
        sentences = np.stack([known[text][0] for text in texts]).astype(np.float64)
        details: dict[str, JSON] = {"sentences": len(texts)}
        cut = sum(known[text][1] for text in texts)
        if cut:
            details["truncated"] = int(cut)
        return Score(100.0 * float((sentences @ images.T).mean()), details)

    def _embedded(self, texts: Sequence[str]) -> Mapping[str, tuple[NDArray[np.float32], bool]]:
        """Return (normalised embedding (d,), was it cut to the context) of each text."""
        found = {}
        for text in texts:
            if text in self._known:
                self._known.move_to_end(text)
                found[text] = self._known[text]
        fresh = [text for text in texts if text not in found]
        if fresh:
            found.update(self._encode(fresh))
            self._remember({text: found[text] for text in fresh})
        return found

    def _encode(self, texts: Sequence[str]) -> dict[str, tuple[NDArray[np.float32], bool]]:
        assert self._clip is not None
        tokens = self._clip.tokenizer(list(texts))
        filled = (tokens != 0).sum(dim=-1)
        full = filled >= tokens.shape[1]
        # Texts of like length share a batch, which is cut to its longest one.
        order = filled.argsort(stable=True)
        rows: list[torch.Tensor] = []
        for start in range(0, len(texts), self.options.text_batch_size):
            part = order[start : start + self.options.text_batch_size]
            rows.extend(self._clip.encode_texts(tokens[part]))
        vectors = {int(at): row.numpy() for at, row in zip(order, rows, strict=True)}
        return {text: (vectors[n], bool(full[n])) for n, text in enumerate(texts)}

    def _remember(self, fresh: Mapping[str, tuple[NDArray[np.float32], bool]]) -> None:
        self._known.update(fresh)
        one = next(iter(fresh.values()))[0].nbytes
        while len(self._known) * one > _CACHE_BYTES:
            self._known.popitem(last=False)
