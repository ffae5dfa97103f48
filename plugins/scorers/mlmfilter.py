"""MLM-Filter's four metrics of an image and its text, each from 0 to 100 (arXiv 2403.02677)."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from ig4.core.calls.request import Reply, Request
from ig4.core.contracts import AsyncScorer
from ig4.core.records import NO_IMAGE, Failure, Sample, Score
from ig4.plugins.llm.anyservice import AnyServiceOptions, provider_of, service_identity
from ig4.plugins.llm.retry import Question
from ig4.plugins.llm.rubrics import METRICS, rating_schema, rating_template, reminder
from ig4.plugins.llm.scorer import gather, images_of, read_rating

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, Digest
    from ig4.core.records import JSON
    from ig4.plugins.llm.prompt import Template

_MAXIMUM = 100
_NAME = "mlm-filter"


class MlmFilterOptions(AnyServiceOptions):
    """Options of the scorer `mlm-filter`."""

    vision: bool = Field(default=True, description="Send the images too, which all metrics need.")
    metrics: tuple[str, ...] = Field(
        tuple(METRICS), min_length=1, description="Which of the four metrics to ask for."
    )
    temperature: float = Field(0.0, ge=0, le=2, description="Temperature of the replies.")
    max_tokens: int = Field(512, ge=1, description="Maximum number of tokens of a reply.")

    @field_validator("metrics", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("metrics")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in METRICS]
        if unknown or len(set(value)) < len(value):
            raise ValueError(f"choose from {', '.join(METRICS)}, each once")
        return value


class MlmFilter(AsyncScorer):
    """Asks a vision-language model for each metric by itself, as the paper does (section 3.1).

    The main value is the mean of the metrics that are asked for; the paper filters by one, or by
    several thresholds.
    """

    Options = MlmFilterOptions
    options: MlmFilterOptions

    def __init__(self, options: MlmFilterOptions) -> None:
        super().__init__(options)
        self._question = Question(reminder(_MAXIMUM))
        self._templates = {
            name: rating_template(METRICS[name], _MAXIMUM, vision=options.vision)
            for name in options.metrics
        }

    @property
    def outputs(self) -> tuple[str, ...]:
        """The metrics that are asked for."""
        return self.options.metrics

    def provider(self) -> Provider:
        """Return the service, not opened."""
        return provider_of(self.options, self.options.service, _NAME)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompts and whatever else shapes replies."""
        return {
            **service_identity(self.options),
            "service": self.options.service,
            "prompts": {name: template.hash for name, template in self._templates.items()},
            "temperature": self.options.temperature,
            "max_tokens": self.options.max_tokens,
        }

    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Return the metrics and their mean; a metric that cannot be read fails the sample."""
        if self.options.vision and not sample.images:
            return Failure(NO_IMAGE)
        images = await images_of(sample, self.options)
        if isinstance(images, Failure):
            return images
        ratings = await gather(
            self._ask(template, sample, images, ask) for template in self._templates.values()
        )
        values = dict(zip(self._templates, ratings, strict=True))
        return Score(statistics.fmean(ratings), outputs=values)

    async def _ask(
        self, template: Template, sample: Sample, images: tuple[bytes, ...], ask: Ask
    ) -> float:
        request = Request(
            model=self.options.model,
            prompt=template.render(sample.instruction, sample.answer),
            images=images,
            max_tokens=self.options.max_tokens,
            temperature=self.options.temperature,
            schema=None if self.options.structured is False else rating_schema(_MAXIMUM),
            extra=self.options.extra,
        )
        read = partial(_read, asked=request.prompt)
        return await self._question.ask(request, ask, read)


def _read(reply: Reply, *, asked: str) -> float:
    return read_rating(reply, asked=asked, option=f"{_NAME}.max_tokens").score
