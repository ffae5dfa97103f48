"""DEITA's scores: complexity and quality of each exchange, through a model's chances of digits."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ig4.core.contracts import AsyncScorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.llm.digitasking import (
    DigitOptions,
    ask_chances,
    digit_identity,
    digit_provider,
)
from ig4.plugins.llm.digitprompts import question_template
from ig4.plugins.llm.exchanges import Exchange, exchanges
from ig4.plugins.llm.scorer import gather, images_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, Digest
    from ig4.core.records import JSON

LEVELS = 6
"""DEITA's ratings are from 1 to 6."""

OUTPUTS = ("complexity", "quality")

_NAME = "deita"


class DeitaOptions(DigitOptions):
    """Options of the scorer `deita`."""


class Deita(AsyncScorer):
    """The sum over a conversation's exchanges of complexity x quality (DEITA, section 2.5).

    The outputs are the means of the two over the exchanges. Longer conversations have higher sums,
    as in the published code.
    """

    Options = DeitaOptions
    options: DeitaOptions
    outputs = OUTPUTS

    def __init__(self, options: DeitaOptions) -> None:
        super().__init__(options)
        self._complexity = question_template("complexity", LEVELS, vision=options.vision)
        self._quality = question_template("quality", LEVELS, vision=options.vision)

    def provider(self) -> Provider:
        """Return the service, not opened."""
        return digit_provider(self.options, _NAME)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompts, and how the chances are read."""
        prompts = {"complexity": self._complexity.hash, "quality": self._quality.hash}
        return {**digit_identity(self.options), "prompts": prompts}

    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Return the sum, and the two means; two requests for each exchange."""
        images = await images_of(sample, self.options)
        if isinstance(images, Failure):
            return images
        pairs = await gather(self._ask(one, images, ask) for one in exchanges(sample))
        return deita_score([c for c, _ in pairs], [q for _, q in pairs])

    async def _ask(
        self, exchange: Exchange, images: tuple[bytes, ...], ask: Ask
    ) -> tuple[float, float]:
        prompts = (
            self._complexity.render(exchange.instruction, ""),
            self._quality.render(exchange.instruction, exchange.answer),
        )
        complexity, quality = await gather(
            ask_chances(self.options, prompt, images, ask, LEVELS) for prompt in prompts
        )
        return complexity.expectation, quality.expectation

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 0 for the least sum of one exchange and 100 for its greatest."""
        return product_percent(values)

    def output_to_percent(self, output: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 0 for the lowest rating, and 100 for the highest."""
        return rating_percent(values)


def deita_score(complexity: Sequence[float], quality: Sequence[float]) -> Score:
    """Return the score of a conversation from the two ratings of each exchange."""
    products = [c * q for c, q in zip(complexity, quality, strict=True)]
    means = (statistics.fmean(complexity), statistics.fmean(quality))
    details: dict[str, JSON] | None = None
    if len(products) > 1:
        details = {"complexity": list(complexity), "quality": list(quality)}
    return Score(sum(products), details, dict(zip(OUTPUTS, means, strict=True)))


def product_percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sums of products as percents of what one exchange can have; more where they are more.

    With several exchanges there is no greatest sum.
    """
    return 100.0 / (LEVELS**2 - 1) * (values - 1.0)


def rating_percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ratings from 1 to 6 as percents."""
    return 100.0 / (LEVELS - 1) * (values - 1.0)
