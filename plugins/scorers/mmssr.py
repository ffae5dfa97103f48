"""mmSSR's fourteen ratings and its styles of interaction, in one call (arXiv 2503.13383)."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ig4.core.calls.request import Reply, Request
from ig4.core.contracts import AsyncScorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.llm.anyservice import AnyServiceOptions, provider_of, service_identity
from ig4.plugins.llm.ratings import UnreadableRating, number_in, parse_object
from ig4.plugins.llm.retry import Question, unreadable_error
from ig4.plugins.llm.rubrics import (
    CAPABILITIES,
    RICH_MAXIMUM,
    STYLES,
    STYLES_KEY,
    rich_reminder,
    rich_schema,
    rich_template,
)
from ig4.plugins.llm.scorer import images_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, Digest
    from ig4.core.records import JSON

_NAME = "mmssr"
_STYLE = "style-"
"""What the outputs of styles begin with."""


class MmssrOptions(AnyServiceOptions):
    """Options of the scorer `mmssr`."""

    vision: bool = Field(default=True, description="Send the images too.")
    temperature: float = Field(0.0, ge=0, le=2, description="Temperature of the replies.")
    max_tokens: int = Field(512, ge=1, description="Maximum number of tokens of a reply.")


class Mmssr(AsyncScorer):
    """Rates how much a sample helps to acquire each of fourteen capabilities, from 0 to 5.

    The outputs are the ratings by capability, and 0 or 1 for each style; the main value is the mean
    of the ratings. A reply that lacks a rating, or holds one that is unclear, is no reply: the
    sample fails as a whole, after one reminder.
    """

    Options = MmssrOptions
    options: MmssrOptions
    outputs = (*CAPABILITIES, *(_STYLE + style for style in STYLES))

    def __init__(self, options: MmssrOptions) -> None:
        super().__init__(options)
        self._question = Question(rich_reminder(CAPABILITIES))
        self._template = rich_template(CAPABILITIES, STYLES, vision=options.vision)

    def provider(self) -> Provider:
        """Return the service, not opened."""
        return provider_of(self.options, self.options.service, _NAME)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompt and whatever else shapes replies."""
        return {
            **service_identity(self.options),
            "service": self.options.service,
            "prompt": self._template.hash,
            "temperature": self.options.temperature,
            "max_tokens": self.options.max_tokens,
        }

    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Return the ratings, their mean, and the styles."""
        images = await images_of(sample, self.options)
        if isinstance(images, Failure):
            return images
        structured = self.options.structured is not False
        request = Request(
            model=self.options.model,
            prompt=self._template.render(sample.instruction, sample.answer),
            images=images,
            max_tokens=self.options.max_tokens,
            temperature=self.options.temperature,
            schema=rich_schema(CAPABILITIES, STYLES) if structured else None,
            extra=self.options.extra,
        )
        ratings, styles = await self._question.ask(
            request, ask, partial(read_rich, asked=request.prompt)
        )
        values = ratings | {_STYLE + style: float(style in styles) for style in STYLES}
        return Score(statistics.fmean(ratings.values()), {"styles": styles}, values)

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 20 x rating."""
        return 100.0 / RICH_MAXIMUM * values

    def output_to_percent(self, output: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 20 x rating, and 0 or 100 for a style."""
        return 100.0 * values if output.startswith(_STYLE) else self.to_percent(values)


def read_rich(reply: Reply, *, asked: str = "") -> tuple[dict[str, float], list[str]]:
    """Return the rating of each capability, and the styles, that a reply holds.

    Raises:
        UnreadableError: one of the ratings is missing, unclear or out of range, a style is unknown,
            there is none, or the model refused.
    """
    option = f"{_NAME}.max_tokens"
    if reply.refused:
        raise unreadable_error(reply, "", "rate")
    try:
        found = _by_plain_name(parse_object(reply.text, asked=asked, cut=reply.cut))
        return {name: _rating(found, name) for name in CAPABILITIES}, _styles(found)
    except UnreadableRating as error:
        raise unreadable_error(reply, error, "rate", option=option) from None


def _by_plain_name(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a reply by their names in lower case, with hyphens for spaces.

    Raises:
        UnreadableRating: two of them have the same.
    """
    plain = {_plain(key): value for key, value in found.items()}
    if len(plain) < len(found):
        raise UnreadableRating("the reply names a capability twice")
    return plain


def _rating(found: Mapping[str, Any], name: str) -> float:
    if name not in found:
        raise UnreadableRating(f"the reply has no rating for {name}")
    try:
        return number_in(found[name], RICH_MAXIMUM)
    except UnreadableRating as error:
        raise UnreadableRating(f"the rating for {name} cannot be read: {error}") from None


def _styles(found: Mapping[str, Any]) -> list[str]:
    told = found.get(STYLES_KEY)
    named = told.split(",") if isinstance(told, str) else told
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise UnreadableRating("the reply has no list of styles")
    styles = [_STYLE_NAMES.get(_plain(one)) for one in named]
    if not styles or None in styles:
        raise UnreadableRating("the reply names no style, or one that there is not")
    return [style for style in STYLES if style in styles]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


_STYLE_NAMES = {style: style for style in STYLES} | {
    "multiple-choice": "multi-choice",
    "word-short-phrase": "word-or-short-phrase",
    "word": "word-or-short-phrase",
    "short-phrase": "word-or-short-phrase",
    "chain-of-thought-step-by-step": "chain-of-thought",
}
"""The styles by the names that models give them, among them the paper's own."""
