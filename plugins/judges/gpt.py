"""A judge through OpenAI's API, or any compatible server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ig4.plugins.judges.review import ReviewJudge, ReviewOptions
from ig4.plugins.llm.openai import OpenAIProvider

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider


class GptJudgeOptions(ReviewOptions):
    """Options of the judge `gpt`."""

    model: str = Field("gpt-4o", description="Model, as the service names it.")


class GptJudge(ReviewJudge):
    """Asks OpenAI, Azure, vLLM, Ollama, llama.cpp or a proxy which of two answers is better."""

    Options = GptJudgeOptions
    options: GptJudgeOptions
    usual_name = "gpt"

    def provider(self) -> Provider:
        """Return the service, not opened."""
        options = self.options
        structured = options.structured if options.by_schema else False
        return OpenAIProvider(
            base_url=options.base_url,
            timeout=options.timeout,
            structured=structured,
            batch_requests=options.batch_requests,
            batch_tokens=options.batch_tokens,
        )
