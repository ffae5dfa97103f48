"""The paper's GPT Score by Claude, through Anthropic's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.scorer import RatingOptions, RatingScorer

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider


class ClaudeOptions(RatingOptions):
    """Options of the scorer `claude`."""

    model: str = Field("claude-haiku-4-5", description="Model, as the service names it.")


class Claude(RatingScorer):
    """Asks Anthropic's Claude for a rating from 0 to 100."""

    Options = ClaudeOptions
    options: ClaudeOptions
    usual_name = "claude"

    def provider(self) -> Provider:
        """Return the service, not opened."""
        options = self.options
        return AnthropicProvider(
            base_url=options.base_url,
            timeout=options.timeout,
            structured=options.structured,
            batch_requests=options.batch_requests,
            batch_tokens=options.batch_tokens,
        )
