"""Judges that ask a language model for a review of two answers: the LLaVA-Bench way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ig4.core.calls.request import Reply, Request
from ig4.core.contracts import AsyncJudge
from ig4.core.files.answers.reviews import READERS, UnreadableReviewError
from ig4.core.records import Failure
from ig4.plugins.judges import prompt
from ig4.plugins.llm.images import jpegs
from ig4.plugins.llm.options import ServiceOptions
from ig4.plugins.llm.retry import Question, unreadable_error

if TYPE_CHECKING:
    from ig4.core.contracts import Ask, Digest
    from ig4.core.contracts.evaluation import Pair, Verdict
    from ig4.core.records import JSON


class ReviewOptions(ServiceOptions):
    """Options of judges that ask a language model."""

    temperature: float = Field(0.2, ge=0, le=2, description="As in LLaVA-Bench.")
    max_tokens: int = Field(1024, ge=1, description="Maximum number of tokens of a reply.")
    reader: Literal["robust", "llava"] = Field(
        "robust", description="How replies are parsed; llava is as strict as LLaVA's own script."
    )

    @property
    def by_schema(self) -> bool:
        """Whether the request has a JSON schema; LLaVA's reader cannot parse JSON."""
        return self.structured is not False and self.reader == "robust"


class ReviewJudge(AsyncJudge):
    """Shows a model both answers and the image's description, or the image with `vision`.

    After a reply without two scores the judge asks once more, with a reminder, and after one that
    was cut at its limit with a larger limit. If no reply has them it is a failure: a verdict is
    never made up.
    """

    version = "2"
    options: ReviewOptions
    usual_name: ClassVar[str] = "NAME"
    """The name that options are given to on the command line."""

    def __init__(self, options: ReviewOptions) -> None:
        super().__init__(options)
        self._question = Question(prompt.REMINDER)

    @property
    def sees_images(self) -> bool:
        """Whether the images are sent."""
        return self.options.vision

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, prompt and whatever else shapes replies, but not the service's address."""
        identity: dict[str, JSON] = {
            "model": self.options.model,
            "prompt": prompt.HASH,
            "temperature": self.options.temperature,
            "max_tokens": self.options.max_tokens,
            "reader": self.options.reader,
            "structured": self.options.by_schema,
        }
        if self.options.vision:
            identity["vision"] = self.options.max_side
        if self.options.extra:
            identity["extra"] = dict(self.options.extra)
        return identity

    async def judge(self, pair: Pair, ask: Ask) -> Verdict | Failure:
        """Return the model's scores, or what is wrong with the image."""
        images: tuple[bytes, ...] = ()
        if self.options.vision:
            if not pair.images:
                return Failure("the question has no image, and the judge is to see one")
            problem = next((image.problem for image in pair.images if image.problem), None)
            if problem is not None:
                return Failure(problem)
            images = await jpegs(pair.images, self.options.max_side)
        request = self.request(pair, images)
        return await self._question.ask(request, ask, partial(self.read, asked=request.prompt))

    def request(self, pair: Pair, images: tuple[bytes, ...] = ()) -> Request:
        """Return the request for a pair."""
        return Request(
            model=self.options.model,
            prompt=prompt.render(pair, vision=self.options.vision),
            system=prompt.SYSTEM,
            images=images,
            max_tokens=self.options.max_tokens,
            temperature=self.options.temperature,
            schema=prompt.SCHEMA if self.options.by_schema else None,
            extra=self.options.extra,
        )

    def read(self, reply: Reply, *, asked: str = "") -> Verdict:
        """Return the verdict that a reply to the prompt `asked` holds.

        Raises:
            UnreadableError: it holds none, or the model refused.
        """
        if reply.refused:
            raise unreadable_error(reply, "", "judge")
        try:
            return READERS[self.options.reader](reply.text, asked=asked, cut=reply.cut)
        except UnreadableReviewError as error:
            option = f"{self.usual_name}.max_tokens"
            raise unreadable_error(reply, error, "judge", option=option) from None
