"""A judge that asks Claude, through Anthropic's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ig4.plugins.judges.review import ReviewJudge, ReviewOptions
from ig4.plugins.llm.anthropic import AnthropicProvider

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider


class ClaudeJudgeOptions(ReviewOptions):
    """Options of the judge `claude`."""

    model: str = Field("claude-sonnet-4-5", description="Model, as the service names it.")


class ClaudeJudge(ReviewJudge):
    """Asks Anthropic's Claude which of two answers is better."""

    Options = ClaudeJudgeOptions
    options: ClaudeJudgeOptions
    usual_name = "claude"

    def provider(self) -> Provider:
        """Return the service, not opened."""
        options = self.options
        structured = options.structured if options.by_schema else False
        return AnthropicProvider(
            base_url=options.base_url,
            timeout=options.timeout,
            structured=structured,
            batch_requests=options.batch_requests,
            batch_tokens=options.batch_tokens,
        )
