"""Scorers that ask whichever service the options name: OpenAI's interface, or Anthropic's."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ig4.core.errors import MissingExtraError
from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.openai import OpenAIProvider
from ig4.plugins.llm.options import ServiceOptions

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.records import JSON

Service = Literal["openai", "anthropic"]


class AnyServiceOptions(ServiceOptions):
    """Options of scorers that can ask either service."""

    model: str = Field("gpt-4o-mini", description="Model, as the service names it.")
    service: Service = Field(
        "openai", description="openai (and every compatible server), or anthropic."
    )


def provider_of(options: ServiceOptions, service: Service, component: str) -> Provider:
    """Return the service that options name, not opened; `component` is who asks.

    Raises:
        MissingExtraError: Anthropic's client is not installed.
    """
    if service == "anthropic" and importlib.util.find_spec("anthropic") is None:
        raise MissingExtraError(
            f"{component} with service = anthropic needs its client: pip install 'ig4[claude]'"
        )
    provider = AnthropicProvider if service == "anthropic" else OpenAIProvider
    return provider(
        base_url=options.base_url,
        timeout=options.timeout,
        structured=options.structured,
        batch_requests=options.batch_requests,
        batch_tokens=options.batch_tokens,
        component=component,
    )


def service_identity(options: ServiceOptions) -> dict[str, JSON]:
    """Return what of the options of a service shapes replies: not its address, nor its speed."""
    identity: dict[str, JSON] = {
        "model": options.model,
        "structured": options.structured is not False,
    }
    if options.vision:
        identity["vision"] = options.max_side
    if options.extra:
        identity["extra"] = dict(options.extra)
    return identity
