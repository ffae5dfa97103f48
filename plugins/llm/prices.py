"""The vendors' published prices; `[prices."MODEL"]` in ig4.toml overrides them."""

from __future__ import annotations

from collections.abc import Mapping

from ig4.core.calls.prices import Price

OPENAI: Mapping[str, Price] = {
    "gpt-5": Price(1.25, 10.0, cached=0.125),
    "gpt-5-mini": Price(0.25, 2.0, cached=0.025),
    "gpt-5-nano": Price(0.05, 0.4, cached=0.005),
    "gpt-4.1": Price(2.0, 8.0, cached=0.5),
    "gpt-4.1-mini": Price(0.4, 1.6, cached=0.1),
    "gpt-4.1-nano": Price(0.1, 0.4, cached=0.025),
    "gpt-4o": Price(2.5, 10.0, cached=1.25),
    "gpt-4o-2024-05-13": Price(5.0, 15.0),
    "gpt-4o-mini": Price(0.15, 0.6, cached=0.075),
    "o3": Price(2.0, 8.0, cached=0.5),
    "o4-mini": Price(1.1, 4.4, cached=0.275),
    "o3-mini": Price(1.1, 4.4, cached=0.55),
    "o1": Price(15.0, 60.0, cached=7.5),
    "gpt-4-turbo": Price(10.0, 30.0),
    "gpt-4": Price(30.0, 60.0),
    "gpt-3.5-turbo": Price(0.5, 1.5),
}
"""Prices of OpenAI's models in US dollars per million tokens."""

ANTHROPIC: Mapping[str, Price] = {
    "claude-opus-4-5": Price(5.0, 25.0, cached=0.5),
    "claude-opus-4-1": Price(15.0, 75.0, cached=1.5),
    "claude-opus-4-0": Price(15.0, 75.0, cached=1.5),
    "claude-opus-4": Price(15.0, 75.0, cached=1.5),
    "claude-sonnet-4-5": Price(3.0, 15.0, cached=0.3),
    "claude-sonnet-4-0": Price(3.0, 15.0, cached=0.3),
    "claude-sonnet-4": Price(3.0, 15.0, cached=0.3),
    "claude-3-7-sonnet": Price(3.0, 15.0, cached=0.3),
    "claude-3-5-sonnet": Price(3.0, 15.0, cached=0.3),
    "claude-haiku-4-5": Price(1.0, 5.0, cached=0.1),
    "claude-3-5-haiku": Price(0.8, 4.0, cached=0.08),
    "claude-3-haiku": Price(0.25, 1.25, cached=0.03),
    "claude-3-opus": Price(15.0, 75.0, cached=1.5),
}
"""Prices of Anthropic's models in US dollars per million tokens."""
