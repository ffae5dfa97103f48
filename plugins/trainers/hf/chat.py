"""Renders samples with a model's chat template, and finds which tokens are answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.contracts.training import TrainingError
from ig4.core.errors import PrerequisiteError
from ig4.core.files.images.decode import require_resizable
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
    """Return a conversation as chat templates take it, with its images before the first question.

    Consecutive turns of one speaker are joined, because many templates need alternating speakers.
    The model's own markers inside a turn's text are broken.
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
        TrainingError: its template does not accept this conversation.
    """
    if not (processor.chat_template or processor.tokenizer.chat_template):
        raise PrerequisiteError(
            "the model has no chat template: use its instruction-tuned version, or put a "
            "chat_template.jinja into its folder"
        )
    try:
        text: str = processor.apply_chat_template(
            list(chat), tokenize=False, add_generation_prompt=answering
        )
    except Exception as error:
        raise TrainingError(
            f"the model's chat template does not accept this conversation: {one_line(error, 200)}"
        ) from error
    return text


def special_token_options(processor: Any, text: str) -> dict[str, bool]:
    """Return the tokenizer's options for a rendered text: no second BOS if it already has one.

    Some templates (Gemma's, Llama's) write it themselves; transformers checks for it in the same
    way when it applies a template and tokenises in one step.
    """
    bos = processor.tokenizer.bos_token
    return {"add_special_tokens": False} if bos is not None and text.startswith(bos) else {}


def answer_spans(processor: Any, chat: Sequence[Message], text: str) -> list[tuple[int, int]]:
    """Return the (start, end) characters of the answers in `text`, with the template's end marks.

    If a template rewrites earlier turns (some drop the reasoning), the answers themselves are
    searched for.

    Raises:
        TrainingError: an answer is not in the text.
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
    """Return for each id whether it belongs to an answer.

    `ids` are the processor's for `text`, with several tokens for each image. All images come before
    the first answer, so tokens from there on are counted from the end, and checked to be the same.

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
            "the model's processor and its tokenizer tokenise text differently: ig4 cannot tell "
            "which tokens are answers"
        )
    return [False] * (len(ids) - tail) + hits[begin:]


def fit_picture(processor: Any, picture: Picture, max_pixels: int | None) -> Picture:
    """Return an image as the processor gets it: of at most `max_pixels` pixels.

    Raises:
        ImageShapeError: it is so narrow that the processor would make it enormous.
    """
    picture = limit_pixels(picture, max_pixels)
    size: Any = getattr(getattr(processor, "image_processor", None), "size", None) or {}
    # With a longest edge as well (or pixel counts, which have both), the processor has a bound.
    if size.get("shortest_edge") and not size.get("longest_edge"):
        require_resizable(picture.size, size.get("shortest_edge"))
    return picture


def limit_pixels(picture: Picture, max_pixels: int | None) -> Picture:
    """Return an image of at most `max_pixels` pixels, with the same proportions."""
    width, height = picture.size
    if max_pixels is None or width * height <= max_pixels:
        return picture
    from PIL import Image

    scale = (max_pixels / (width * height)) ** 0.5
    wide, tall = max(1, int(width * scale)), max(1, int(height * scale))
    if wide * tall > max_pixels:  # a strip that rounding made thicker
        wide, tall = (min(wide, max_pixels), 1) if wide > tall else (1, min(tall, max_pixels))
    size = wide, tall
    return picture.resize(size, Image.Resampling.BICUBIC)
