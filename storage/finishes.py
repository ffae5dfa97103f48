"""What services say of a reply that was cut because it reached its limit of tokens."""

from __future__ import annotations

AT_LIMIT = frozenset((
    "length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit",
))  # fmt: skip
"""In lower case."""
