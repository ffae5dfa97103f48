"""The paper's GPT Score through OpenAI's API, or any compatible server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ig4.plugins.llm.openai import OpenAIProvider
from ig4.plugins.llm.scorer import RatingOptions, RatingScorer

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider


class GptOptions(RatingOptions):
    """Options of the scorer `gpt`."""

    model: str = Field("gpt-4o-mini", description="Model, as the service names it.")


class Gpt(RatingScorer):
    """Asks OpenAI, Azure, vLLM, Ollama, llama.cpp or a proxy for a rating from 0 to 100."""

    Options = GptOptions
    options: GptOptions
    usual_name = "gpt"

    def provider(self) -> Provider:
        """Return the service, not opened."""
        options = self.options
        return OpenAIProvider(
            base_url=options.base_url,
            timeout=options.timeout,
            structured=options.structured,
            batch_requests=options.batch_requests,
            batch_tokens=options.batch_tokens,
        )
