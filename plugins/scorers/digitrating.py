"""A rating that is the mean over a model's chances of each digit, not the digit that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core.contracts import AsyncScorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.llm.digitasking import (
    DigitOptions,
    ask_chances,
    digit_identity,
    digit_provider,
)
from ig4.plugins.llm.digitprompts import Question, question_template
from ig4.plugins.llm.digits import MOST_LEVELS
from ig4.plugins.llm.prompt import Template
from ig4.plugins.llm.scorer import images_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, Digest
    from ig4.core.records import JSON

_NAME = "digit-rating"


class DigitRatingOptions(DigitOptions):
    """Options of the scorer `digit-rating`."""

    question: Question = Field(
        "quality", description="What is rated, where no prompt is named: complexity, or quality."
    )
    prompt: str | None = Field(
        None, description="File with another prompt; needs {instruction} and {answer}."
    )
    levels: int = Field(6, ge=2, le=MOST_LEVELS, description="The highest digit; the lowest is 1.")


class DigitRating(AsyncScorer):
    """The mean rating from 1 to k: the sum of n x p(n), over the chances of k digits (DEITA).

    It has steps as fine as the model's doubts, from one token of reply.
    """

    Options = DigitRatingOptions
    options: DigitRatingOptions
    _template: Template | None = None

    @property
    def template(self) -> Template:
        """The prompt in use.

        Raises:
            UsageError: its file cannot be read, or lacks a placeholder.
        """
        if self._template is None:
            options = self.options
            self._template = (
                question_template(options.question, options.levels, vision=options.vision)
                if options.prompt is None
                else Template.load(Path(options.prompt))
            )
        return self._template

    def provider(self) -> Provider:
        """Return the service, not opened."""
        return digit_provider(self.options, _NAME)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompt, and how the chances are read."""
        prompt = self.template.hash
        return {**digit_identity(self.options), "prompt": prompt, "levels": self.options.levels}

    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Return the mean rating; its details have the chance of any digit at all."""
        images = await images_of(sample, self.options)
        if isinstance(images, Failure):
            return images
        # The complexity of an instruction must not depend on its answer, by no hash of it either.
        shows_answer = "{answer}" in self.template.text
        prompt = self.template.render(sample.instruction, sample.answer if shows_answer else "")
        found = await ask_chances(self.options, prompt, images, ask, self.options.levels)
        return Score(found.expectation, {"mass": found.mass, "chances": list(found.chances)})

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 0 for the lowest rating, and 100 for the highest."""
        return 100.0 / (self.options.levels - 1) * (values - 1.0)
