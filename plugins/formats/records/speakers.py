"""Who speaks in a conversation, and what data sets call speakers, texts and pairs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ROLES: Mapping[str, str] = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "question": "user",
    "instruction": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "claude": "assistant",
    "gemini": "assistant",
    "ai": "assistant",
    "answer": "assistant",
    "system": "system",
    "developer": "system",
    "observation": "tool",
    "observations": "tool",
    "function": "tool",
    "function_call": "tool",
    "function_response": "tool",
    "tool": "tool",
    "tools": "tool",
    "tool_call": "tool",
    "tool_response": "tool",
    "ipython": "tool",
    "environment": "tool",
}
"""The roles by data sets' names of the speakers; case does not matter."""

ROLE_KEYS = ("from", "role", "speaker", "author")
"""The keys under which a message names its speaker."""
TEXT_KEYS = ("value", "content", "text", "message")
"""The keys under which a message has its text."""
PAIRS = (
    ("user", "assistant"), ("human", "gpt"), ("human", "assistant"), ("question", "answer"),
    ("instruction", "output"), ("instruction", "response"), ("prompt", "response"),
    ("prompt", "completion"), ("query", "response"), ("input", "output"), ("q", "a"),
)  # fmt: skip
"""The keys of an object that holds a question and its answer."""


@dataclass(frozen=True, slots=True)
class SpeakerNames:
    """What messages call the speaker and the text, and the roles by the speakers' names.

    A key that is None is found by its usual names.
    """

    role: str | None = None
    text: str | None = None
    roles: Mapping[str, str] = field(default_factory=lambda: ROLES)


USUAL_SPEAKERS = SpeakerNames()
