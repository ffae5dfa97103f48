"""Asks a service for the chances of digits as the first token of its reply."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core.calls.request import Reply, Request, UnreadableError
from ig4.plugins.llm.digits import DigitChances, UnreadableDigitsError, digit_chances
from ig4.plugins.llm.openai import OpenAIProvider
from ig4.plugins.llm.options import ServiceOptions
from ig4.plugins.llm.retry import unreadable_error

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask
    from ig4.core.records import JSON


class DigitOptions(ServiceOptions):
    """Options of scorers that read log-probabilities; only OpenAI's interface has them."""

    model: str = Field("gpt-4o-mini", description="Model, as the service names it.")
    top_logprobs: int = Field(
        20, ge=1, le=100, description="For how many tokens the service tells log-probabilities."
    )
    min_mass: float = Field(
        0.5, gt=0, le=1, description="The least chance of a digit with which a reply is a rating."
    )


def digit_provider(options: DigitOptions, component: str) -> Provider:
    """Return the service, not opened; `component` is who asks."""
    return OpenAIProvider(
        base_url=options.base_url,
        timeout=options.timeout,
        structured=False,
        batch_requests=options.batch_requests,
        batch_tokens=options.batch_tokens,
        component=component,
    )


def digit_identity(options: DigitOptions) -> dict[str, JSON]:
    """Return what of the options shapes the chances of digits."""
    identity: dict[str, JSON] = {
        "model": options.model,
        "top_logprobs": options.top_logprobs,
        "min_mass": options.min_mass,
    }
    if options.vision:
        identity["vision"] = options.max_side
    if options.extra:
        identity["extra"] = dict(options.extra)
    return identity


async def ask_chances(
    options: DigitOptions, prompt: str, images: tuple[bytes, ...], ask: Ask, levels: int
) -> DigitChances:
    """Return the chances of the digits 1 to `levels` as the first token of a reply.

    The temperature is 1, at which no server changes the chances that it tells; which token it then
    draws means nothing.

    Raises:
        UnreadableError: the service tells none, or the model begins with something else.
    """
    request = Request(
        model=options.model,
        prompt=prompt,
        images=images,
        max_tokens=1,
        temperature=1.0,
        extra=options.extra,
        logprobs=options.top_logprobs,
    )
    return await ask(request, partial(read_chances, levels=levels, least_mass=options.min_mass))


def read_chances(reply: Reply, *, levels: int, least_mass: float) -> DigitChances:
    """Return the chances of the digits that a reply tells.

    Raises:
        UnreadableError: it tells none, or too little of them.
    """
    if reply.refused:
        raise unreadable_error(reply, "", "rate")
    if not reply.logprobs:
        raise UnreadableError("the service told no log-probabilities with this reply")
    try:
        return digit_chances(reply.logprobs[0], levels, least_mass)
    except UnreadableDigitsError as error:
        begins: Mapping[str, float] = dict(reply.logprobs[0])
        likeliest = max(begins, key=lambda token: begins[token], default="")
        raise UnreadableError(f"{error}; the likeliest beginning was {likeliest[:40]!r}") from None
