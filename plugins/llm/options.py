"""Options of all components that ask a language model."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field, field_validator

from ig4.core import contracts
from ig4.plugins.llm.connection import refuse_password


class ServiceOptions(contracts.Options):
    """Which model to ask, where, what it sees, and how it answers."""

    model: str = Field(description="Model, as the service names it.")
    base_url: str | None = Field(
        None, description="Address of the service; by default that of the client or its variable."
    )
    vision: bool = Field(default=False, description="Send the images too.")
    max_side: int = Field(768, ge=32, description="Longest side of a sent image, in pixels.")
    structured: bool | None = Field(
        None, description="Send a JSON schema; by default if the service supports it."
    )
    timeout: float = Field(120.0, gt=0, description="Seconds to wait for a reply.")
    batch_requests: int | None = Field(
        None, ge=1, description="Most requests in a batch; by default what the service takes."
    )
    batch_tokens: int | None = Field(
        None, ge=1, description="Most input tokens in a batch, as estimated; by default any number."
    )
    extra: dict[str, Any] = Field(
        default_factory=dict, description="More fields for the request body, as JSON."
    )

    @field_validator("base_url")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        return refuse_password(value)

    @field_validator("extra", mode="before")
    @classmethod
    def _parse_json(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value
