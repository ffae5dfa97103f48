"""SelectIT's score, by a model's chances of the ratings that several prompts ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core.contracts import AsyncScorer, Options
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.llm.digitasking import (
    DigitOptions,
    ask_chances,
    digit_identity,
    digit_provider,
)
from ig4.plugins.llm.digitprompts import SELECTIT, selectit_templates
from ig4.plugins.llm.digits import DigitChances, sentence_score, token_score
from ig4.plugins.llm.scorer import gather, images_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, Digest
    from ig4.core.records import JSON

LEVELS = 5
"""SelectIT's ratings are from 1 to 5."""

_NAME = "selectit"


class SelectitFormula(Options):
    """How the chances of several prompts become one score."""

    prompts: int = Field(
        5, ge=1, le=len(SELECTIT), description="In how many ways to ask about a sample."
    )
    alpha: float = Field(
        0.2, ge=0, description="How much it costs a sample that the prompts disagree."
    )
    flatten: bool = Field(
        default=True, description="Flatten chances as the published code does; the paper does not."
    )


class SelectitOptions(DigitOptions, SelectitFormula):
    """Options of the scorer `selectit`."""


class Selectit(AsyncScorer):
    """The token-level and the sentence-level score of SelectIT (sections 3.2 and 3.3)."""

    Options = SelectitOptions
    options: SelectitOptions

    def __init__(self, options: SelectitOptions) -> None:
        super().__init__(options)
        self._templates = selectit_templates(options.prompts, LEVELS, vision=options.vision)

    def provider(self) -> Provider:
        """Return the service, not opened."""
        return digit_provider(self.options, _NAME)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompts, formula, and how the chances are read."""
        prompts = [template.hash for template in self._templates]
        return {**digit_identity(self.options), **formula_identity(self.options, prompts)}

    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Return the score; its details have what each prompt gave."""
        images = await images_of(sample, self.options)
        if isinstance(images, Failure):
            return images
        rendered = [one.render(sample.instruction, sample.answer) for one in self._templates]
        found = await gather(
            ask_chances(self.options, prompt, images, ask, LEVELS) for prompt in rendered
        )
        return selectit_score(found, self.options)

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 for a model that is sure of a 5."""
        return formula_percent(values, flatten=self.options.flatten)


def selectit_score(found: Sequence[DigitChances], formula: SelectitFormula) -> Score:
    """Return the score of a sample from the chances that each prompt gave."""
    scores = [token_score(one.chances, flatten=formula.flatten) for one in found]
    details = {"token_scores": scores, "mass": [one.mass for one in found]}
    return Score(sentence_score(scores, formula.alpha), details)


def formula_identity(formula: SelectitFormula, prompts: Sequence[str]) -> dict[str, JSON]:
    """Return what a score depends on beside the model; `prompts` are hashes."""
    return {"prompts": list(prompts), "alpha": formula.alpha, "flatten": formula.flatten}


def formula_percent(values: NDArray[np.float64], *, flatten: bool) -> NDArray[np.float64]:
    """Return scores as percents of the greatest, that of a model that is sure of a 5."""
    lead = (math.e - 1) / (math.e + LEVELS - 1) if flatten else 1.0
    return 100.0 / (LEVELS * lead) * values
