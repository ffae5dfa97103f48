"""The markers of images and speakers in a model's prompt, and texts without them.

A text with the model's own image marker would get placeholders without an image; one with the
marker of a turn's end would end its turn. Texts of data sets are untrusted, so both are broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_MEDIA_IDS = ("image_token_id", "video_token_id", "audio_token_id")


class MediaMarkers:
    """What a processor does not read as text: markers of media, and those of its chat template."""

    def __init__(self, processor: Any) -> None:
        markers = sorted(
            {one for one in _find_markers(processor) if one.strip()}, key=len, reverse=True
        )
        self.pattern = re.compile("|".join(map(re.escape, markers)) or r"(?!)")

    def break_markers(self, text: str) -> str:
        """Return a text with a space inside each marker, so that it is only text."""
        while self.pattern.search(text):  # markers may overlap
            text = self.pattern.sub(_insert_space, text)
        return text


def _insert_space(found: re.Match[str]) -> str:
    mark = found[0]
    return f"{mark[0]} {mark[1:]}" if len(mark) > 1 else ""


def _find_markers(processor: Any) -> Iterator[str]:
    """Yield the markers of a processor.

    These are the tokens with a name in it or its tokenizer (image_token, boi_token, eos_token),
    and the special tokens in its chat template. Data sets may contain other special tokens, such
    as those of boxes.
    """
    tokenizer = processor.tokenizer
    tokens = {**vars(processor), **tokenizer.special_tokens_map, **_token_attributes(tokenizer)}
    for name, value in tokens.items():
        if name.endswith("_token") and isinstance(value, str):
            yield value
    for place in (processor, tokenizer):
        for name in _MEDIA_IDS:
            number = getattr(place, name, None)
            if isinstance(number, int):
                token_text = tokenizer.convert_ids_to_tokens(number)
                if token_text is not None:
                    yield str(token_text)
    template = str(getattr(processor, "chat_template", None) or tokenizer.chat_template or "")
    for token in tokenizer.added_tokens_decoder.values():
        if token.special and token.content in template:
            yield str(token.content)


def _token_attributes(tokenizer: Any) -> dict[str, Any]:
    """Return the tokens that a tokenizer has as attributes, whether set or built in."""
    names = (one for one in dir(tokenizer) if one.endswith("_token"))
    return {name: getattr(tokenizer, name, None) for name in names}
