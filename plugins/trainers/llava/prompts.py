"""Prompts of LLaVA-1.5: conversation `vicuna_v1` as token ids, and their labels."""

from __future__ import annotations

from collections.abc import Sequence

from ig4.plugins.models.tokenizer import Tokenizer
from ig4.plugins.training.placeholders import IGNORED, IMAGE

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
_MARK = "<image>"
_END = "</s>"
_ANSWER = " ASSISTANT: "


def conversation(turns: Sequence[tuple[str, str]], *, images: int) -> str:
    """Return a conversation as text; without a last answer it ends where the answer begins.

    Images come before the first question. `<image>` inside the texts is removed, because untrusted
    texts must not place images.
    """
    text = f"{SYSTEM} "
    for number, (question, answer) in enumerate(turns):
        text_of_question = _without_marks(question)
        if number == 0 and images:
            text_of_question = f"{_MARK}\n" * images + text_of_question
            text_of_question = text_of_question.strip()
        text += f"USER: {text_of_question} ASSISTANT:"
        if answer or number + 1 < len(turns):
            text += f" {_without_marks(answer)}{_END}"
    return text


def chat_ids(tokenizer: Tokenizer, turns: Sequence[tuple[str, str]], *, images: int) -> list[int]:
    """Return the ids from which the next answer is generated; one IMAGE for each image."""
    return _tokenise(tokenizer, conversation(turns, images=images))


def training_ids(
    tokenizer: Tokenizer, turns: Sequence[tuple[str, str]], *, images: int, max_length: int
) -> tuple[list[int], list[int]]:
    """Return (ids, labels) of one sample; answers and their `</s>` are learned.

    Round by round, as many tokens are masked as the question has when tokenised by itself, less
    two. If these counts do not add up to the whole, all of the sample is masked. So does the
    original with samples whose texts contain its separators.
    """
    text = conversation(turns, images=images)
    ids = _tokenise(tokenizer, text)[:max_length]
    labels = list(ids)
    labels[0] = IGNORED
    at = 1
    for exchange in text.split(_END):
        parts = exchange.split(_ANSWER)
        if not exchange or len(parts) != 2:
            break
        question_length = len(_tokenise(tokenizer, parts[0] + _ANSWER)) - 2
        labels[at : at + question_length] = [IGNORED] * len(labels[at : at + question_length])
        at += len(_tokenise(tokenizer, exchange))
    labels[at:] = [IGNORED] * len(labels[at:])
    real_tokens = sum(one != tokenizer.unk_id for one in ids)  # the padding token of LLaVA is <unk>
    if at < max_length and at != real_tokens:
        labels = [IGNORED] * len(ids)
    return ids, [IGNORED if one == IMAGE else one for one in labels]


def caption_ids(tokenizer: Tokenizer, answer: str, *, images: int, max_length: int
                ) -> tuple[list[int], list[int]]:  # fmt: skip
    """Return (ids, labels) for stage 1: images, the caption, a line break; no conversation."""
    before = _tokenise(tokenizer, _MARK * images)
    ids = _tokenise(tokenizer, f"{_MARK * images}{_without_marks(answer)}\n")
    labels = [IGNORED] * len(before) + ids[len(before) :]
    return ids[:max_length], labels[:max_length]


def expand_images(
    ids: Sequence[int], labels: Sequence[int], vectors: int, max_length: int
) -> tuple[list[int], list[int]]:
    """Return (ids, labels) with IMAGE repeated for each of an image's vectors."""
    expanded: list[int] = []
    expanded_labels: list[int] = []
    for one, label in zip(ids, labels, strict=True):
        times = vectors if one == IMAGE else 1
        expanded += [one] * times
        expanded_labels += [label] * times
    if expanded[:max_length].count(IMAGE) != expanded.count(IMAGE):
        # A truncated image would leave placeholders without vectors.
        return expanded, expanded_labels
    return expanded[:max_length], expanded_labels[:max_length]


def _tokenise(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return BOS and the ids of a text; the parts around images are tokenised separately."""
    ids = [tokenizer.bos_id]
    for number, part in enumerate(text.split(_MARK)):
        if number:
            ids.append(IMAGE)
        ids += tokenizer.encode(part)
    return ids


def _without_marks(text: str) -> str:
    """Return a text without `<image>`, also where its removal would make a new one."""
    if _MARK not in text:
        return text
    return text.replace(_MARK, "").replace(_MARK, "< image>").strip()
