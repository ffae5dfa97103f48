"""Samples in the words of a model's own chat template, and which tokens of them are answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.contracts.training import TrainingError
from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.loading import one_line

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from ig4.core.records import Turn
    from ig4.plugins.trainers.hf.markers import MediaMarkers

Message = dict[str, Any]


def chat_messages(
    turns: Sequence[Turn],
    *,
    images: int,
    system: str | None = None,
    markers: MediaMarkers | None = None,
) -> list[Message]:
    """Return a conversation as chat templates take it, its images in front of the first question.

    Consecutive turns of one speaker are joined: many templates want them to take turns. The marks
    of the model that a turn's text holds are broken.
    """
    chat: list[Message] = [_message("system", system)] if system else []
    for turn in turns:
        role = "user" if turn.role == "tool" else turn.role
        text = turn.text if markers is None else markers.break_markers(turn.text)
        if chat and chat[-1]["role"] == role:
            chat[-1]["content"][-1]["text"] += f"\n{text}"
        else:
            chat.append(_message(role, text))
    first = next((one for one in chat if one["role"] == "user"), None)
    if first is not None:
        first["content"][:0] = [{"type": "image"} for _ in range(images)]
    return chat


def _message(role: str, text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def render(processor: Any, chat: Sequence[Message], *, answering: bool = False) -> str:
    """Return a conversation as text; with `answering`, ready for the next answer.

    Raises:
        PrerequisiteError: the model has no chat template.
        TrainingError: it has one that does not take this conversation.
    """
    if not (processor.chat_template or processor.tokenizer.chat_template):
        raise PrerequisiteError(
            "the model has no chat template: take its instruction-tuned sibling, or put a "
            "chat_template.jinja into its folder"
        )
    try:
        text: str = processor.apply_chat_template(
            list(chat), tokenize=False, add_generation_prompt=answering
        )
    except Exception as error:
        raise TrainingError(
            f"the model's chat template does not take this conversation: {one_line(error, 200)}"
        ) from error
    return text


def special_token_options(processor: Any, text: str) -> dict[str, bool]:
    """Return how a rendered text is to be tokenised: without a second BOS where it has one.

    Some templates (Gemma's, Llama's) write it themselves; transformers looks for it in the same
    way where it applies a template and tokenises in one go.
    """
    bos = processor.tokenizer.bos_token
    return {"add_special_tokens": False} if bos is not None and text.startswith(bos) else {}


def answer_spans(processor: Any, chat: Sequence[Message], text: str) -> list[tuple[int, int]]:
    """Return where in `text`, as characters, the answers stand, with what the template ends them.

    A template that rewrites what was said before (as some drop thoughts) is followed by looking
    for the answers themselves.

    Raises:
        TrainingError: an answer cannot be found.
    """
    spans, at = [], 0
    for number, message in enumerate(chat):
        if message["role"] != "assistant":
            continue
        before = render(processor, chat[:number], answering=True)
        whole = render(processor, chat[: number + 1])
        if text.startswith(whole) and whole.startswith(before) and len(before) >= at:
            spans.append((len(before), len(whole)))
        else:
            answer = message["content"][-1]["text"].strip()
            place = text.find(answer, at)
            if place < 0 or not answer:
                raise TrainingError(
                    f"the chat template's output does not contain the answer {answer[:60]!r}: ig4 "
                    "cannot tell which tokens to train on"
                )
            spans.append((place, place + len(answer)))
        at = spans[-1][1]
    return spans


def answer_mask(
    processor: Any, text: str, spans: Sequence[tuple[int, int]], ids: Sequence[int]
) -> list[bool]:
    """Tell of each id whether it belongs to an answer.

    `ids` is what the processor made of `text`, with a token for each place of an image. All images
    stand before the first answer, so tokens from there on are counted from the end; that they are
    the same is checked.

    Raises:
        TrainingError: they are not.
    """
    plain = processor.tokenizer(
        text, return_offsets_mapping=True, **special_token_options(processor, text)
    )
    offsets, own = plain["offset_mapping"], list(plain["input_ids"])
    hits = [
        any(first < stop and last > start for start, stop in spans) and last > first
        for first, last in offsets
    ]
    begin = hits.index(True) if True in hits else len(hits)
    tail = len(own) - begin
    if list(ids[len(ids) - tail :]) != own[begin:]:
        raise TrainingError(
            "the model's processor cuts text otherwise than its tokenizer: ig4 cannot tell which "
            "tokens are answers"
        )
    return [False] * (len(ids) - tail) + hits[begin:]


def limit_pixels(picture: Picture, max_pixels: int | None) -> Picture:
    """Return an image of at most so many pixels, its proportions kept."""
    width, height = picture.size
    if max_pixels is None or width * height <= max_pixels:
        return picture
    from PIL import Image

    scale = (max_pixels / (width * height)) ** 0.5
    wide, tall = max(1, int(width * scale)), max(1, int(height * scale))
    if wide * tall > max_pixels:  # a strip, which rounding made thicker
        wide, tall = (min(wide, max_pixels), 1) if wide > tall else (1, min(tall, max_pixels))
    size = wide, tall
    return picture.resize(size, Image.Resampling.BICUBIC)
