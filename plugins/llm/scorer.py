"""Scorers that ask a language model for a rating of instruction and answer, from 0 to 100."""

from __future__ import annotations

import asyncio
import statistics
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import Field, model_validator

from ig4.core.calls.request import Reply, Request
from ig4.core.contracts import AsyncScorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.llm.images import jpegs
from ig4.plugins.llm.options import ServiceOptions
from ig4.plugins.llm.prompt import REMINDER, SCHEMA, Template, find_suspicious_phrases
from ig4.plugins.llm.ratings import Rating, UnreadableRating, parse
from ig4.plugins.llm.retry import Question, unreadable_error

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, Digest
    from ig4.core.records import JSON


T = TypeVar("T")


class RatingOptions(ServiceOptions):
    """Options of all scorers that ask a language model for a rating."""

    prompt: str | None = Field(
        None, description="File with another prompt; needs {instruction} and {answer}."
    )
    temperature: float | None = Field(
        None, ge=0, le=2, description="By default 0, and 0.7 with several samples."
    )
    max_tokens: int = Field(512, ge=1, description="Maximum number of tokens of a reply.")
    samples: int = Field(1, ge=1, le=100, description="Number of ratings to average.")

    @model_validator(mode="after")
    def _several_samples_differ(self) -> RatingOptions:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("several samples at temperature 0 are all the same: leave it out")
        return self

    @property
    def effective_temperature(self) -> float:
        """The temperature in use."""
        if self.temperature is not None:
            return self.temperature
        return 0.0 if self.samples == 1 else 0.7


class RatingScorer(AsyncScorer):
    """The paper's GPT Score (InstructionGPT-4, section 3.1): quality and variety, 0 to 100.

    The model sees instruction and answer, not the image, unless `vision` is set. After a reply
    without a rating it asks once more, with a reminder, and after one that was cut at its limit
    with a larger limit; a rating is never made up.
    """

    version = "2"
    options: RatingOptions
    usual_name: ClassVar[str] = "NAME"
    """The name that options are given to on the command line."""

    maximum: ClassVar[int] = 100
    """The highest rating."""

    reminder: ClassVar[str] = REMINDER
    """What is said after a reply without a rating."""

    schema: ClassVar[Mapping[str, Any]] = SCHEMA
    """The reply's JSON schema."""

    _template: Template | None = None

    def __init__(self, options: RatingOptions) -> None:
        super().__init__(options)
        self._question = Question(self.reminder)

    @abstractmethod
    def provider(self) -> Provider:
        """Return the service, not opened."""

    @property
    def template(self) -> Template:
        """The prompt in use.

        Raises:
            UsageError: its file cannot be read, or lacks a placeholder.
        """
        if self._template is None:
            file = self.options.prompt
            self._template = self.default_template() if file is None else Template.load(Path(file))
        return self._template

    def default_template(self) -> Template:
        """Return the prompt where the options name none."""
        return Template.default(vision=self.options.vision)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompt and whatever else shapes replies, but not the service's address."""
        identity: dict[str, JSON] = {
            "model": self.options.model,
            "prompt": self.template.hash,
            "temperature": self.options.effective_temperature,
            "max_tokens": self.options.max_tokens,
            "samples": self.options.samples,
            "structured": self.options.structured is not False,
        }
        if self.options.vision:
            identity["vision"] = self.options.max_side
        if self.options.extra:
            identity["extra"] = dict(self.options.extra)
        return identity

    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Return the mean rating; its details hold the explanation and suspicious phrases."""
        images = await images_of(sample, self.options)
        if isinstance(images, Failure):
            return images
        requests = [self.request(sample, images, n) for n in range(self.options.samples)]
        calls = (self._question.ask(request, ask, self._reader(request)) for request in requests)
        return self._score(sample, await gather(calls))

    def request(self, sample: Sample, images: tuple[bytes, ...] = (), repeat: int = 0) -> Request:
        """Return the request for a sample."""
        return Request(
            model=self.options.model,
            prompt=self.template.render(sample.instruction, sample.answer),
            images=images,
            max_tokens=self.options.max_tokens,
            temperature=self.options.effective_temperature,
            schema=None if self.options.structured is False else self.schema,
            repeat=repeat,
            extra=self.options.extra,
        )

    def _reader(self, request: Request) -> Callable[[Reply], Rating]:
        option = f"{self.usual_name}.max_tokens"
        return partial(read_rating, asked=request.prompt, option=option, maximum=self.maximum)

    def _score(self, sample: Sample, ratings: Sequence[Rating]) -> Score:
        values = [rating.score for rating in ratings]
        details: dict[str, JSON] = {"explanation": ratings[0].explanation}
        if len(values) > 1:
            details |= {"ratings": values, "spread": statistics.stdev(values)}
        flags = find_suspicious_phrases(sample.instruction, sample.answer)
        if flags:
            details["flags"] = flags
        return Score(statistics.fmean(values), details)


async def images_of(sample: Sample, options: ServiceOptions) -> tuple[bytes, ...] | Failure:
    """Return the images of a sample to send, as the options say; or why one cannot be had."""
    if not options.vision:
        return ()
    problem = next((image.problem for image in sample.images if image.problem), None)
    if problem is not None:
        return Failure(problem)
    return await jpegs(sample.images, options.max_side)


async def gather(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all results; raise the first error only after every call has ended.

    A reply that nobody waits for would be paid for and lost.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    given: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        given.append(result)
    return given


def read_rating(
    reply: Reply, *, asked: str = "", option: str = "max_tokens", maximum: int = 100
) -> Rating:
    """Return the rating that a reply to the prompt `asked` holds.

    Raises:
        UnreadableError: it holds none, or the model refused; `option` is what to raise.
    """
    if reply.refused:
        raise unreadable_error(reply, "", "rate")
    try:
        return parse(reply.text, asked=asked, cut=reply.cut, maximum=maximum)
    except UnreadableRating as error:
        raise unreadable_error(reply, error, "rate", option=option) from None
